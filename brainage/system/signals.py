"""SIGINT and SIGTERM raised as one BaseException."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Interruption(BaseException):
    """The process received SIGINT or SIGTERM.

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
        """128 + the signal's number, as shells expect."""
        return 128 + self.signum


# Signals that arrived inside `uninterrupted`.
_held: list[int] = []


def _raise(signum: int, frame: FrameType | None) -> None:
    raise Interruption(signum)


def _hold(signum: int, frame: FrameType | None) -> None:
    _held.append(signum)


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise `Interruption` on SIGINT and SIGTERM; restore the former handlers at the end."""
    with _handled_by(_raise):
        _raise_held()
        yield


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Delay SIGINT and SIGTERM until the end, or until `interruptible` starts inside."""
    try:
        with _handled_by(_hold):
            yield
    finally:
        _raise_held()


def _raise_held() -> None:
    if _held:
        signum = _held[0]
        _held.clear()
        raise Interruption(signum)


@contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = {signum: signal.signal(signum, handler) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for signum, before in former.items():
            signal.signal(signum, before)
