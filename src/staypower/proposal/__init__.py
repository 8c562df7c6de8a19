"""A first configuration for files that nobody has described: what each file and column is, and on what evidence."""
