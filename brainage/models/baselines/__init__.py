"""Baselines: models that are fitted in closed form, without epochs; one a file, named as its config."""
