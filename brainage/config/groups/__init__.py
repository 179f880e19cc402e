"""Schemas of the config groups."""
