"""The command line: it parses, calls one pipeline, prints its result and returns an exit code."""

from staypower.cli.commands import app

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line with the arguments of this process."""
    app(prog_name="staypower")
