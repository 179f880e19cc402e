"""Figures and self-contained HTML pages."""

import logging

# Before its import, which logs that it has built its font cache.
logging.getLogger("matplotlib").setLevel(logging.WARNING)
