"""The engine of a cluster: Spark brings the rows of each account together, the code of one machine reads them."""
