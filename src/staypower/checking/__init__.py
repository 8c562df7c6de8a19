"""Check whether tables can be used, and say what is wrong, what it means and how to fix it."""
