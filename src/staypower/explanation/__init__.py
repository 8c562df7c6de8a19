"""Why a score is what it is: exact contributions, in words, and what changed since an earlier cutoff."""
