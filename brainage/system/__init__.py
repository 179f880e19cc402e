"""Console, signals, sessions, redaction, files, provenance."""
