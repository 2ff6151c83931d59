"""Learning from preferences: TRL's trainers, and what a round adds to them."""
