"""Whether what a model sees now is still what it learnt from."""
