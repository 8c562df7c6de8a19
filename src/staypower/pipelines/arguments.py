"""What every job is called with, read in one place: from Python as strictly as from YAML and the command line."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import pandas as pd

from staypower.config.loading import load_config
from staypower.config.settings import Settings
from staypower.cutoffs import instant_of
from staypower.engines.abilities import ONE_MACHINE
from staypower.engines.opening import Opened, fitting, load_tables, refuse_errors
from staypower.errors import Problem, UsageError
from staypower.evaluation.settings import HealthScore
from staypower.models.frames import as_frame
from staypower.outputs.files import read_table
from staypower.progress import Progress
from staypower.results.result import printable
from staypower.scoring.scores import PreviousScores
from staypower.scoring.settings import ScoringSettings
from staypower.tables import BucketedTables, Tables

if TYPE_CHECKING:
    from staypower.sources.findings import Finding

__all__ = [
    "AccountIds",
    "Moment",
    "Previous",
    "SettingsLike",
    "TablesLike",
    "accounts_from",
    "frames_from",
    "holding",
    "instant_from",
    "model_from",
    "nearest_accounts",
    "opened",
    "output_from",
    "place_from",
    "previous_from",
    "prior_from",
    "progress_from",
    "read_tables",
    "refuse_on_spark",
    "require_accounts",
    "require_flags",
    "require_number",
    "require_text",
    "settings_from",
    "tables_from",
    "with_health_score",
    "with_prior",
]

SettingsLike = Settings | str | Path | Mapping[str, Any]
TablesLike = Tables | Mapping[str, object] | None
Moment = str | date | None  # a datetime is a date
AccountIds = str | Sequence[str] | None

_MANY = 20_000
_NEAR = 0.6
_PREVIOUS = ("account_id", "cutoff", "churn_probability", "tier", "quadrant", "mrr")


def _refuse(name: str, value: object, fix: str) -> UsageError:
    shown = repr(value) if isinstance(value, (str, int, float, bool, Path, date)) else f"a {type(value).__name__}"
    return UsageError.of(f"`{name}` cannot be used", shown, fix)


def settings_from(settings: SettingsLike) -> Settings:
    """Return typed settings, read from a file or a mapping when they are not yet."""
    if isinstance(settings, Settings):
        return settings
    if isinstance(settings, (str, Path, Mapping)):
        return load_config(settings)
    raise _refuse("settings", settings, "give what `load_config` returns, the path of a config file, or a mapping")


def progress_from(progress: Progress | None) -> Progress:
    """Return what announces the steps; nothing is announced by default."""
    if progress is None:
        return Progress(quiet=True)
    if isinstance(progress, Progress):
        return progress
    raise _refuse("progress", progress, "give a `staypower.progress.Progress`, or leave it out")


def frames_from(tables: TablesLike) -> Mapping[str, object] | None:
    """Return the frames of a mapping; None when none are given."""
    if tables is None or isinstance(tables, Tables):
        return None
    fix = "give what `read_tables` returns, or a mapping of the names in `source` to pandas, polars or Arrow tables"
    if not isinstance(tables, Mapping):
        raise _refuse("tables", tables, fix)
    return {str(name): frame for name, frame in tables.items()}


def tables_from(settings: Settings, tables: TablesLike, progress: Progress) -> Tables | None:
    """Return tables that are in memory, read from frames when they are not yet; None when the job is to read them."""
    frames = frames_from(tables)
    if frames is None:
        return tables if isinstance(tables, Tables) else None
    return _usable(*load_tables(settings.sources, progress=progress, objects=frames))


def _usable(tables: Tables, findings: tuple[Finding, ...]) -> Tables:
    """Return tables without errors."""
    refuse_errors(findings)
    return tables


def refuse_on_spark(settings: Settings, command: str, tables: Tables | None = None) -> None:
    """Refuse a command that works on one machine only, where the settings name a cluster and no tables are in memory."""
    if settings.engine.kind == "spark" and tables is None:
        fix = f"`staypower {command} --set engine=embedded` reads the sources here, on all accounts or a sample of them"
        problem = f"`{command}` does not run on the Spark engine: {ONE_MACHINE[command]}"
        raise UsageError.of(problem, "engine.kind: spark", fix)


@contextmanager
def opened(settings: Settings, given: Tables | None, *, name: str, progress: Progress) -> Iterator[Opened]:
    """Hold tables within `engine.memory`: those given, or the sources, in buckets on disk where they are too large."""
    refuse_on_spark(settings, name, given)
    if given is not None:
        yield Opened(given, ())
        return
    cache = settings.output_folder / "cache"
    with fitting(settings.sources, settings.engine, cache=cache, name=name, progress=progress) as found:
        refuse_errors(found.findings)
        yield found


def read_tables(settings: SettingsLike, tables: TablesLike = None, *, progress: Progress | None = None) -> Tables:
    """Read every table of a config.

    Parameters
    ----------
    settings : Settings, str, Path or mapping
        From `load_config`, or what it takes.
    tables : mapping of str to pandas.DataFrame, polars.DataFrame or pyarrow.Table, optional
        Tables in memory, by the names that `source` gives.
    progress : Progress, optional
        Announces the steps; quiet by default.

    Returns
    -------
    Tables
        To be given to several jobs, so that they are read once.

    Raises
    ------
    UsageError
        When a table cannot be used; every problem at once.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"customer": ["7", "8"], "day": ["2025-01-01", "2025-01-03"]})
    >>> usage = {"source": "rows", "account_id": "customer", "at": "day"}
    >>> label = {"kind": "non_contractual", "table": "usage"}
    >>> read_tables({"name": "acme", "tables": {"usage": usage}, "label": label}, {"rows": rows}).account_ids
    ['7', '8']
    """
    settings, progress = settings_from(settings), progress_from(progress)
    if isinstance(tables, Tables):
        return tables
    return _usable(*load_tables(settings.sources, progress=progress, objects=frames_from(tables)))


def instant_from(name: str, moment: Moment, *, end: bool = False) -> int | None:
    """Return the instant of a date or time; a date counts from its beginning, or to its end."""
    if moment is None:
        return None
    if isinstance(moment, (str, date)):
        return instant_of(moment, end=end)
    raise _refuse(name, moment, "write it as 2025-07-01 or 2025-07-01T12:00")


def accounts_from(accounts: AccountIds) -> tuple[str, ...]:
    """Return account ids, each once; a text is one account.

    >>> accounts_from("A71"), accounts_from(["A71", "A72", "A71"])
    (('A71',), ('A71', 'A72'))
    """
    if accounts is None:
        return ()
    if isinstance(accounts, str):
        return (accounts,)
    given = accounts.tolist() if hasattr(accounts, "tolist") else accounts
    if not isinstance(given, (list, tuple, set, frozenset)) or not all(isinstance(account, str) for account in given):
        raise _refuse("accounts", accounts, "give one id as text, or a list of them")
    return tuple(dict.fromkeys(given))


def model_from(model: str | int | Path | None) -> str | None:
    """Return a version or the folder of a bundle as text.

    >>> model_from(3)
    '3'
    """
    if model is None or (isinstance(model, (str, int, Path)) and not isinstance(model, bool)):
        return None if model is None else str(model)
    raise _refuse("model", model, "give a version such as `3`, or the folder of a bundle")


def output_from(output: str | Path | None) -> Path | None:
    """Return the path to write to."""
    if output is None or isinstance(output, (str, Path)):
        return None if output is None else Path(output)
    raise _refuse("output", output, "give a path")


def place_from(output: str | Path | None) -> str | Path | None:
    """Return the path or address to write rows to."""
    if output is None or isinstance(output, (str, Path)):
        return output
    raise _refuse("output", output, "give a path, or the address of a database with `#schema.table` at its end")


def require_flags(**flags: object) -> None:
    """Refuse what is neither true nor false."""
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise _refuse(name, value, "give `True` or `False`")


def require_text(name: str, value: object) -> None:
    """Refuse what is not a text."""
    if not isinstance(value, str):
        raise _refuse(name, value, "give a text")


def require_number(name: str, value: object, *, least: float, most: float = math.inf) -> None:
    """Refuse what is not a number within bounds; where the least is a whole number, so must be the value."""
    whole = isinstance(least, int)
    number = not isinstance(value, bool) and isinstance(value, (int, np.integer) if whole else (int, float, np.number))
    if not number or not least <= cast("float", value) <= most:
        bounds = f"of at least {least}" if most == math.inf else f"from {least} to {most}"
        raise _refuse(name, value, f"give a {'whole ' if whole else ''}number {bounds}")


def prior_from(prior: str | float | None) -> float | Literal["estimate"] | None:
    """Return a base rate, or the word that has it estimated.

    >>> prior_from("0.16"), prior_from("estimate")
    (0.16, 'estimate')
    """
    if prior is None or prior == "estimate":
        return None if prior is None else "estimate"
    try:
        rate = math.nan if isinstance(prior, bool) else float(prior)
    except (TypeError, ValueError):
        rate = math.nan
    if not 0 < rate < 1:
        raise UsageError.of(
            "not a base rate", f"--prior {prior}", "give a share above 0 and below 1, such as 0.16, or `estimate`"
        )
    return rate


Previous = str | Path | pd.DataFrame | object | None


def previous_from(previous: Previous) -> PreviousScores | None:
    """Return earlier scores, read from a file when they are not a table."""
    if previous is None:
        return None
    if isinstance(previous, (str, Path)):
        return PreviousScores(read_table(Path(previous), _PREVIOUS), str(previous))
    frame: Any = previous
    if not isinstance(frame, pd.DataFrame):
        # a result of `score`, a polars or an Arrow table, or what exports one
        method = next((one for one in ("frame", "to_pandas") if hasattr(frame, one)), "")
        frame = getattr(frame, method)() if method else as_frame(frame)
    if not isinstance(frame, pd.DataFrame):
        raise _refuse("previous", previous, "give what `score` returned, its table, or the file that it wrote")
    return PreviousScores(frame[[name for name in _PREVIOUS if name in frame]], "previous")


def require_accounts(asked: Sequence[str], known: Sequence[str]) -> None:
    """Refuse accounts that no table has, each with the ids nearest to it."""
    there, problems = set(known), []
    for account in asked:
        if account not in there:
            near = [printable(f"`{one}`") for one in nearest_accounts(account, known)]
            example = f", such as `{printable(known[0])}`" if known else ""
            fix = f"write {' or '.join(near)}" if near else f"write an id as the tables have it{example}"
            problems.append(Problem("unknown account", printable(account), fix))
    if problems:
        raise UsageError(problems)


def holding(tables: BucketedTables, asked: Sequence[str]) -> BucketedTables:
    """Return the buckets of the accounts asked for, which must be known; all buckets when none is asked for."""
    if not asked:
        return tables
    within = tables.of_accounts(asked)
    if not set(asked) <= set(within.account_ids):
        require_accounts(asked, tables.account_ids)
    return within


def nearest_accounts(account: str, known: Sequence[str], count: int = 3) -> list[str]:
    """Return the ids nearest to one that is not known.

    >>> nearest_accounts("a-0001", ["A-0001", "A-0002", "B"], count=1)
    ['A-0001']
    >>> nearest_accounts("A000025", [f"A{number:07d}" for number in range(600)])[0]
    'A0000025'
    """
    candidates: Iterable[str] = known
    if len(known) > _MANY:
        # comparing every id letter by letter would take minutes: those that share an end are the likely slips
        begin, end = account[:3].casefold(), account[-3:].casefold()
        candidates = [one for one in known if one[:3].casefold() == begin or one[-3:].casefold() == end][:_MANY]
    wrong = account.strip().casefold()
    found = []
    for one in candidates:
        folded = one.strip().casefold()
        matcher = difflib.SequenceMatcher(None, folded, wrong)
        if matcher.quick_ratio() >= _NEAR and matcher.ratio() >= _NEAR:
            # of ids that are equally near: a slip of the finger leaves both ends as they were
            ends = _shared(folded, wrong) + _shared(folded[::-1], wrong[::-1])
            found.append((-matcher.ratio(), -ends, one))
    return [one for _, _, one in sorted(found)[:count]]


def _shared(one: str, other: str) -> int:
    """Count the letters that two texts begin with alike."""
    pairs = zip(one, other, strict=False)
    return next((number for number, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def with_prior(settings: Settings, prior: str | float | None) -> Settings:
    """Return settings with another base rate to rescale probabilities to, when one is given."""
    rate = prior_from(prior)
    return settings if rate is None else settings.model_copy(update={"scoring": ScoringSettings(prior=rate)})


def with_health_score(settings: Settings, column: str | None) -> Settings:
    """Return the settings with the health score that is asked for; as they are without one."""
    if column is None:
        return settings
    if not re.fullmatch(r"[^.\s]+\.[^.]+", column):
        raise UsageError.of(
            "not a column of a table", f"health_score: {column}", "write `TABLE.COLUMN`, such as `accounts.health`"
        )
    evaluation = settings.evaluation.model_copy(update={"health_score": HealthScore(column=column)})
    return settings.model_copy(update={"evaluation": evaluation})
