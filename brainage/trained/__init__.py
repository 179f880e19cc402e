"""Trained networks: read from a run or a bundle, written as a bundle."""
