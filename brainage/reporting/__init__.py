"""Figures and self-contained HTML pages."""

import logging

# Before it is imported: it tells every command's log that it has found its fonts.
logging.getLogger("matplotlib").setLevel(logging.WARNING)
