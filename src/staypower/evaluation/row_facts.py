"""What is known of the tested rows besides their features: slices, a health score, the value of each account."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.types

from staypower.dataset.building import Dataset, DatasetRows
from staypower.errors import Problem, UsageError, nearest
from staypower.evaluation.settings import CostSettings, EvaluationSettings, HealthScore
from staypower.features.builder import FeatureMatrix, build_matrix
from staypower.features.catalogue import Catalogue
from staypower.features.declaring import declare
from staypower.features.definition import Feature
from staypower.features.settings import FeatureSettings, OwnFeature
from staypower.labels.settings import LabelSettings
from staypower.portfolio.customer_value import ORDERED, account_values, monthly_revenue
from staypower.portfolio.settings import PortfolioSettings
from staypower.results.numbers import money, percent
from staypower.schemas import ACCOUNT_NAME
from staypower.tables import BucketedTables, Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["TENURE_FEATURES", "RowFacts", "find_row_facts"]

TENURE_FEATURES = ("tenure_days", "days_since_first_order", "days_since_first_use")
_FEWEST_VALUES, _MOST_VALUES = 2, 20
_HEALTH, _VALUE = "health_score_of_the_user", "value_of_the_account"
_REVENUE = "mrr_now"
_NO_ATTRIBUTES = ("account_id", ACCOUNT_NAME, "signed_up_at", "valid_from", "known_at")
_AUTO, _OFF = "auto", "off"


@dataclass(frozen=True)
class RowFacts:
    """What is known of some rows, in their order.

    >>> RowFacts().account_values is None
    True
    """

    # shape (n,): the groups to report by, sensitive attributes included
    slices: Mapping[str, NDArray[np.object_]] = field(default_factory=dict)
    sensitive: tuple[str, ...] = ()  # those of the slices that are declared sensitive
    # shape (n,): the user's own score, high for accounts likely to churn; NaN where it is not known before the cutoff
    health_score: NDArray[np.float64] | None = None
    account_values: NDArray[np.float64] | None = None  # shape (n,): the value of each account if it stays
    tenure_days: NDArray[np.float64] | None = None  # shape (n,): where a feature tells it
    remarks: tuple[str, ...] = ()  # what a reader must know


def find_row_facts(
    rows: DatasetRows,
    tables: BucketedTables,
    *,
    label: LabelSettings,
    features: FeatureSettings,
    evaluation: EvaluationSettings,
    costs: CostSettings,
    portfolio: PortfolioSettings,
    threads: int = 2,
) -> RowFacts:
    """Look up what is known of some rows besides their features, each as it was known before its cutoff."""
    dataset, asked = rows.dataset, evaluation.slices
    categories = _category_features(dataset)
    attributes = tuple(dict.fromkeys([*(name for name in asked or () if name not in categories), *features.sensitive]))
    own = tuple(_own_features(evaluation.health_score, costs))
    _require(tables.empty, own, attributes, features.sensitive, tuple(categories))
    lifetime = costs.acting is not None and costs.account_value == _AUTO
    declared, matrix = _build(rows, tables, own, attributes, label, lifetime=lifetime, threads=threads)
    slices: dict[str, NDArray[np.object_]] = {}
    for name in asked if asked is not None else categories:
        if name in categories:
            slices[name] = _texts(dataset.catalogue, categories[name], dataset.X[categories[name]].to_numpy()[rows.index])
    for name in attributes:
        feature = _attribute(declared, name)
        slices[name] = _texts(declared, feature.name, matrix.features[feature.name].to_numpy())
    values, remarks = _values(matrix, costs, portfolio, dataset.base_rate("training", "calibration"), label.outcome_days)
    health = _health(matrix, evaluation.health_score)
    tenure = next((dataset.X[name].to_numpy()[rows.index] for name in TENURE_FEATURES if name in dataset.X), None)
    remarks = (*_sensitive_features(dataset, features), *remarks)
    return RowFacts(slices, features.sensitive, health, values, tenure, remarks)


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


def _own_features(score: HealthScore | None, costs: CostSettings) -> Iterator[OwnFeature]:
    if score is not None:
        table, column = score.table_and_column
        yield OwnFeature(name=_HEALTH, table=table, aggregation="last", column=column, description="health score")
    if costs.acting is not None and costs.account_value not in (_AUTO, _OFF):
        yield OwnFeature(name=_VALUE, table="accounts", aggregation="last", column=costs.account_value, description="value")


def _build(
    rows: DatasetRows,
    tables: BucketedTables,
    own: tuple[OwnFeature, ...],
    attributes: Sequence[str],
    label: LabelSettings,
    *,
    lifetime: bool,
    threads: int,
) -> tuple[Catalogue, FeatureMatrix]:
    """Build the attributes, scores and amounts asked for, by the rules that hold for features."""
    accounts, cutoffs = rows.accounts.astype(str), rows.cutoffs
    plain = FeatureSettings(windows=(365,), families=("profile", "billing", "orders"), rare=1, own=own)
    declared = declare(tables, plain, cutoff=int(cutoffs.max()), hidden=label.hidden)
    wanted = {_HEALTH, _VALUE} | ({_REVENUE, ORDERED} if lifetime else set())
    declared = declared.only({*wanted, *(_attribute(declared, name).name for name in attributes)})
    everybody, instants = np.unique(accounts), np.unique(cutoffs)
    pairs = np.zeros((len(everybody), len(instants)), dtype=bool)
    pairs[np.searchsorted(everybody, accounts), np.searchsorted(instants, cutoffs)] = True
    matrix = build_matrix(tables, declared, accounts=everybody.tolist(), cutoffs=instants, rows=pairs, threads=threads)
    # both are sorted by account and cutoff
    assert (matrix.accounts.astype(str) == accounts).all()
    return declared, matrix


def _require(
    tables: Tables,
    own: Sequence[OwnFeature],
    attributes: Sequence[str],
    sensitive: Sequence[str],
    categories: Sequence[str],
) -> None:
    """Collect every column that is missing, may have changed since, or is no number."""
    accounts = tables["accounts"]
    there = [name for name in accounts.data.column_names if name not in _NO_ATTRIBUTES]
    problems = []
    for name in attributes:
        where = f"features.sensitive: {name}" if name in sensitive else f"evaluation.slices: {name}"
        if name not in there:
            problems.append(Problem("no such attribute or category", where, nearest(name, [*there, *categories])))
        elif not accounts.has("valid_from") and name not in accounts.fixed:
            fix = f"declare it (`static: [{name}]` of `accounts`), or map `valid_from`"
            problems.append(Problem("the attribute may have changed since", where, fix))
    for feature in own:
        where = f"evaluation.health_score: {feature.table}.{feature.column}"
        if feature.name == _VALUE:
            where = f"costs.account_value: {feature.column}"
        problems += _column_problems(tables, feature, where)
    if problems:
        raise UsageError(problems)


def _column_problems(tables: Tables, feature: OwnFeature, where: str) -> Iterator[Problem]:
    name, column = str(feature.table), str(feature.column)
    if name not in tables:
        yield Problem("no such table", where, nearest(name, tables))
        return
    table = tables[name]
    if not table.has(column):
        yield Problem("no such column", where, nearest(column, table.data.column_names))
    elif not _is_number(table.data.schema.field(column).type):
        yield Problem("not a number", where, "map a number, for instance with an expression: case when ... then 1 else 0 end")
    elif feature.table == "accounts" and not table.has("valid_from") and column not in table.fixed:
        fix = "give the score in a table of its own with its time, or rows of `accounts` with `valid_from`"
        yield Problem("today's value would reveal the outcome", where, fix)


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


def _health(matrix: FeatureMatrix, score: HealthScore | None) -> NDArray[np.float64] | None:
    if score is None:
        return None
    values: NDArray[np.float64] = matrix.features[_HEALTH].to_numpy(dtype=np.float64)
    return values if score.high_is == "risky" else -values


def _values(
    matrix: FeatureMatrix, costs: CostSettings, portfolio: PortfolioSettings, base_rate: float, horizon: int | None
) -> tuple[NDArray[np.float64] | None, tuple[str, ...]]:
    """Return the value of each account, and how it was found."""
    if costs.acting is None or costs.account_value == _OFF:
        return None, ()
    if _VALUE in matrix.features:
        found: NDArray[np.float64] = matrix.features[_VALUE].to_numpy(dtype=np.float64)
        return _filled(found, f"`accounts.{costs.account_value}`")
    paid = {name: matrix.features[name].to_numpy() for name in (_REVENUE, ORDERED) if name in matrix.features}
    monthly = monthly_revenue(paid.get(_REVENUE), paid.get(ORDERED))
    if monthly is None or horizon is None or not 0 < base_rate < 1:
        return None, ()
    margin, discount = portfolio.margin, portfolio.discount_rate
    found = account_values(
        monthly,
        np.zeros(len(monthly)),
        base_rate=base_rate,
        horizon_days=horizon,
        margin=margin,
        discount_rate=discount,
    ).clv
    what = "revenue" if _REVENUE in paid else "order amount"
    return _filled(found, f"lifetime value of its monthly {what} (margin {margin:g}, discount {discount:g} per month)")


def _filled(values: NDArray[np.float64], how: str) -> tuple[NDArray[np.float64] | None, tuple[str, ...]]:
    known = np.isfinite(values) & (values >= 0)
    if known.mean() < 0.5:
        return None, (f"Account values ({how}) are left out: they are known for only {percent(known.mean(), 0)} of the rows.",)
    share = "" if known.all() else f"; {percent(1 - known.mean())} of the rows have none and get the mean"
    mean = float(values[known].mean())
    return np.where(known, values, mean), (f"The value of each account is the {how}, {money(mean)} on average{share}.",)


def _sensitive_features(dataset: Dataset, features: FeatureSettings) -> Iterator[str]:
    """Name the sensitive attributes that the model reads."""
    read = sorted(
        {
            str(definition.column)
            for definition in dataset.catalogue.definitions
            if isinstance(definition, Feature) and definition.table == "accounts" and definition.column in features.sensitive
        }
    )
    if read:
        allowed = features.sensitive_as_features
        why = "as the settings allow" if allowed else "it was trained before they were declared sensitive"
        yield f"The model reads sensitive attributes ({', '.join(read)}): {why}."
