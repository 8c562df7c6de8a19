"""The config: strict YAML in, typed settings out, every fault at once."""
