"""Run the command line as `python -m staypower.cli`."""

from staypower.cli.commands import main

main()
