"""The config: strict YAML in, typed settings out, every problem at once."""
