"""Score every account at a cutoff, with reasons."""
