"""The command line: it parses, calls one job, prints its result and returns an exit code."""
