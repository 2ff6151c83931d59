"""What leads and engineers look at."""
