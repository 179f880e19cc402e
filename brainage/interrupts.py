"""Ctrl-C and SIGTERM, as one exception that nothing on the way mistakes for an error."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interruption(BaseException):
    """The process was asked to stop.

    Parameters
    ----------
    signum : int
        The signal.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(signum).name}")
        self.signum = signum

    @property
    def exit_code(self) -> int:
        """What a shell expects: 128 + the signal's number."""
        return 128 + self.signum


def _raise(signum: int, frame: FrameType | None) -> None:
    raise Interruption(signum)


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise Interruption on SIGINT and SIGTERM, and give the former handlers back at the end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = {signum: signal.signal(signum, _raise) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for signum, handler in former.items():
            signal.signal(signum, handler)
