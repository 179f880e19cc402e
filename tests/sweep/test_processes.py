"""Workers of one sweep command: they end with it, and what they lost is said once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from brainage.sweep.processes import LOST, run_workers
from brainage.sweep.storage_errors import StorageLost
from tests.conftest import wait_until

WORKER = """
import os, pathlib, signal, sys, time
from brainage.sweep.processes import end_with_parent, is_worker
assert is_worker()
signal.signal(signal.SIGTERM, lambda *_: sys.exit(pathlib.Path(f"{os.getpid()}.ended").touch()))
end_with_parent()
pathlib.Path(f"{os.getpid()}.begun").touch()
time.sleep(100)
"""


@pytest.mark.more
def test_workers_end_when_the_command_that_started_them_is_killed(tmp_path: Path) -> None:
    code = f"from brainage.sweep.processes import run_workers; run_workers(2, ['-c', {WORKER!r}])"
    command = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.DEVNULL)
    wait_until(lambda: len(list(tmp_path.glob("*.begun"))) == 2)
    workers = [psutil.Process(int(path.stem)) for path in tmp_path.glob("*.begun")]
    command.kill()
    command.wait()
    gone, alive = psutil.wait_procs(workers, timeout=20)
    for process in alive:
        process.kill()
    assert (len(gone), alive) == (2, [])
    assert len(list(tmp_path.glob("*.ended"))) == 2  # by SIGTERM, so that their trials are re-enqueued


def test_the_command_says_what_its_workers_lost() -> None:
    with pytest.raises(StorageLost, match="the study's storage did not answer"):
        run_workers(1, ["-c", f"raise SystemExit({LOST})"])
    assert run_workers(1, ["-c", "raise SystemExit(3)"]) == 3
