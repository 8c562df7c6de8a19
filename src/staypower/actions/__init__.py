"""The action list: whom to act on, how, and what it was worth before."""
