"""Show results to people: pictures as files."""
