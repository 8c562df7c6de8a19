"""Make a command from a job, and turn its result or its error into output and an exit code.

0: done. 1: it ran and found against you. 2: your input is unusable (problem, value, fix; no traceback). 3: a bug in staypower.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import inspect
import json
import math
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import typer

from staypower.addresses import shown_in
from staypower.errors import ExitCode, UsageError, place_error
from staypower.progress import Progress

INTERRUPTED = 130

Config = Annotated[Path, typer.Option("--config", "-c", metavar="FILE", help="The config file.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one setting, e.g. label.horizon=60. May be repeated."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON; everything else goes to standard error.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
LogFormat = Annotated[
    Literal["text", "json"],
    typer.Option("--log-format", help="How progress and errors are written to standard error: text, or JSON lines."),
]


def _common(*, config: bool) -> list[Parameter]:
    """Return the options that every command takes; without a config only those of the output."""
    settings = [_option("config", Path("staypower.yaml"), Config), _option("overrides", None, Overrides)]
    output = [_option("as_json", False, AsJson), _option("quiet", False, Quiet), _option("log_format", "text", LogFormat)]
    return [*(settings if config else ()), *output]


def _option(name: str, default: object, annotation: object) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def command(
    app: typer.Typer, *, examples: Sequence[str], name: str | None = None, job: str = "", config: bool = True
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a declaration of options a command that takes the common ones, too, and calls a job with the rest.

    `examples` are shown below the options. `job` is `module.function` within `staypower`; by default `pipelines.NAME.NAME` with
    the name of the declaration.
    """

    def declare(declared: Callable[..., None]) -> Callable[..., None]:
        module, _, function = (job or f"pipelines.{declared.__name__}.{declared.__name__}").rpartition(".")
        # typer reads the signature: the options of the command come before the common ones
        hints = get_type_hints(declared, include_extras=True)
        own = [one.replace(annotation=hints[one.name]) for one in inspect.signature(declared).parameters.values()]

        def run(*, as_json: bool, quiet: bool, log_format: str, **options: Any) -> None:
            progress = Progress(quiet=quiet, as_json=log_format == "json")

            def call() -> Any:
                # a problem of the config is found before anything heavy is imported
                with _without_collecting():
                    settings = [_settings(options.pop("config"), options.pop("overrides"))] if config else []
                    called = getattr(importlib.import_module(f"staypower.{module}"), function)
                return called(*settings, progress=progress, **options)

            _run(call, progress, as_json=as_json)

        run.__name__, run.__doc__ = declared.__name__, declared.__doc__
        parameters = [*own, *_common(config=config)]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        # `\b` keeps the lines as they are
        app.command(name, epilog="\b\n" + "\n".join(["Examples:", *(f"  {each}" for each in examples)]))(run)
        return run

    return declare


@contextlib.contextmanager
def _without_collecting() -> Iterator[None]:
    """Import without looking for garbage: modules stay, and each look goes through all of them."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def _settings(config: Path, overrides: list[str] | None) -> Any:
    from staypower.config.loading import load_config

    return load_config(config, overrides or ())


def _run(call: Callable[[], Any], progress: Progress, *, as_json: bool) -> None:
    """Make a call, print its result on standard output and exit; nothing else gets there."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            result = call()
            shown = _json(result.to_dict()) if as_json else result.text()
            code = int(getattr(result, "exit_code", ExitCode.DONE))
        _print(shown)
    except UsageError as error:
        code = _refuse(error, progress, as_json=as_json)
    except KeyboardInterrupt:
        code = _stop()
    except OSError as error:
        code = _refuse(place_error(error), progress, as_json=as_json)
    except MemoryError:
        fix = "give the process more, or set a lower `engine.memory`: larger tables are then read in buckets"
        code = _refuse(UsageError.of("not enough memory", "this process", fix), progress, as_json=as_json)
    except ModuleNotFoundError as error:
        package = (error.name or "staypower").partition(".")[0]
        # an installation for scoring alone has less than training needs; a module of our own is never missing
        code = _admit() if package == "staypower" else _refuse(_lacks(package), progress, as_json=as_json)
    except Exception as error:
        # what DuckDB raises instead when the interrupt comes during a query
        code = _stop() if str(error) == "Query interrupted" else _admit()
    raise typer.Exit(code)


def _print(text: str) -> None:
    """Write to standard output; a character that its encoding lacks is written as its escape."""
    out = sys.stdout
    if out is None:
        raise UsageError.of("there is nowhere to write to", "standard output is closed", "leave it open, or send it to a file")
    try:
        encoding = getattr(out, "encoding", None) or "utf-8"
        out.write(text.rstrip("\n").encode(encoding, "backslashreplace").decode(encoding) + "\n")
        out.flush()
    except OSError as error:
        # keep the interpreter from complaining when it flushes at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        if not isinstance(error, BrokenPipeError):  # that is a reader, such as `| head`, that has read enough
            raise place_error(error, "standard output") from error


def _json(value: object) -> str:
    """Write as JSON; with escapes of its own where standard output cannot show every letter."""
    whole = (getattr(sys.__stdout__, "encoding", None) or "utf-8").lower().startswith("utf")
    return json.dumps(_plain(value), ensure_ascii=not whole, indent=2)


def _refuse(error: UsageError, progress: Progress, *, as_json: bool) -> int:
    for problem in error.problems:
        progress.refuse(vars(problem), f"error: {problem}")
    if as_json:
        with contextlib.suppress(UsageError):  # standard output itself may be the problem
            _print(_json({"problems": [vars(problem) for problem in error.problems]}))
    return int(error.exit_code)


def _stop() -> int:
    typer.echo("stopped", err=True)
    return INTERRUPTED


def _lacks(package: str) -> UsageError:
    fix = "pip install staypower: it brings all that every command needs; an installation for scoring alone has less"
    return UsageError.of("this installation lacks a package that the command needs", package, fix)


def _admit() -> int:
    typer.echo(shown_in(traceback.format_exc()), err=True)
    typer.echo("This is a bug in staypower, not a problem with your data: please report the lines above.", err=True)
    return int(ExitCode.OURS)


def _plain(value: object) -> object:
    """Turn the values of a result into those of JSON: a number that is not finite becomes null."""
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
