"""Propose a configuration for files that nobody has described."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from staypower.addresses import is_address, shown_address
from staypower.config.schema import first_line
from staypower.errors import UsageError, nearest
from staypower.pipelines.arguments import progress_from
from staypower.progress import Progress
from staypower.proposal.facts import look_at, sources_at, sources_in, telling
from staypower.proposal.proposing import Proposal, propose_from
from staypower.sources.formats import in_words
from staypower.writing import write_atomically

__all__ = ["propose"]

_SHOWN = 6  # files of a folder without any that can be read


def propose(
    places: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
    *,
    output: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Proposal:
    r"""Look at files, and propose what they are; as `staypower init`.

    Parameters
    ----------
    places : path, or sequence of paths, optional
        Files, folders, databases and the address of a PostgreSQL server; by default the working folder. Every column is
        read once, in bounded memory.
    output : path, optional
        Where to write the configuration; nothing is written by default.
    overwrite : bool, default False
        Whether a file that is there may be replaced.
    progress : Progress, optional
        Announces the steps; quiet by default.

    Returns
    -------
    Proposal
        `.yaml()` is the commented configuration, `.settings()` what `load_config` takes, `.frame()` one row per guess.

    Raises
    ------
    UsageError
        When a place is not there, no file can be read, or no table fits.

    Examples
    --------
    >>> import staypower, tempfile, pathlib
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> rows = ["customer,ordered,total", *(f"c{n % 7},2024-0{1 + n % 9}-1{n % 10},{n}.50" for n in range(60))]
    >>> _ = (folder / "orders.csv").write_text("\n".join(rows))
    >>> proposal = staypower.propose(folder)
    >>> proposal.settings()["tables"]["orders"]["at"], proposal.label["kind"]
    ('ordered', 'non_contractual')
    """
    progress = progress_from(progress)
    every = [os.fspath(place) for place in ([places] if isinstance(places, str | os.PathLike) else places or ["."])]
    addresses, given = [each for each in every if is_address(each)], [Path(each) for each in every if not is_address(each)]
    for place in given:
        if not place.exists():
            near = [entry.name for entry in place.parent.iterdir()] if place.parent.is_dir() else []
            raise UsageError.of("no such file or folder", place, nearest(place.name, near))
    target = Path(output) if output is not None else None
    if target is not None and target.exists() and not overwrite:
        raise UsageError.of("the file is there already", target, "write `--overwrite`, or name another file with `--output`")
    folder = target.parent if target is not None else Path()
    files, unread = [], []
    listed = [*sources_in(given, folder), *(found for address in addresses for found in sources_at(address))]
    for name, source in listed:
        with progress.step(f"looking at {name}"):
            try:
                files.append(look_at(name, source, folder))
            except UsageError as error:
                unread.append(f"{name} cannot be read: {error.problems[0]}")
    if not files:
        seen = "; ".join(unread) or "; ".join([*(_inside(place) for place in given), *map(shown_address, addresses)])
        raise UsageError.of("nothing that can be read", seen, f"give {in_words()} files, or a folder of them")
    home = given[0].resolve() if given else Path().resolve()
    proposal = propose_from(
        files,
        name=home.name if home.is_dir() else home.parent.name,
        telling=lambda file, flag, positive: telling(file, flag, positive, folder),
    )
    proposal = replace(proposal, unread=(*unread, *proposal.unread), path=str(target) if target is not None else "")
    if target is not None:
        write_atomically(target, lambda path: path.write_text(f"{first_line()}\n{proposal.yaml()}", encoding="utf-8"))
    return proposal


def _inside(place: Path) -> str:
    """Say what was looked at in a folder in which no file is of a format that is read."""
    if not place.is_dir():
        return f"{place} has an ending that no format has"
    names = sorted(file.relative_to(place).as_posix() for file in place.rglob("*") if file.is_file())
    if not names:
        return f"{place} is empty"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{place} has no file of a format that is read: {', '.join(names[:_SHOWN])}{more}"
