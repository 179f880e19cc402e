"""The old place of ``brainage bundle``."""
