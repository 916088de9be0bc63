"""How a candidate is scored."""
