"""Batches that several processes share."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from brainage.data.augmentation import Augmentation
from brainage.data.batches import BatchOrder, Draw
from brainage.data.datasets import SeriesDataset, WindowDataset
from brainage.data.participants import ScanOfRow

N_ROWS, N_CHANNELS, N_TIMES, WINDOW = 11, 3, 7, 5
SERIES = np.random.default_rng(1).standard_normal((N_ROWS, N_CHANNELS, N_TIMES)).astype(np.float32)
AGES = np.linspace(50.0, 70.0, N_ROWS)


def _window(position: int, number: int, begin: int) -> NDArray[np.float32]:
    return SERIES[position][:, begin : begin + WINDOW]


DATASETS = {
    "held": SeriesDataset(SERIES, np.arange(N_ROWS), None, AGES),
    "mapped": SeriesDataset(SERIES, np.arange(N_ROWS)[::-1].copy(), np.array([2, 0]), AGES),
    "windows": WindowDataset(_window, [[ScanOfRow("", i, 0, N_TIMES, age)] for i, age in enumerate(AGES)], WINDOW),
}


@pytest.mark.parametrize("name", DATASETS)
@pytest.mark.parametrize("augmentation", [Augmentation(), Augmentation(True, 1.0)], ids=["plain", "mixed"])
def test_the_shares_of_a_batch_are_the_batch(name: str, augmentation: Augmentation) -> None:
    dataset, rng = DATASETS[name], np.random.default_rng(2)
    if name == "windows":
        assert [len(found) for found in dataset[Draw(np.arange(0))]] == [0, 0, 0]  # validation
    for n_shares in (1, 2, 3, 12):
        index = rng.permutation(N_ROWS)
        begins = rng.random(N_ROWS) if name == "windows" else None
        batch = Draw(index, augmentation.draw(rng, N_ROWS, dataset.n_times), begins)
        shares = [dataset[batch.share(rank, n_shares)] for rank in range(n_shares)]
        sizes = [len(ages) for _, ages in shares]
        assert sum(sizes) == N_ROWS and max(sizes) - min(sizes) <= 1
        for whole, parts in zip(dataset[batch], zip(*shares, strict=True), strict=True):
            assert torch.equal(torch.cat(parts), whole)


def test_each_participant_is_in_one_share_and_batches_have_the_same_sizes_and_draws() -> None:
    def order(rank: int, n_shares: int) -> BatchOrder:
        return BatchOrder(N_ROWS, 5, 7, lambda rng, index: Draw(index, begins=rng.random(len(index))), (rank, n_shares))

    whole, shares = list(order(0, 1)), [list(order(rank, 3)) for rank in range(3)]
    assert order(2, 3).sizes == [5, 6]  # the eleventh, alone, is in the batch before
    for batch, parts in zip(whole, zip(*shares, strict=True), strict=True):
        np.testing.assert_array_equal(np.concatenate([part.index for part in parts]), batch.index)
        np.testing.assert_array_equal(np.concatenate([part.begins for part in parts]), batch.begins)  # type: ignore[arg-type]
