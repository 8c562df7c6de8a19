"""The rows that features read, made from the canonical tables."""
