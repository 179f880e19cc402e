"""The project's own commands as processes: each to its end, and none left behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from brainage.errors import StudyStepError
from brainage.system.console import log
from brainage.system.files import ROOT, write_whole
from brainage.system.signals import uninterrupted

# A command that was asked to stop is given this long, in seconds.
_PATIENCE = 60.0

# Of a command that failed, as many lines are shown.
_N_LINES = 3


@dataclass(frozen=True)
class Commands:
    """The commands of one step.

    Parameters
    ----------
    label : str
        The step's.
    output : Path
        Where what they print is added.
    note : Path
        Where the one under way is noted, for a process that comes after this one was killed.
    """

    label: str
    output: Path
    note: Path

    def run(self, words: Sequence[str], *, accept: Sequence[int] = (0,)) -> int:
        """Run a command to its end; stop it when this process is stopped.

        Parameters
        ----------
        words : sequence of str
            A script of the project, and its arguments.
        accept : sequence of int, default=(0,)
            Exit codes that are no failure.

        Returns
        -------
        int
            Its exit code.

        Raises
        ------
        StudyStepError
            It failed.
        """
        self.output.parent.mkdir(parents=True, exist_ok=True)
        with self.output.open("a", encoding="utf-8") as output:
            output.write(f"$ python {' '.join(words)}\n")
            output.flush()
            process = None
            try:
                with uninterrupted():  # or it might run without being noted
                    # In a session of its own: Ctrl-C would reach it twice, from the terminal and from here.
                    process = subprocess.Popen(
                        [sys.executable, str(ROOT / words[0]), *words[1:]],
                        stdin=subprocess.DEVNULL,
                        stdout=output,
                        stderr=output,
                        start_new_session=True,
                    )
                    _note(self.note, process.pid)
                code = process.wait()
            except BaseException:
                if process is not None:
                    process.terminate()
                    process.wait()
                raise
        self.note.unlink(missing_ok=True)
        if code not in accept:
            self.fail(words, code)
        return code

    def fail(self, words: Sequence[str], code: int) -> None:
        """Say that a command failed.

        Raises
        ------
        StudyStepError
            Always.
        """
        how = f"ended with {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"
        raise StudyStepError(
            f"step {self.label}: {words[0]} {how}, and the steps after it were not run. Of its words in "
            f"`{self.output}`, the last are: {_last_words(self.output)} Mend what they name, and run the same again: "
            "what is finished is kept."
        )


def _last_words(output: Path) -> str:
    lines = [line.strip() for line in output.read_text(encoding="utf-8", errors="replace").splitlines()]
    begun = max(number for number, line in enumerate(lines) if line.startswith("$ python "))
    # Hydra's errors have several lines, and end with one that tells how to see more.
    said = [line for line in lines[begun + 1 :] if line and "HYDRA_FULL_ERROR" not in line]
    return " ".join(said[-_N_LINES:]) or "none."


def _note(path: Path, pid: int) -> None:
    try:
        begun = psutil.Process(pid).create_time()
    except psutil.Error:  # it has ended already
        return
    text = json.dumps({"pid": pid, "begun": begun}) + "\n"
    write_whole(path, lambda partial: partial.write_text(text))


def stop_left_behind(note: Path) -> None:
    """Stop the command of a process that was killed, which would go on with the folder that is taken up here.

    Parameters
    ----------
    note : Path
        See `Commands`.
    """
    try:
        noted = json.loads(note.read_text())
        process = psutil.Process(int(noted["pid"]))
        same = abs(process.create_time() - float(noted["begun"])) < 1  # and no other one by now
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        same = False
    if same:
        log.info("A command of an earlier process is still at work here; it is stopped, and gone on with.")
        process.terminate()
        try:
            process.wait(_PATIENCE)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait()
    note.unlink(missing_ok=True)
