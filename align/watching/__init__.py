"""What a training run says of itself, step by step."""
