"""brainage in Python, for notebooks; everything here is also ``brainage.NAME``."""
