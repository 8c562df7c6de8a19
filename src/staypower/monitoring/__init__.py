"""Whether what a model sees now is still what it learned from."""
