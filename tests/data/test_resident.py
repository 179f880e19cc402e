"""Batches that are gathered on a device, here the CPU: the same bits as those of a DataLoader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from brainage.data.augmentation import Augmentation
from brainage.data.batches import BatchOrder, Draw
from brainage.data.datasets import SeriesDataset
from brainage.data.resident import resident
from tests.runs.test_resume import same_bits

N_ROWS, N_CHANNELS, N_TIMES = 11, 3, 7
SERIES = np.random.default_rng(1).standard_normal((N_ROWS, N_CHANNELS, N_TIMES)).astype(np.float32)
DATASET = SeriesDataset(SERIES, np.arange(N_ROWS), None, np.linspace(50.0, 70.0, N_ROWS))


@pytest.mark.parametrize(
    "augmentation",
    [Augmentation(), Augmentation(circular_shift=True), Augmentation(cutmix=1.0), Augmentation(True, 0.3)],
    ids=["plain", "shift", "cutmix", "both"],
)
@pytest.mark.parametrize("share", [(0, 1), (1, 3)], ids=["whole", "shared"])
def test_a_device_gathers_the_batches_of_a_loader(augmentation: Augmentation, share: tuple[int, int]) -> None:
    def make_draw(rng: np.random.Generator, index: Any) -> Draw:
        return Draw(index, augmentation.draw(rng, len(index), N_TIMES))

    order = BatchOrder(N_ROWS, 4, 5, make_draw, share)
    loader = DataLoader(DATASET, sampler=order, batch_size=None)
    on_device = resident(DATASET, torch.device("cpu"), order)
    assert len(on_device) == 3
    for epoch in range(3):
        order.set_epoch(epoch)
        for ours, theirs in zip(on_device, loader, strict=True):
            assert all(map(torch.equal, ours, theirs))


@pytest.mark.more
def test_a_run_whose_series_are_on_the_device_has_the_same_bits(
    run_job: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undrawn: None
) -> None:
    words = ("cohort.n_participants=40", "batch_size=8", "trainer=cpu", "trainer.max_epochs=2", "recipe.cutmix=1")
    run_job(*words)
    monkeypatch.setattr("brainage.data.datamodule.is_resident", lambda dataset, device: True)
    run_job(*words)
    assert same_bits(tmp_path / "run0", tmp_path / "run1")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU")
def test_a_gpu_trains_as_the_cpu(run_job: Any) -> None:
    words = ("cohort.n_participants=200", "trainer.max_epochs=1", "model.conv_dropout=0", "model.final_dropout=0")
    losses = [run_job(*words, f"trainer={name}")["metrics"]["val"]["mse"] for name in ("cpu", "gpu")]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
