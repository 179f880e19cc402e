"""How good predictions are, and what they mean."""
