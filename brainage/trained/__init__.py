"""Trained networks: read from runs and bundles, exported as bundles, and applied to participants."""
