"""Search for settings of the model that predict later months better than the defaults."""
