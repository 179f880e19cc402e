"""The time that a model takes to predict a participant."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from brainage.study import speed
from tests.conftest import ROOT

RUNS = ROOT / "tests" / "written_at_2a22c97" / "train"


@pytest.mark.parametrize(
    "run",
    [pytest.param("finished", id="a network"), pytest.param("ridge", id="a baseline", marks=pytest.mark.more)],
)
def test_the_speed_of_a_finished_run_is_measured_on_one_thread(run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []
    measured = speed._seconds

    def seconds(work: Callable[[], object]) -> float:
        threads.append(torch.get_num_threads())
        return measured(work)

    monkeypatch.setattr(speed, "_seconds", seconds)
    monkeypatch.setattr(speed, "_REPEATED", 1)
    before, started = torch.get_num_threads(), time.perf_counter()
    found = speed.milliseconds(RUNS / run, n_train=100)
    # Milliseconds a participant, of 64 participants.
    assert 0 < found * speed.N_TOGETHER < 1000 * (time.perf_counter() - started)
    assert set(threads) == {1} and torch.get_num_threads() == before


def test_the_fastest_of_several_repetitions_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([9.0, 0.64, 0.32, 0.48])
    monkeypatch.setattr(speed, "_seconds", lambda work: next(times))
    assert speed.milliseconds(RUNS / "finished", n_train=100) == pytest.approx(5.0)  # 0.32 s for 64


def test_noise_has_the_size_of_the_modality_and_differs_between_draws(tmp_path: Path) -> None:
    modality = speed.read_run(RUNS / "ridge", "run").config.modality
    first, second = (speed._participants(modality, seed, tmp_path) for seed in (0, 1))
    assert first.store.series.shape == (64, 25, 120) and len(first.channels) == 21
    assert first.store.checksums.tolist() != second.store.checksums.tolist()
