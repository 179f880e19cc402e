"""``brainage train`` from Python."""

from __future__ import annotations

import secrets
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from brainage.api.runs import LoadedRun, load_run
from brainage.errors import BrainageError

# Last lines of a command that failed, in the message.
_N_LINES = 20


class TrainingError(BrainageError):
    """A training did not finish; the message is the end of what it printed."""


def train(overrides: Sequence[str] = (), *, quiet: bool = False) -> LoadedRun:
    """Train a network or a baseline, as ``brainage train`` does, and return the finished run.

    Parameters
    ----------
    overrides : sequence of str
        The words of the command line, such as ``["modality=ica100", "trainer.max_epochs=20"]``.
    quiet : bool, default=False
        Whether the command's lines are not printed.

    Returns
    -------
    LoadedRun
        The finished run.

    Raises
    ------
    TrainingError
        It did not finish. A run that was interrupted continues with ``resume=FOLDER`` among the overrides.

    Examples
    --------
    >>> import brainage as ba
    >>> run = ba.train(["cohort.n_participants=200", "model.depth=2", "trainer.max_epochs=3"])  # doctest: +SKIP
    """
    words = list(overrides)
    places = [word.partition("=")[2] for word in words if word.startswith(("hydra.run.dir=", "resume="))]
    folder = Path(places[-1] if places else time.strftime("outputs/train/%Y-%m-%d/%H-%M-%S-") + secrets.token_hex(3))
    if not places:
        words.append(f"hydra.run.dir={folder}")
    command = [sys.executable, "-m", "brainage", "train", *words]
    # A process of its own: Hydra and Lightning have global state, which a notebook would keep.
    last: deque[str] = deque(maxlen=_N_LINES)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout or ():
            last.append(line)
            if not quiet:
                print(line, end="")
    if process.returncode:
        raise TrainingError(f"brainage train ended with {process.returncode}:\n{''.join(last)}")
    return load_run(folder.expanduser())
