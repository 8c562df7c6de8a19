"""Why a score is what it is: exact contributions, said in words, and what changed since an earlier cutoff."""
