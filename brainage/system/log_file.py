"""The log file of a run, which Hydra opens."""

from __future__ import annotations

import logging
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import cast

from brainage.system.files import open_file


class LogFile(logging.FileHandler):
    """Append to a file without following a link that somebody has put in its place."""

    _failed = False

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; warnings are marked, as on the screen."""
        text = super().format(record)
        return f"warning: {text}" if record.levelno == logging.WARNING else text

    def _open(self) -> TextIOWrapper:
        return cast("TextIOWrapper", open_file(Path(self.baseFilename), "a", encoding=self.encoding or "utf-8"))

    def handleError(self, record: logging.LogRecord) -> None:
        """Say once that lines cannot be written; `logging` would print a traceback for each."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self._failed:
            self._failed = True
            reason = error.strerror or type(error).__name__
            print(
                f"warning: `{self.baseFilename}` cannot be written: {reason}. Lines are missing there.", file=sys.stderr
            )
