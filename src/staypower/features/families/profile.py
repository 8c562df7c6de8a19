"""What the account is: its attributes as of the cutoff."""

from __future__ import annotations

from staypower.features.definition import Feature

__all__ = ["attribute_feature"]


def attribute_feature(column: str, slug: str, *, number: bool) -> Feature:
    """Declare one attribute of the account.

    Parameters
    ----------
    column : str
        The attribute as the accounts table names it.
    slug : str
        The same as part of a feature's name.
    number : bool
        A number is used as it is; a text becomes a category by a code map learnt in training.

    Returns
    -------
    Feature

    Examples
    --------
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
