"""Whether a model in use still fits: drift of what it sees, performance before outcomes are known, and what came true."""
