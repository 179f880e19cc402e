"""Run a command's work: one message for a mistake, an exit code, no empty folder left behind."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from brainage.errors import BrainageError
from brainage.system.console import log, terminal_text
from brainage.system.files import ensure_writable, full_disk_as_output_error, use_mode
from brainage.system.redaction import redacted
from brainage.system.signals import Interruption, interruptible


def say(error: BrainageError) -> None:
    """Print a user's mistake as one message, or as a traceback if ``HYDRA_FULL_ERROR=1``."""
    if os.environ.get("HYDRA_FULL_ERROR") == "1":
        raise error
    print(terminal_text(f"error: {error}"), file=sys.stderr)


def exit_code_of(work: Callable[[], int], if_stopped: str) -> int:
    """Run a command without Hydra and return its exit code; a mistake or a signal becomes one message."""
    try:
        with interruptible(), full_disk_as_output_error():
            return work()
    except Interruption as stop:
        print(f"\n{stop}; {if_stopped}", file=sys.stderr)
        return stop.exit_code
    except BrainageError as error:
        print(terminal_text(f"error: {error}"), file=sys.stderr)
        return error.exit_code
    except Exception:  # a bug here or in a library
        print(redacted(traceback.format_exc()), file=sys.stderr, end="")
        return 1


class OutputFolder(Callback):
    """Creates a command's output folder, or says why it cannot be written, before Hydra does."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check the folder; Hydra would turn what is raised here into a warning."""
        try:
            use_mode(str(config.outputs.mode))
            ensure_writable(Path(config.hydra.run.dir))
        except BrainageError as error:
            print(terminal_text(f"error: {error}"), file=sys.stderr)
            sys.exit(error.exit_code)


def carry_out(work: Callable[[Path], None]) -> None:
    """Run a Hydra command's work in its output folder.

    Raises
    ------
    SystemExit
        It failed; its message was printed, and the folder removed if empty.
    """
    folder = Path(HydraConfig.get().runtime.output_dir)
    try:
        with interruptible(), full_disk_as_output_error(folder):
            work(folder)
        return
    except Interruption as stop:
        print(f"\n{stop}", file=sys.stderr)
        code = stop.exit_code
    except BrainageError as error:
        say(error)
        code = error.exit_code
    except Exception:  # a bug here or in a library
        log.error(redacted(traceback.format_exc()))
        code = 1
    for empty in (folder, folder.parent):  # created by Hydra
        with suppress(OSError):
            empty.rmdir()
    sys.exit(code)
