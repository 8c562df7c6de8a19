"""Keep what scoring needs in memory, and score an account whenever it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from staypower.config.settings import Settings
from staypower.cutoffs import text_of
from staypower.errors import UsageError
from staypower.models.bundle import read_bundle
from staypower.models.champion import BundlePlace, find_bundle
from staypower.pipelines.arguments import (
    AccountIds,
    Moment,
    SettingsLike,
    TablesLike,
    accounts_from,
    instant_from,
    model_from,
    progress_from,
    read_tables,
    require_accounts,
    require_flags,
    settings_from,
    with_prior,
)
from staypower.pipelines.gating import pass_tables
from staypower.pipelines.preparing import prepare_scorer
from staypower.progress import Progress
from staypower.scoring.account_scorer import AccountScorer

if TYPE_CHECKING:
    import pandas as pd

    from staypower.scoring.scorer import Scorer

__all__ = ["OpenScorer", "open_scorer"]


@dataclass(frozen=True)
class _Opened:
    """A sealed model and tables, ready to be asked."""

    place: BundlePlace
    accounts: AccountScorer


class OpenScorer:
    """Scores accounts of tables that are in memory, a few at a time; what `open_scorer` returns.

    It may be asked from several threads at once. What was read when it was opened stays until `refresh`.

    Examples
    --------
    >>> from staypower import open_scorer
    >>> scorer = open_scorer("demo/staypower.yaml")
    >>> scorer.cutoff, scorer.model_version
    ('2025-07-01', '1')
    """

    def __init__(
        self, settings: Settings, tables: TablesLike, model: str | None, *, accept_data: bool, progress: Progress
    ) -> None:
        self._settings, self._tables, self._model = settings, tables, model
        self._accept_data, self._progress = accept_data, progress
        self._opening = Lock()
        self._opened = self._open()

    @property
    def account_ids(self) -> list[str]:
        """Every account that can be asked for, sorted."""
        return list(self._opened.accounts.accounts)

    @property
    def model_version(self) -> str:
        """The version of the model that scores."""
        return self._opened.place.version

    @property
    def cutoff(self) -> str:
        """The instant of knowledge of `score` without `at`: the midnight UTC after everything that was observed."""
        return text_of(self._opened.accounts.at(None).cutoff)

    def score(self, account_ids: AccountIds, at: Moment = None, reasons: bool = True) -> pd.DataFrame:
        """Score accounts by what was known of them.

        Parameters
        ----------
        account_ids : str or list of str
            One account or several; each is scored once.
        at : str, date or datetime, optional
            Instant of knowledge; by default the midnight UTC after everything that was observed. The first question at another
            instant takes longer: who is a customer then is found for all accounts. The last 8 instants are kept.
        reasons : bool, default True
            Whether to return the reasons and the totals by lever. Without them a score takes about two thirds of the time.

        Returns
        -------
        pandas.DataFrame
            One row for each account, sorted by `account_id`: the columns that `staypower.score` returns for the same accounts,
            with the same bits but for `scored_at`, which is the time of this question. Without reasons the columns
            `reason_1`, `lever_1`, `contribution_1`, ... and `total_onboarding`, ... are left out.

        Raises
        ------
        UsageError
            When an account is unknown, none is given, or the instant lies outside the data.

        Examples
        --------
        >>> scorer = open_scorer("demo/staypower.yaml")
        >>> row = scorer.score(scorer.account_ids[0], reasons=False).iloc[0]
        >>> "churn_probability" in row, "reason_1" in row
        (True, False)
        """
        require_flags(reasons=reasons)
        asked, opened = accounts_from(account_ids), self._opened
        if not asked:
            raise UsageError.of("no account is asked for", repr(account_ids), "give the id of one account, or a list of ids")
        if not opened.accounts.knows(asked):
            require_accounts(asked, opened.accounts.accounts)
        return opened.accounts.score(asked, instant_from("at", at), reasons=reasons)

    def refresh(self, tables: TablesLike = None) -> None:
        """Read the tables again, and the champion where no model was named; who asks meanwhile is answered from before.

        Parameters
        ----------
        tables : Tables, or mapping of str to table, optional
            The tables of now; by default the sources of the settings are read again.

        Raises
        ------
        UsageError
            When the tables or the model cannot be used, or when the data break a limit of the section `gate`: then everything
            stays as it was. When the scorer was opened with tables in memory and none are given now.

        Examples
        --------
        >>> scorer = open_scorer("demo/staypower.yaml")
        >>> scorer.refresh()
        >>> scorer.model_version
        '1'
        """
        with self._opening:
            if tables is None and self._tables is not None:
                fix = "give the tables of now, or open the scorer without tables so that the sources are read"
                raise UsageError.of("the scorer was opened with tables in memory", "refresh()", fix)
            before, self._tables = self._tables, tables
            try:
                self._opened = self._open()
            except BaseException:
                self._tables = before
                raise

    def _open(self) -> _Opened:
        settings, progress = self._settings, self._progress
        place = find_bundle(settings.models_path, settings.name, self._model)
        bundle = read_bundle(place.folder, digest=place.digest)
        tables = read_tables(settings, self._tables, progress=progress)
        # one account is scored faster by one thread
        alone = settings.model_copy(update={"engine": settings.engine.model_copy(update={"threads": 1})})

        def prepare(cutoff: int | None) -> Scorer:
            scorer = prepare_scorer(alone, bundle, place, tables, cutoff=cutoff)
            return scorer.at_estimated_prior(tables, Path(), 1)

        found = AccountScorer(prepare, tables)
        with progress.step("preparing all accounts"):
            cutoff = found.at(None).cutoff
        pass_tables(settings, bundle, tables, cutoff=cutoff, accept=self._accept_data, progress=progress)
        return _Opened(place, found)


def open_scorer(
    settings: SettingsLike,
    tables: TablesLike = None,
    *,
    model: str | int | Path | None = None,
    prior: str | float | None = None,
    accept_data: bool = False,
    progress: Progress | None = None,
) -> OpenScorer:
    """Keep a model and tables in memory, to score an account within milliseconds whenever it is asked for.

    The bundle is checked once. All tables are read into memory, and what features are made of is numbered by account, so that a
    question looks at the rows of its accounts alone. The tables are first compared with those of training, as `score` does.

    Parameters
    ----------
    settings : Settings, str, Path or mapping
        From `load_config`, or what it takes. `engine` is not read: everything is in this process.
    tables : Tables, or mapping of str to table, optional
        From `read_tables`, or pandas, polars or Arrow tables by the names that `source` gives; by default the sources are read.
    model : str, int or Path, optional
        A version or the folder of a bundle; the champion by default.
    prior : float or "estimate", optional
        Base rate above 0 and below 1 that probabilities are rescaled to; by default `scoring.prior` of the settings. An
        estimated one is estimated from all accounts, once for each instant.
    accept_data : bool, default False
        Whether to open it although the data break a limit of the section `gate`.
    progress : Progress, optional
        Announces the steps; quiet by default.

    Returns
    -------
    OpenScorer
        Its `score` returns the rows of some accounts, its `refresh` takes new data.

    Raises
    ------
    UsageError
        When the tables or the model cannot be used; every problem at once. A `RefusedData`, which names every breach, when the
        data are not like those of training and `accept_data` is not set.

    Examples
    --------
    >>> from staypower import open_scorer
    >>> scorer = open_scorer("demo/staypower.yaml")
    >>> rows = scorer.score(scorer.account_ids[:2])
    >>> rows["account_id"].tolist() == scorer.account_ids[:2]
    True
    """
    require_flags(accept_data=accept_data)
    return OpenScorer(
        with_prior(settings_from(settings), prior),
        tables,
        model_from(model),
        accept_data=accept_data,
        progress=progress_from(progress),
    )
