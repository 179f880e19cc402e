"""The log file of a run, which Hydra opens."""

from __future__ import annotations

import logging
from io import TextIOWrapper
from pathlib import Path
from typing import cast

from brainage.system.files import open_file


class LogFile(logging.FileHandler):
    """Append to a file without following a link that somebody has put in its place."""

    def _open(self) -> TextIOWrapper:
        return cast("TextIOWrapper", open_file(Path(self.baseFilename), "a", encoding=self.encoding or "utf-8"))
