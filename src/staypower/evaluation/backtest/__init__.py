"""Go back in time again and again: learn from what was known, test on what came after, and watch the model grow old."""
