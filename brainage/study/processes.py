"""The study's steps as processes: run to their end, and stopped when the study is."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from brainage.errors import StudyStepError
from brainage.system.console import log
from brainage.system.files import open_file, write_text
from brainage.system.signals import uninterrupted

# Seconds that a command has to end after SIGTERM.
_PATIENCE = 60.0


def run_command(words: Sequence[str], log_file: Path, note: Path) -> int:
    """Run ``brainage WORDS`` to its end and return its exit code; stop it when this process is stopped.

    `log_file` gets what the command prints. `note` identifies the running process for `stop_leftover`.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with open_file(log_file, "a", encoding="utf-8") as output:
        output.write(f"$ {shlex.join(['brainage', *words])}\n")
        output.flush()
        process = None
        try:
            with uninterrupted():  # a process must not run without its note
                process = subprocess.Popen(
                    [sys.executable, "-m", "brainage", *words],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,  # Ctrl-C would reach it twice: from the terminal and from here
                )
                _write_note(note, process.pid)
            code = process.wait()
        except BaseException:
            if process is not None:
                process.terminate()
                process.wait()
            raise
    note.unlink(missing_ok=True)
    return code


def step_error(label: str, words: Sequence[str], code: int, log_file: Path) -> StudyStepError:
    """Return the error of a step whose command failed, with the end of what it printed."""
    last = log_file.read_text(encoding="utf-8", errors="replace").rpartition("$ brainage ")[2]
    # Hydra's errors end with a line that explains HYDRA_FULL_ERROR.
    printed = [line.strip() for line in last.splitlines()[1:] if line.strip() and "HYDRA_FULL_ERROR" not in line]
    how = f"ended with {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"
    return StudyStepError(
        f"step {label}: brainage {words[0]} {how}, and the steps after it were not run. The last lines in `{log_file}` "
        f"are: {' '.join(printed[-3:]) or 'none.'} Correct what they name, and run the same command again: finished "
        "steps are kept."
    )


def _write_note(path: Path, pid: int) -> None:
    with suppress(psutil.Error):  # it has ended already
        text = json.dumps({"pid": pid, "begun": psutil.Process(pid).create_time()}) + "\n"
        write_text(path, text)


def stop_leftover(note: Path) -> None:
    """Stop a command that a killed study left running: it would write into the folder that is continued now."""
    try:
        saved = json.loads(note.read_text())
        process = psutil.Process(int(saved["pid"]))
        same = abs(process.create_time() - float(saved["begun"])) < 1  # another process may have its number by now
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        same = False
    if same:
        log.info("A command of an earlier process is still running in this study; it is stopped, and continued here.")
        process.terminate()
        try:
            process.wait(_PATIENCE)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait()
    note.unlink(missing_ok=True)
