"""The gate between data and model: whether the tables that are scored are like those that the model was trained on."""
