"""What draws answers from a model, one file an engine."""
