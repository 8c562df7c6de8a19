"""Call a pipeline and turn what comes back, or what goes wrong, into output and an exit code.

0: done. 1: it ran and found against you. 2: your input is unusable (problem, value, fix; no traceback). 3: a bug in staypower.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import json
import math
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import typer

from staypower.errors import ExitCode, Problem, UsageError
from staypower.progress import Progress

__all__ = ["Common", "run_guarded", "run_pipeline"]

INTERRUPTED = 130
_ABOUT_THE_PLACE: Mapping[int, str] = {
    errno.ENOSPC: "free some space, or set another folder with `--set output.folder=...`",
    errno.EDQUOT: "free some space, or set another folder with `--set output.folder=...`",
    errno.EACCES: "allow yourself to read and write there, or name another place",
    errno.EROFS: "name a folder that can be written to",
    errno.EEXIST: "a file stands where a folder is needed: move it, or name another folder",
    errno.ENOTDIR: "a file stands where a folder is needed: move it, or name another folder",
}


@dataclass(frozen=True)
class Common:
    """The options that every command takes."""

    config: Path
    overrides: tuple[str, ...]  # `key=value` texts
    as_json: bool  # print the result as JSON
    quiet: bool  # say nothing about progress


def run_pipeline(common: Common, module: str, function: str, **arguments: object) -> None:
    """Load the config, call one function of `staypower.pipelines` with it, print its result and exit."""

    def call() -> Any:
        from staypower.config.loading import load_config

        settings = load_config(common.config, common.overrides)
        pipeline = importlib.import_module(f"staypower.pipelines.{module}")
        return getattr(pipeline, function)(settings, progress=Progress(quiet=common.quiet), **arguments)

    run_guarded(call, as_json=common.as_json)


def run_guarded(call: Callable[[], Any], *, as_json: bool) -> None:
    """Make a call, print its result on standard output and exit; nothing else gets there."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            result = call()
            shown = json.dumps(_plain(result.to_dict()), ensure_ascii=False, indent=2) if as_json else result.text()
            code = int(getattr(result, "exit_code", ExitCode.DONE))
    except UsageError as error:
        code = _refuse(error, as_json=as_json)
    except KeyboardInterrupt:
        typer.echo("stopped", err=True)
        code = INTERRUPTED
    except OSError as error:
        code = _refuse_place(error, as_json=as_json)
    except Exception:
        code = _admit()
    else:
        _print(shown)
    raise typer.Exit(code)


def _print(text: str) -> None:
    try:
        sys.stdout.write(text.rstrip("\n") + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # the reader (`| head`) has seen enough; keep the interpreter from complaining when it flushes at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _refuse(error: UsageError, *, as_json: bool) -> int:
    for problem in error.problems:
        typer.echo(f"error: {problem}", err=True)
    if as_json:
        _print(json.dumps({"problems": [vars(problem) for problem in error.problems]}, ensure_ascii=False, indent=2))
    return int(ExitCode.UNUSABLE)


def _refuse_place(error: OSError, *, as_json: bool) -> int:
    """Tell a full disk or a missing right, which the user can fix, from a mistake of ours."""
    fix = _ABOUT_THE_PLACE.get(error.errno or 0)
    if fix is None or error.filename is None:
        return _admit()
    problem = Problem((error.strerror or "cannot be used").lower(), str(error.filename), fix)
    return _refuse(UsageError([problem]), as_json=as_json)


def _admit() -> int:
    typer.echo(traceback.format_exc(), err=True)
    typer.echo("This is a bug in staypower, not a problem with your data: please report the lines above.", err=True)
    return int(ExitCode.OURS)


def _plain(value: object) -> object:
    """Turn what results hold into what JSON can say: a number that is not finite becomes null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, date):
        return value.isoformat()
    # numpy's scalars and arrays, without importing numpy to ask
    listed = getattr(value, "tolist", None)
    return _plain(listed()) if callable(listed) else str(value)
