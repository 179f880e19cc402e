"""SIGINT and SIGTERM raised as one BaseException."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
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


# What the message on an interruption ends with.
_advice = [""]

# Signals that arrived inside `uninterrupted`.
_held: list[int] = []

# What stops the work of this process in order: a job of a cluster adds the signal that precedes its time limit.
_stopping = [signal.SIGINT, signal.SIGTERM]


def also_stopped_by(signum: signal.Signals) -> None:
    """Let this signal, too, raise an `Interruption` during the work; elsewhere it keeps its handler."""
    _stopping.append(signum)


def _raise(signum: int, frame: FrameType | None) -> None:
    raise Interruption(signum)


def _hold(signum: int, frame: FrameType | None) -> None:
    _held.append(signum)


def advise(step: str) -> None:
    """Set the next step that a command names when it is interrupted outside its work."""
    _advice[0] = step


def _exit(signum: int, frame: FrameType | None) -> None:
    stop = Interruption(signum)
    with suppress(RuntimeError):  # the signal arrived while the stream was written to
        sys.stdout.flush()
    os.write(2, ("\n" + "; ".join(filter(None, [str(stop), *_advice])) + "\n").encode())
    os._exit(stop.exit_code)


@contextmanager
def exit_on_signals() -> Iterator[None]:
    """End the process on SIGINT and SIGTERM, with one message: for code of others that would swallow an exception."""
    with _handled_by(_exit, _stopping[:2]):
        yield


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise `Interruption` on SIGINT and SIGTERM; restore the former handlers at the end."""
    with _handled_by(_raise, _stopping):
        _raise_held()
        yield


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Delay SIGINT and SIGTERM until the end, or until `interruptible` starts inside."""
    try:
        with _handled_by(_hold, _stopping):
            yield
    finally:
        _raise_held()


def _raise_held() -> None:
    if _held:
        signum = _held[0]
        _held.clear()
        raise Interruption(signum)


@contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], None], signals: Iterable[signal.Signals]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = {signum: signal.signal(signum, handler) for signum in signals}
    try:
        yield
    finally:
        for signum, before in former.items():
            signal.signal(signum, before)
