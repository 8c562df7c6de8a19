"""Every setting of a run, typed: each section's class lives with the module that uses it, here they come together."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, PrivateAttr

from staypower.actions.playbook import ActionSettings
from staypower.addresses import is_address, shown_address
from staypower.config.problems import Origins
from staypower.cutoffs import instant_of
from staypower.dataset.settings import CutoffSettings, SamplingSettings
from staypower.engines.settings import EngineSettings, read_engine
from staypower.errors import UsageError
from staypower.evaluation.settings import CostSettings, EvaluationSettings
from staypower.explanation.settings import ExplanationSettings
from staypower.features.settings import FeatureSettings
from staypower.gate.settings import GateSettings
from staypower.labels.settings import LabelSettings
from staypower.labels.tier_settings import TierSettings
from staypower.models.settings import HorizonSettings, ModelSettings
from staypower.portfolio.settings import PortfolioSettings, QuadrantSettings
from staypower.scoring.settings import ScoringSettings
from staypower.sources.settings import Sources, TableSource
from staypower.tracking.settings import TrackingSettings

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


class OutputSettings(BaseModel):
    """Where results go and in which form.

    >>> OutputSettings().format
    'parquet'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: str = Field(default="out", min_length=1, description="folder for everything that commands write")
    format: Literal["parquet", "csv"] = Field(default="parquet", description="form of the scored list: `parquet` or `csv`")
    reasons: int = Field(default=5, ge=0, le=50, description="reasons per account")


def _check_name(value: object) -> object:
    if isinstance(value, str) and not _NAME.fullmatch(value):
        suggestion = (
            re.sub(r"[^A-Za-z0-9_-]+", "-", "" if is_address(value) else shown_address(value)).strip("-0123456789_")[:64]
            or "company"
        )
        raise ValueError(
            "not usable as the name of a folder and a model Fix: use letters, digits, `-` and `_`, a letter first: "
            f"`{suggestion}`"
        )
    return value


def _read_observed_until(value: object) -> object:
    """Take a date as observed to its end: the instant is exclusive."""
    if not isinstance(value, str):
        if value is None:
            return None
        raise ValueError("not a date or time Fix: write it as 2025-07-01 or 2025-07-01T12:00")
    try:
        return instant_of(value.strip(), end=True)
    except UsageError as error:
        raise ValueError(f"{error.problems[0].problem} Fix: {error.problems[0].fix}") from None


def _write_instant(value: int | None) -> str | None:
    """Write a time with its clock: a bare date would be read as its end."""
    return None if value is None else (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=value)).isoformat()


def _list_sources(value: object) -> object:
    """Accept one source where a list of sources may stand."""
    if not isinstance(value, Mapping):
        return value
    empty = [name for name, entry in value.items() if not entry]
    if empty:
        raise ValueError(
            f"no source for `{empty[0]}` Fix: write `source: FILE` and its columns under it, or leave the table out"
        )
    return {name: entry if isinstance(entry, (list, tuple)) else [entry] for name, entry in value.items()}


Name = Annotated[str, BeforeValidator(_check_name)]
TableSources = Annotated[dict[str, tuple[TableSource, ...]], BeforeValidator(_list_sources)]
Engine = Annotated[EngineSettings, BeforeValidator(read_engine)]
ObservedUntil = Annotated[int | None, BeforeValidator(_read_observed_until), PlainSerializer(_write_instant)]


class Settings(BaseModel):
    """Every setting of a run, with defaults filled in and relative paths made absolute.

    Use `load_config` to make one. `observed_until` is an instant (exclusive): a date in the config means its whole day.

    Notes
    -----
    Paths in the config are relative to the config file's folder, `root`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    name: Name = Field(description="short name of the company or the question; names the model, its folder and the experiment")
    owner: str | None = Field(default=None, min_length=1, description="who answers for the model; named on its card")
    observed_until: ObservedUntil = Field(
        default=None,
        json_schema_extra={"words": "date or time"},
        description="last day (or time) for which the data are complete; omit for the latest time found in the tables",
    )
    tables: TableSources = Field(min_length=1, description="the tables: canonical or own name, then where it is read from")
    label: LabelSettings = Field(description="what counts as churn")
    tier: TierSettings = Field(default_factory=TierSettings, description="what the loyalty tier is trained on")
    cutoffs: CutoffSettings = Field(default_factory=CutoffSettings, description="the points in time to train and test at")
    sampling: SamplingSettings = Field(
        default_factory=SamplingSettings, description="how many accounts and rows to train on; by default all"
    )
    features: FeatureSettings = Field(default_factory=FeatureSettings, description="what is computed from the tables")
    horizons: HorizonSettings = Field(
        default_factory=HorizonSettings, description="horizons to predict besides the label's own"
    )
    quadrants: QuadrantSettings = Field(default_factory=QuadrantSettings, description="which tiers count as loyal")
    model: ModelSettings = Field(default_factory=ModelSettings, description="how the model is trained")
    costs: CostSettings = Field(default_factory=CostSettings, description="the value of an account and the cost of acting")
    evaluation: EvaluationSettings = Field(default_factory=EvaluationSettings, description="how a model is evaluated")
    explanation: ExplanationSettings = Field(
        default_factory=ExplanationSettings, description="how the reasons of an account are chosen"
    )
    portfolio: PortfolioSettings = Field(
        default_factory=PortfolioSettings, description="how the portfolio's metrics are computed"
    )
    capacity: int | None = Field(default=None, ge=1, description="accounts the team can call in one round; omit for no limit")
    playbook: str | None = Field(
        default=None,
        min_length=1,
        description="file of actions, or `default` for the packaged one; with it scores get `action` and `holdout`; without "
        "it only `staypower actions` uses the packaged one",
    )
    actions: ActionSettings = Field(
        default_factory=ActionSettings, description="how many accounts each owner can act on, and the share held out at random"
    )
    scoring: ScoringSettings = Field(default_factory=ScoringSettings, description="how accounts are scored")
    gate: GateSettings = Field(
        default_factory=GateSettings, description="how far data may be from those of training before scoring refuses them"
    )
    output: OutputSettings = Field(default_factory=OutputSettings, description="where results go")
    tracking: TrackingSettings = Field(default_factory=TrackingSettings, description="where runs are recorded")
    models_folder: str = Field(default="models", min_length=1, description="folder of the exported models")
    engine: Engine = Field(default_factory=EngineSettings, description="where to compute, and how much memory a run may use")

    _root: Path = PrivateAttr(default=Path())
    _origins: Origins = PrivateAttr(default_factory=Origins)

    @property
    def sources(self) -> Sources:
        """What a run reads."""
        return Sources(self.tables, self.root, self.observed_until)

    @property
    def root(self) -> Path:
        """The folder that relative paths start from."""
        return self._root

    @property
    def output_folder(self) -> Path:
        """The folder of results, absolute."""
        return self.path(self.output.folder)

    @property
    def models_path(self) -> Path:
        """The folder of exported models, absolute."""
        return self.path(self.models_folder)

    def path(self, written: str | Path) -> Path:
        """Make a path absolute: relative ones start at the config file's folder; `~` is the user's home."""
        return Path(os.path.normpath((self._root / Path(written).expanduser()).absolute()))

    def to_dict(self) -> dict[str, Any]:
        """Return every setting, defaults included, as plain values that JSON and YAML can hold."""
        values = self.model_dump(mode="json", by_alias=True, exclude={"tables"})
        tables = {name: [_write_source(source) for source in sources] for name, sources in self.tables.items()}
        listed = self._origins.lines
        written = {
            name: sources[0] if len(sources) == 1 and f"tables.{name}.0" not in listed else sources
            for name, sources in tables.items()
        }
        return {key: _shown(written if key == "tables" else values[key]) for key in type(self).model_fields}

    def origins(self) -> dict[str, str]:
        """Say for every single setting where it came from: a line of the file, `--set`, or `default`."""
        return {path: self._origins.written(path) or "default" for path in _leaves(self.to_dict())}

    def chosen(self) -> list[str]:
        """Name every single setting that somebody chose, by its dotted path; tables are left out."""
        given = (path for path in _leaves(self.to_dict()) if not path.startswith("tables."))
        return [path for path in given if self._origins.written(path)]


def _shown(value: Any) -> Any:
    """Write every address among plain values without its secrets."""
    if isinstance(value, dict):
        return {key: _shown(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_shown(inner) for inner in value]
    return shown_address(value) if isinstance(value, str) else value


def _write_source(source: TableSource) -> dict[str, Any]:
    """Write a source as in a config: columns next to the settings, without defaults."""
    values = source.model_dump(mode="json", exclude_defaults=True)
    mapping = values.pop("mapping", {})
    return {**values, **mapping}


def _leaves(values: Mapping[str, Any], prefix: str = "") -> list[str]:
    paths: list[str] = []
    for key, value in values.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            paths += _leaves(value, f"{path}.")
        elif isinstance(value, list) and value and all(isinstance(entry, Mapping) for entry in value):
            paths += [leaf for number, entry in enumerate(value) for leaf in _leaves(entry, f"{path}.{number}.")]
        else:
            paths.append(path)
    return paths
