"""What the settings say of reading, for the jobs: tables to train on, and tables within the memory."""

from __future__ import annotations

from staypower.config.settings import Settings
from staypower.dataset.sampled_tables import open_sample, resolve_sampling
from staypower.dataset.sampling import Sampling
from staypower.progress import Progress
from staypower.tables import Tables

__all__ = ["open_to_train"]


def open_to_train(
    settings: Settings, *, progress: Progress, as_of: int | None = None, tables: Tables | None = None
) -> tuple[Tables, Sampling]:
    """Read the tables of the accounts that a model is trained and tested on, or sample those that are in memory."""
    if tables is not None:
        sampling = resolve_sampling(tables, settings.sampling, settings.label, settings.cutoffs)
        return sampling.of_tables(tables), sampling
    return open_sample(
        settings.sources,
        settings.engine,
        settings.sampling,
        label=settings.label,
        cutoffs=settings.cutoffs,
        cache=settings.output_folder / "cache",
        progress=progress,
        as_of=as_of,
    )
