"""Processes that read scans."""

from __future__ import annotations

import os
import signal

import pytest

from brainage.data.store.workers import for_each


def signalled(number: int) -> tuple[int, int]:
    os.kill(os.getpid(), signal.SIGUSR2)
    return number, os.getpid()


@pytest.mark.more
def test_slurms_signal_before_a_time_limit_ends_no_process_that_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("brainage.data.store.workers.count_cores", lambda: 2)
    found = [*for_each(signalled, range(128))]
    assert [number for number, _ in found] == [*range(128)]
    assert os.getpid() not in {pid for _, pid in found}
