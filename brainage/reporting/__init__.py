"""Figures and self-contained HTML pages."""

import logging

# Before its import, which logs that it has built its font cache.
logging.getLogger("matplotlib").setLevel(logging.WARNING)

# A table of what each fold of a nested search chose, with a row a job.
CHOSEN = "chosen.csv"
