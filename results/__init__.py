"""What was found: candidates, fronts, and the run folder that holds them."""
