"""Windows of series of any length."""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from brainage.data.augmentation import Augmentation
from brainage.data.datamodule import AgeDataModule
from brainage.data.datasets import series_batches, window_begins
from brainage.data.participants import Participants
from brainage.data.store.layout import DamagedStoreError, Store
from brainage.data.store.ragged import Ragged
from brainage.data.time_order import reordered
from brainage.training.predict import mean_over_windows, predict

LENGTHS = (9, 4, 6, 5, 8, 4)
WINDOW = 4
SERIES = [np.arange(3 * n, dtype=np.float32).reshape(3, n) + 100 * row for row, n in enumerate(LENGTHS)]
TABLE = pd.DataFrame(
    {
        "participant_id": list("abcdef"),
        "row": range(6),
        "age": np.arange(50.0, 56.0),
        "split": ["train"] * 3 + ["val"] * 2 + ["test"],
    },
)


@pytest.fixture
def participants() -> Participants:
    checksums = np.array([zlib.crc32(series.data) for series in SERIES], dtype=np.uint32)
    flat = np.concatenate([series.ravel() for series in SERIES])
    store = Store(Path("made-up"), tuple("abcdef"), {}, Ragged(flat, 3, LENGTHS), checksums)
    return Participants(TABLE, store, (2, 0), WINDOW)


def module(participants: Participants, residency: str, augmentation: Augmentation = Augmentation()) -> AgeDataModule:  # noqa: B008
    return AgeDataModule(participants, batch_size=2, seed=1, residency=residency, augmentation=augmentation)


@pytest.mark.parametrize(
    ("n_times", "begins"), [(4, [0]), (5, [0, 1]), (8, [0, 4]), (9, [0, 2, 5]), (12, [0, 4, 8]), (13, [0, 3, 6, 9])]
)
def test_the_fewest_windows_cover_a_series_evenly(n_times: int, begins: list[int]) -> None:
    assert window_begins(n_times, WINDOW) == begins
    assert {point for begin in begins for point in range(begin, begin + WINDOW)} == set(range(n_times))


@pytest.mark.parametrize("residency", ["memory", "memmap"])
def test_a_part_has_all_windows_of_each_participant(participants: Participants, residency: str) -> None:
    [(windows, ages, n_windows)] = module(participants, residency).loader("val")
    assert ages.tolist() == [53, 54]
    assert n_windows.tolist() == [2, 2]
    expected = [SERIES[3][[2, 0], :4], SERIES[3][[2, 0], 1:], SERIES[4][[2, 0], :4], SERIES[4][[2, 0], 4:]]
    np.testing.assert_array_equal(windows.numpy(), np.stack(expected))


@pytest.mark.parametrize("residency", ["memory", "memmap"])
def test_training_sees_one_random_window_a_participant_in_each_epoch(
    participants: Participants, residency: str
) -> None:
    loader = module(participants, residency).train_dataloader()
    seen: dict[int, set[int]] = {row: set() for row in range(3)}
    for epoch in range(60):
        loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        batches = list(loader)
        for windows, ages in batches:
            assert windows.shape[1:] == (2, WINDOW)
            for window, age in zip(windows.numpy(), ages.tolist(), strict=True):
                row = int(age) - 50
                begin = int(window[1, 0] - 100 * row)
                np.testing.assert_array_equal(window, SERIES[row][[2, 0], begin : begin + WINDOW])
                seen[row].add(begin)
        assert sorted(age for _, ages in batches for age in ages.tolist()) == [50, 51, 52]
    assert seen == {row: set(range(LENGTHS[row] - WINDOW + 1)) for row in range(3)}


def test_the_windows_of_an_epoch_are_the_same_again_in_memory_and_mapped(participants: Participants) -> None:
    shifted = Augmentation(circular_shift=True, cutmix=1.0)
    held, mapped = (list(module(participants, kind, shifted).train_dataloader()) for kind in ("memory", "memmap"))
    for left, right in zip(held, mapped, strict=True):
        assert all(torch.equal(one, other) for one, other in zip(left, right, strict=True))


@pytest.mark.parametrize("residency", ["memory", "memmap"])
def test_windows_are_shuffled_one_by_one(participants: Participants, residency: str) -> None:
    shuffled = replace(participants, shuffle_seed=7)
    ((ordered, *_),), ((found, _, n_windows),) = (
        list(module(of, residency).loader("val")) for of in (participants, shuffled)
    )
    assert n_windows.tolist() == [2, 2]
    np.testing.assert_array_equal(found.numpy(), reordered(ordered.numpy(), "shuffled", 7))
    for (own, _), (changed, _) in zip(
        *(module(of, residency).train_dataloader() for of in (participants, shuffled)), strict=True
    ):
        np.testing.assert_array_equal(changed.numpy(), reordered(own.numpy(), "shuffled", 7))
    (one_batch,) = series_batches(shuffled, 6)
    assert torch.equal(torch.cat([windows for windows, _ in series_batches(shuffled, 4)]), one_batch[0])


def test_a_damaged_series_is_noticed_when_it_is_copied(participants: Participants) -> None:
    participants.store.series[4][0, 0] += 1
    with pytest.raises(DamagedStoreError, match="row 4"):
        module(participants, "memory")


class LastValue(nn.Module):
    """Predicts the last value of the first channel."""

    def forward(self, series: Tensor) -> Tensor:
        return series[:, 0, -1:]


def test_a_prediction_is_the_mean_over_the_windows_that_cover_a_series(participants: Participants) -> None:
    predicted = predict(LastValue(), series_batches(participants, 4))
    ends = [[begin + WINDOW - 1 for begin in window_begins(n, WINDOW)] for n in LENGTHS]
    assert predicted.tolist() == [SERIES[row][2, end].mean() for row, end in enumerate(ends)]
    assert torch.equal(mean_over_windows(torch.tensor([1.0, 2.0])), torch.tensor([1.0, 2.0]))
