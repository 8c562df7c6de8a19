"""The formats of sources: one module per format, each found by its `FORMAT`."""
