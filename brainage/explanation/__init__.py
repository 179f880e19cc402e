"""Explain predictions: effects of components and time windows on single predictions, in years."""
