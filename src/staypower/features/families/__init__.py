"""The features, one module per family: tables of rows that say what is calculated and what it means."""
