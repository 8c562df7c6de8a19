"""What is known of the tested rows beside their features: slices, a health score, what each account is worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.types

from staypower.config.settings import Settings
from staypower.dataset.building import Dataset
from staypower.errors import Problem, UsageError, nearest
from staypower.features.builder import FeatureMatrix, build_matrix
from staypower.features.catalogue import Catalogue
from staypower.features.declaring import declare
from staypower.features.definition import Feature
from staypower.features.settings import FeatureSettings, OwnFeature
from staypower.portfolio.customer_value import account_values, monthly_revenue
from staypower.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["RowFacts", "find_row_facts"]

_FEWEST_VALUES, _MOST_VALUES = 2, 20
_HEALTH, _VALUE = "health_score_of_the_user", "value_of_the_account"
_REVENUE, _ORDERED = "mrr_now", "order_amount_365d"
_NO_ATTRIBUTES = ("account_id", "signed_up_at", "valid_from", "known_at")
_AUTO, _OFF = "auto", "off"


@dataclass(frozen=True)
class RowFacts:
    """What is known of some rows, in their order.

    >>> RowFacts().account_values is None
    True
    """

    # shape (n,): Groups to report by, sensitive attributes included
    slices: Mapping[str, NDArray[np.object_]] = field(default_factory=dict)
    sensitive: tuple[str, ...] = ()  # those of the slices that are declared sensitive
    # shape (n,): The user's own score, turned so that high means likely to leave; NaN where it is not known before the cutoff
    health_score: NDArray[np.float64] | None = None
    account_values: NDArray[np.float64] | None = None  # shape (n,): What each account is worth if it stays
    remarks: tuple[str, ...] = ()  # what a reader must know


def find_row_facts(
    dataset: Dataset, tables: Tables, settings: Settings, rows: NDArray[np.bool_], *, base_rate: float
) -> RowFacts:
    """Look up what stands beside the features of some rows, each as it was known before its cutoff."""
    asked = settings.evaluation.slices
    categories = _category_features(dataset)
    attributes = [*(name for name in asked or () if name not in categories), *settings.features.sensitive]
    declared, matrix = _build(dataset, tables, settings, rows, tuple(dict.fromkeys(attributes)), tuple(categories))
    slices: dict[str, NDArray[np.object_]] = {}
    for name in asked if asked is not None else categories:
        if name in categories:
            slices[name] = _texts(dataset.catalogue, categories[name], dataset.X[categories[name]].to_numpy()[rows])
    for name in attributes:
        feature = _attribute(declared, name)
        slices[name] = _texts(declared, feature.name, matrix.features[feature.name].to_numpy())
    values, remarks = _values(matrix, settings, base_rate)
    return RowFacts(
        slices, settings.features.sensitive, _health(matrix, settings), values, (*_reads(dataset, settings), *remarks)
    )


def _category_features(dataset: Dataset) -> dict[str, str]:
    """Return the category features that divide the accounts into a handful of groups: by name, their column."""
    found = {}
    for name in dataset.matrix.categories:
        definition = dataset.catalogue[name]
        own = definition.column if isinstance(definition, Feature) and definition.column else name
        if _FEWEST_VALUES <= len(dataset.catalogue.codes.get(name, {})) <= _MOST_VALUES:
            found[name if own in found else own] = name
    return found


def _texts(catalogue: Catalogue, name: str, values: NDArray[np.float64]) -> NDArray[np.object_]:
    if name in catalogue.categories:
        words = {value: catalogue.text_of(name, value) for value in np.unique(values[~np.isnan(values)]).tolist()}
    else:
        words = {value: f"{value:g}" for value in np.unique(values[~np.isnan(values)]).tolist()}
    return np.array([words.get(value) for value in values.tolist()], dtype=object)


def _build(
    dataset: Dataset,
    tables: Tables,
    settings: Settings,
    rows: NDArray[np.bool_],
    attributes: tuple[str, ...],
    categories: tuple[str, ...],
) -> tuple[Catalogue, FeatureMatrix]:
    """Build the attributes, scores and amounts asked for, by the rules that hold for features."""
    accounts, cutoffs = dataset.matrix.accounts[rows], dataset.matrix.cutoffs[rows]
    _require(tables, settings, attributes, categories)
    plain = FeatureSettings(windows=(365,), families=("profile", "billing", "orders"), rare=1, own=tuple(_own(settings)))
    declared = declare(tables, plain, cutoff=int(cutoffs.max()), hidden=settings.label.hidden)
    wanted = {_HEALTH, _VALUE} | ({_REVENUE, _ORDERED} if _wants_lifetime(settings) else set())
    declared = declared.only({*wanted, *(_attribute(declared, name).name for name in attributes)})
    everybody, instants = np.unique(accounts.astype(str)), np.unique(cutoffs)
    pairs = np.zeros((len(everybody), len(instants)), dtype=bool)
    pairs[np.searchsorted(everybody, accounts.astype(str)), np.searchsorted(instants, cutoffs)] = True
    matrix = build_matrix(
        tables,
        declared,
        accounts=everybody.tolist(),
        cutoffs=instants,
        rows=pairs,
        threads=settings.model.threads or 2,
    )
    # both are sorted by account and cutoff
    assert (matrix.accounts.astype(str) == accounts.astype(str)).all()
    return declared, matrix


def _own(settings: Settings) -> Iterator[OwnFeature]:
    score, worth = settings.evaluation.health_score, settings.costs.account_value
    if score is not None:
        table, column = score.table_and_column
        yield OwnFeature(name=_HEALTH, table=table, aggregation="last", column=column, description="health score")
    if settings.costs.acting is not None and worth not in (_AUTO, _OFF):
        yield OwnFeature(name=_VALUE, table="accounts", aggregation="last", column=worth, description="value")


def _wants_lifetime(settings: Settings) -> bool:
    return settings.costs.acting is not None and settings.costs.account_value == _AUTO


def _require(tables: Tables, settings: Settings, attributes: tuple[str, ...], categories: tuple[str, ...]) -> None:
    """Collect every column that is not there, may have changed since, or is no number."""
    accounts = tables["accounts"]
    there = [
        name for name in accounts.data.column_names if name not in ("account_id", "signed_up_at", "valid_from", "known_at")
    ]
    problems = []
    for name in attributes:
        where = f"features.sensitive: {name}" if name in settings.features.sensitive else f"evaluation.slices: {name}"
        if name not in there:
            problems.append(Problem("no such attribute or category", where, nearest(name, [*there, *categories])))
        elif not accounts.has("valid_from") and name not in accounts.fixed:
            fix = f"declare it (`static: [{name}]` of `accounts`), or map `valid_from`"
            problems.append(Problem("the attribute may have changed since", where, fix))
    for feature in _own(settings):
        where = f"evaluation.health_score: {feature.table}.{feature.column}"
        if feature.name == _VALUE:
            where = f"costs.account_value: {feature.column}"
        problems += _column_problems(tables, feature, where)
    if problems:
        raise UsageError(problems)


def _column_problems(tables: Tables, feature: OwnFeature, where: str) -> Iterator[Problem]:
    if feature.table not in tables:
        yield Problem("no such table", where, nearest(feature.table, tables))
        return
    table, column = tables[feature.table], str(feature.column)
    if not table.has(column):
        yield Problem("no such column", where, nearest(column, table.data.column_names))
    elif not _is_number(table.data.schema.field(column).type):
        yield Problem("not a number", where, "map a number, for instance with an expression: case when ... then 1 else 0 end")
    elif feature.table == "accounts" and not table.has("valid_from") and column not in table.fixed:
        fix = "give the score in a table of its own with its time, or rows of `accounts` with `valid_from`"
        yield Problem("today's value says what happened since", where, fix)


def _is_number(kind: pyarrow.DataType) -> bool:
    types = pyarrow.types
    return bool(types.is_floating(kind) or types.is_integer(kind) or types.is_boolean(kind))


def _attribute(declared: Catalogue, column: str) -> Feature:
    return next(
        definition
        for definition in declared.definitions
        if isinstance(definition, Feature) and definition.table == "accounts" and definition.column == column
        if definition.name not in (_HEALTH, _VALUE)
    )


def _health(matrix: FeatureMatrix, settings: Settings) -> NDArray[np.float64] | None:
    score = settings.evaluation.health_score
    if score is None:
        return None
    values: NDArray[np.float64] = matrix.features[_HEALTH].to_numpy(dtype=np.float64)
    return values if score.high_is == "risky" else -values


def _values(matrix: FeatureMatrix, settings: Settings, base_rate: float) -> tuple[NDArray[np.float64] | None, tuple[str, ...]]:
    """Return what each account is worth, and how that was found."""
    if settings.costs.acting is None or settings.costs.account_value == _OFF:
        return None, ()
    if _VALUE in matrix.features:
        found: NDArray[np.float64] = matrix.features[_VALUE].to_numpy(dtype=np.float64)
        how = f"`accounts.{settings.costs.account_value}`"
    else:
        paid = {name: matrix.features[name].to_numpy() for name in (_REVENUE, _ORDERED) if name in matrix.features}
        monthly = monthly_revenue(paid.get(_REVENUE), paid.get(_ORDERED))
        if monthly is None or not 0 < base_rate < 1:
            return None, ()
        margin, discount = settings.portfolio.margin, settings.portfolio.discount_rate
        found = account_values(
            monthly,
            np.zeros(len(monthly)),
            base_rate=base_rate,
            horizon_days=settings.label.horizon,
            margin=margin,
            discount_rate=discount,
        ).clv
        what = "revenue" if _REVENUE in paid else "order amount"
        how = f"lifetime value of its monthly {what} (margin {margin:g}, discount {discount:g} a month)"
    return _filled(found, how)


def _filled(values: NDArray[np.float64], how: str) -> tuple[NDArray[np.float64] | None, tuple[str, ...]]:
    known = np.isfinite(values) & (values >= 0)
    if known.mean() < 0.5:
        return None, (f"Each account's own value, the {how}, is known on {100 * known.mean():.0f} % of the rows: left out.",)
    share = "" if known.all() else f"; {100 * (1 - known.mean()):.1f} % of the rows without one take the mean"
    mean = float(values[known].mean())
    return np.where(known, values, mean), (f"Each account's own value is the {how}, {mean:,.0f} on average{share}.",)


def _reads(dataset: Dataset, settings: Settings) -> Iterator[str]:
    """Say which sensitive attributes the model reads."""
    read = sorted(
        {
            str(definition.column)
            for definition in dataset.catalogue.definitions
            if isinstance(definition, Feature)
            and definition.table == "accounts"
            and definition.column in settings.features.sensitive
        }
    )
    if read:
        why = (
            "as the settings allow"
            if settings.features.sensitive_as_features
            else "it was learned before they were declared so"
        )
        yield f"The model reads sensitive attributes ({', '.join(read)}): {why}."
