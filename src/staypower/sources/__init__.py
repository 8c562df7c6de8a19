"""Read any source into canonical tables, and say what was found on the way."""
