"""What is known of a training run before its first step."""
