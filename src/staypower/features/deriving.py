"""What features read instead of a column that is not mapped, or not usable."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from staypower.features.catalogue import Catalogue
from staypower.features.definition import Feature
from staypower.features.settings import FeatureSettings
from staypower.features.streams.making import make_stream
from staypower.tables import Tables

__all__ = ["Derivation", "derivations"]


@dataclass(frozen=True)
class Derivation:
    """A column that follows from others.

    >>> Derivation("subscriptions", "seats", "`accounts.seats`", ("seats_now", "mrr_per_seat")).words
    'derived from `accounts.seats`, for `seats_now` and 1 more'
    """

    table: str  # the table and column that are not there
    column: str
    source: str  # what stands in for it
    features: tuple[str, ...]  # that read it

    @property
    def words(self) -> str:
        """What it is derived from, and for which features."""
        first, *others = self.features
        return f"derived from {self.source}, for `{first}`" + (f" and {len(others)} more" if others else "")


# the table of a derived feature -> the column meant for it, and what stands in
_STANDS_IN = {
    ("accounts", "seats"): ("subscriptions", "seats", "`accounts.seats`"),
    ("accounts", None): ("subscriptions", "seats", "`accounts.seats`"),
    ("payments", "monthly_amount"): ("subscriptions", "mrr", "`payments.amount`, per month of what each payment pays for"),
    ("payments", "amount"): ("payments", "status", "`payments`: every payment counts as one that went through"),
    ("first_rows", None): ("accounts", "signed_up_at", "the first row of each account in any table"),
    ("contracts", "billing_period"): ("subscriptions", "billing_period", "the rhythm of `payments`"),
}
_TERMS = {"term_months": "`term_months`", "billing_period": "`billing_period`"}


def derivations(catalogue: Catalogue, tables: Tables) -> tuple[Derivation, ...]:
    """Name what the features of a catalogue derive; of the tables only the columns are looked at."""
    terms = _terms(tables, catalogue.settings)
    found: dict[tuple[str, str, str], list[str]] = {}
    for feature in catalogue.everything:
        if isinstance(feature, Feature):
            for key in _of(feature, feature.name in catalogue.derived, terms):
                found.setdefault(key, []).append(feature.name)
    return tuple(Derivation(*key, tuple(features)) for key, features in found.items())


def _of(feature: Feature, derived: bool, terms: str) -> Iterator[tuple[str, str, str]]:
    if feature.table == "contracts" and feature.column == "renewal" and terms:
        yield "subscriptions", "renews_at", terms
    elif feature.table == "contracts" and feature.column == "renewal_months":
        yield "subscriptions", "term_months", terms.partition(" and ")[2]
    elif derived:
        yield _STANDS_IN[feature.table, feature.column]


def _terms(tables: Tables, settings: FeatureSettings) -> str:
    """Say what the next renewal follows from; empty when nothing says how long a term is."""
    if "subscriptions" not in tables:
        return ""
    contracts = make_stream("subscriptions", tables.empty, settings)
    named = [words for column, words in _TERMS.items() if contracts.has(column)]
    named += ["the rhythm of `payments`"] if "payments" in tables else []
    if not named:
        return ""
    start = "the start and " if not contracts.has("renews_at") else "`renews_at`, once it has passed, and "
    return start + ", else ".join(named)
