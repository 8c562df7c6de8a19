"""The jobs: each module reads top-down as load, check, build, fit, evaluate, log. Import the one you need."""
