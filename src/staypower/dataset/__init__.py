"""Features and labels joined, split in time."""
