"""Ctrl-C and SIGTERM: raised at once where that is safe, and held back where it is not."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from brainage.system import signals
from brainage.system.signals import Interruption, also_stopped_by, exit_on_signals, interruptible, uninterrupted
from tests.conftest import run_command

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def handlers() -> list[object]:
    return [signal.getsignal(signum) for signum in SIGNALS]


@pytest.mark.parametrize(("signum", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_raised_at_once_with_the_exit_code_that_shells_expect(signum: int, exit_code: int) -> None:
    done = []
    name = signal.Signals(signum).name
    with pytest.raises(Interruption, match=f"interrupted by {name}") as raised, interruptible():
        signal.raise_signal(signum)
        done.append("never")
    assert done == []
    assert raised.value.exit_code == exit_code


@pytest.mark.parametrize("signum", SIGNALS)
def test_of_several_signals_that_were_held_back_the_first_is_raised_and_only_once(signum: signal.Signals) -> None:
    (other,) = set(SIGNALS) - {signum}
    done = []
    with pytest.raises(Interruption, match=f"interrupted by {signum.name}"), uninterrupted():
        signal.raise_signal(signum)
        signal.raise_signal(other)
        done.append("all")
    assert done == ["all"]
    with interruptible(), uninterrupted():
        done.append("more")  # nothing is left that could be raised
    assert done == ["all", "more"]


def test_inside_what_is_uninterrupted_a_signal_is_raised_where_it_may_and_held_back_again_behind() -> None:
    done = []
    with pytest.raises(Interruption, match="interrupted by SIGTERM"), uninterrupted():
        with pytest.raises(Interruption, match="interrupted by SIGINT"), interruptible():
            signal.raise_signal(signal.SIGINT)
            done.append("never")
        signal.raise_signal(signal.SIGTERM)
        done.append("held back")
    assert done == ["held back"]


def test_a_signal_that_was_held_back_outside_is_raised_before_the_first_step_inside() -> None:
    done = []
    with pytest.raises(Interruption, match="interrupted by SIGINT"), uninterrupted():
        signal.raise_signal(signal.SIGINT)
        done.append("held back")
        with interruptible():
            done.append("never")
        done.append("never")
    assert done == ["held back"]


@pytest.mark.parametrize("guard", [interruptible, uninterrupted])
@pytest.mark.parametrize("ends", ["well", "by an error", "by a signal"])
def test_handlers_are_given_back(guard: Callable[[], AbstractContextManager[None]], ends: str) -> None:
    before = handlers()
    try:
        with guard():
            assert all(now is not former for now, former in zip(handlers(), before, strict=True))
            if ends == "by an error":
                raise ValueError("of the work itself")
            if ends == "by a signal":
                signal.raise_signal(signal.SIGTERM)
    except (ValueError, Interruption) as error:
        assert str(error) == {"by an error": "of the work itself", "by a signal": "interrupted by SIGTERM"}[ends]
    else:
        assert ends == "well"
    assert handlers() == before


def test_another_thread_than_the_main_one_leaves_the_handlers_alone() -> None:
    before, seen = handlers(), []

    def work() -> None:
        with uninterrupted(), interruptible():
            seen.append(handlers())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


_OUTSIDE = """
import signal, sys
from brainage.system.signals import advise, exit_on_signals
with exit_on_signals():
    advise(sys.argv[2])
    print("before")
    try:
        signal.raise_signal(int(sys.argv[1]))
    finally:
        print("never")
"""


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("step", ["continue with: brainage train", ""])
def test_a_signal_outside_a_commands_work_is_one_message_with_the_next_step(
    signum: signal.Signals, code: int, step: str, tmp_path: Path
) -> None:
    ended = run_command(tmp_path, "-c", _OUTSIDE, str(int(signum)), step)
    assert (ended.code, ended.out) == (code, "before\n")
    assert ended.err == f"\ninterrupted by {signum.name}{step and '; ' + step}\n"


def test_a_further_signal_is_raised_during_the_work_and_keeps_its_handler_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(signals, "_stopping", [*SIGNALS])
    events: list[str] = []
    former = signal.signal(signal.SIGUSR2, lambda *_: events.append("own"))
    try:
        also_stopped_by(signal.SIGUSR2)
        with exit_on_signals():
            signal.raise_signal(signal.SIGUSR2)
            with pytest.raises(Interruption, match="interrupted by SIGUSR2"), uninterrupted():
                signal.raise_signal(signal.SIGUSR2)
                events.append("held")
    finally:
        signal.signal(signal.SIGUSR2, former)
    assert events == ["own", "held"]
