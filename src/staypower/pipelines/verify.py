"""Make a version of a model again from the data and the settings, and say whether it is the same."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from staypower import __version__
from staypower.errors import ExitCode
from staypower.models.bundle import Bundle, read_bundle
from staypower.models.differences import Difference, differences_of
from staypower.models.versions import ModelVersions
from staypower.pipelines.arguments import (
    Moment,
    SettingsLike,
    TablesLike,
    instant_from,
    model_from,
    progress_from,
    settings_from,
    tables_from,
)
from staypower.pipelines.fitting import fit_model
from staypower.pipelines.preparing import drawing_to_train
from staypower.progress import Progress
from staypower.results.numbers import plural
from staypower.results.result import Block, Items, Result

__all__ = ["Verification", "verify"]

_SHOWN = 10


@dataclass(frozen=True)
class Verification(Result):
    """Whether a version of a model comes out of the data and the settings again.

    Parameters
    ----------
    name : str
        Of the model.
    version : str
        The version that was made again.
    digest : str
        The seal of the version.
    rebuilt : str
        The digest of what came out now; equal to `digest` when nothing differs.
    differences : tuple of Difference
        Every place where the two differ, with both values.
    causes : tuple of str
        What explains differences: other data, or another version of staypower.
    """

    name: str
    version: str
    digest: str
    rebuilt: str
    differences: tuple[Difference, ...] = ()
    causes: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether every byte is the same."""
        return self.digest == self.rebuilt

    @property
    def exit_code(self) -> ExitCode:
        """1 when something differs."""
        return ExitCode.DONE if self.same else ExitCode.FOUND

    def blocks(self) -> list[Block]:
        """Return the verdict, and what differs."""
        model = f"Version {self.version} of {self.name}"
        if self.same:
            return [f"{model} was made again from the data and the settings: every byte is the same (digest {self.digest})."]
        places = [f"{_place(one)}: {one.sealed} in the version, {one.rebuilt} now" for one in self.differences[:_SHOWN]]
        left = len(self.differences) - len(places)
        more = [f"and {plural(left, 'place')} more"] if left > 0 else []
        said = f"{model} does not come out of the data and the settings again: {plural(len(self.differences), 'place')} differ."
        return [said, *([Items(self.causes)] if self.causes else []), Items([*places, *more])]

    def frame(self) -> pd.DataFrame:
        """Return one row per difference: `file`, `place`, `sealed`, `rebuilt`."""
        return pd.DataFrame([asdict(one) for one in self.differences], columns=["file", "place", "sealed", "rebuilt"])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "same": self.same}


def _place(one: Difference) -> str:
    return f"{one.file} {one.place}".rstrip()


def verify(
    settings: SettingsLike,
    tables: TablesLike = None,
    *,
    version: str | int,
    as_of: Moment = None,
    progress: Progress | None = None,
) -> Verification:
    """Make a version of a model again and compare it byte by byte; nothing is kept. As `staypower models verify`.

    Equal data, settings, seed and versions of the libraries give an equal digest; the date and the run lie outside the seal.

    Parameters
    ----------
    settings : Settings, str, Path or mapping
        From `load_config`, or what it takes: those that the version was trained with.
    tables : Tables, or mapping of str to table, optional
        From `read_tables`, or pandas, polars or Arrow tables by the names that `source` gives; by default the sources are read.
    version : str or int
        The version.
    as_of : str, date or datetime, optional
        What `train` was given.
    progress : Progress, optional
        Announces the steps; quiet by default.

    Returns
    -------
    Verification
        `.same` says whether every byte is the same, `.differences` what is not.

    Raises
    ------
    UsageError
        When there is no such version, its bundle was altered, or the settings or tables cannot be used.

    Examples
    --------
    >>> import staypower
    >>> staypower.verify("demo/staypower.yaml", version=1).same
    True
    """
    settings, progress = settings_from(settings), progress_from(progress)
    versions, until = ModelVersions(settings.models_path, settings.name), instant_from("as_of", as_of, end=True)
    record = versions.record_of(model_from(version) or "")
    sealed = read_bundle(versions.folder / record.version, digest=record.digest)
    given = tables_from(settings, tables, progress)
    with (
        drawing_to_train(settings, progress=progress, as_of=until, tables=given) as drawn,
        tempfile.TemporaryDirectory() as scratch,  # a matrix that was kept is not made again
    ):
        made = fit_model(settings, drawn, cache=Path(scratch), progress=progress).bundle
    found = tuple(differences_of(sealed, made))
    return Verification(settings.name, record.version, record.digest, made.digest, found, _causes(sealed, made))


def _causes(sealed: Bundle, made: Bundle) -> tuple[str, ...]:
    """Say what explains that two models differ."""
    causes = []
    if sealed.metadata.get("data_fingerprint") != made.metadata.get("data_fingerprint"):
        causes.append("The data are not those that the version was trained on.")
    if sealed.metadata.get("staypower") != __version__:
        causes.append(f"The version was trained by staypower {sealed.metadata.get('staypower')}, this is {__version__}.")
    if sealed.metadata.get("label") != made.metadata.get("label"):
        causes.append("The label's settings are not those that the version was trained with.")
    return tuple(causes)
