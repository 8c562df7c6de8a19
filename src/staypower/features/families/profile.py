"""What the account is: its attributes as of the cutoff."""

from __future__ import annotations

from staypower.features.definition import Feature

__all__ = ["attribute_feature"]


def attribute_feature(column: str, slug: str, *, number: bool) -> Feature:
    """Declare one attribute of the account.

    >>> attribute_feature("Segment", "segment", number=False).name
    'account_segment'
    """
    return Feature(
        name=f"account_{slug}",
        table="accounts",
        aggregation="last" if number else "last_code",
        column=column,
        time="seen_at",
        unit="",
        description=f"{column.replace('_', ' ')} of the account",
        lever=None,
        category=not number,
    )
