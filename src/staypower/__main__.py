"""Run the command line as `python -m staypower`."""

from staypower.cli.commands import main

main()
