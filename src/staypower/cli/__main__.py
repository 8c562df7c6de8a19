"""Run the command line as `python -m staypower.cli`."""

from staypower.cli import main

main()
