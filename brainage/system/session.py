"""What every command but ``train.py`` does around its work: one message for a mistake, and nothing half-written."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from hydra.core.hydra_config import HydraConfig

from brainage.errors import BrainageError
from brainage.system.console import log
from brainage.system.redaction import redacted
from brainage.system.signals import Interruption, interruptible


def say(error: BrainageError) -> None:
    """Print a user's mistake as one message, or as a traceback where Hydra is asked for those."""
    if os.environ.get("HYDRA_FULL_ERROR") == "1":
        raise error
    print(f"error: {error}", file=sys.stderr)


def exit_code_of(work: Callable[[], int], if_stopped: str) -> int:
    """Do the work of a command without Hydra, and return its exit code; a mistake or a signal becomes one message.

    Parameters
    ----------
    work : callable
        Returns the exit code.
    if_stopped : str
        What a signal leaves, and how to go on.
    """
    try:
        with interruptible():
            return work()
    except Interruption as stop:
        print(f"\n{stop}; {if_stopped}", file=sys.stderr)
        return stop.exit_code
    except BrainageError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def carry_out(work: Callable[[Path], None]) -> None:
    """Do a command's work in its folder.

    Parameters
    ----------
    work : callable
        Takes the folder.

    Raises
    ------
    SystemExit
        It did not end well; its message was printed.
    """
    folder = Path(HydraConfig.get().runtime.output_dir)
    try:
        with interruptible():
            work(folder)
        return
    except Interruption as stop:
        print(f"\n{stop}", file=sys.stderr)
        code = stop.exit_code
    except BrainageError as error:
        say(error)
        code = error.exit_code
    except Exception:  # a mistake of this project, or of what it stands on
        log.error(redacted(traceback.format_exc()))
        code = 1
    for empty in (folder, folder.parent):  # Hydra has made them
        with suppress(OSError):
            empty.rmdir()
    sys.exit(code)
