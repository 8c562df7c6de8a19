"""Bring all rows of an account together and run a function over buckets of accounts; engines know no features."""
