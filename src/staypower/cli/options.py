"""The options that commands share, each written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["ConfigOption", "JsonOption", "ModelOption", "OutputOption", "QuietOption", "SetOption"]

ConfigOption = Annotated[Path, typer.Option("--config", "-c", metavar="FILE", help="The config file.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one setting, e.g. label.horizon=60. May be repeated."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON; everything else goes to standard error.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing about progress.")]
ModelOption = Annotated[
    str | None, typer.Option("--model", metavar="VERSION", help="A model version or bundle folder; by default the champion.")
]
OutputOption = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the rows here.")]
