"""Models that are fitted at once, without epochs; one a file, named as its config."""
