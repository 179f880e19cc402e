from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import torch

from brainage.data.augmentation import Augmentation
from brainage.data.batches import BatchOrder, batch_size_for
from brainage.data.datamodule import AgeDataModule
from brainage.data.participants import Participants
from brainage.data.store.layout import DamagedStoreError, Store
from brainage.data.time_order import reordered

N_ROWS, N_COMPONENTS, N_TIMES = 11, 5, 13
CHANNELS = [0, 3, 4]
PLAIN = Augmentation()


@pytest.fixture
def store() -> Store:
    import zlib

    series = np.random.default_rng(0).standard_normal((N_ROWS, N_COMPONENTS, N_TIMES)).astype(np.float32)
    checksums = np.array([zlib.crc32(row.data) for row in series], dtype=np.uint32)
    return Store(Path("made-up"), tuple("abcdefghijk"), {}, series, checksums)


TABLE = pd.DataFrame(
    {
        "row": [9, 0, 4, 2, 7, 5, 1, 3, 10, 8, 6],
        "age": [50.5, 51, 52, 53, 54, 55, 56, 60, 61, 70, 71],
        "split": ["train"] * 7 + ["val"] * 2 + ["test"] * 2,
    }
)


def module(
    store: Store, residency: str, augmentation: Augmentation = PLAIN, shuffle_seed: int | None = None
) -> AgeDataModule:
    participants = Participants(TABLE, store, (0, 3, 4), N_TIMES, shuffle_seed=shuffle_seed)
    return AgeDataModule(participants, batch_size=3, seed=1, residency=residency, augmentation=augmentation)


@pytest.mark.parametrize("residency", ["auto", "memory", "memmap"])
def test_a_batch_has_the_right_participants_components_and_ages(store: Store, residency: str) -> None:
    batches = list(module(store, residency).loader("train"))
    # 7 participants in threes: the last one joins the batch before.
    assert [len(ages) for _, ages in batches] == [3, 4]
    series, ages = batches[0]
    assert series.shape == (3, len(CHANNELS), N_TIMES)
    assert series.dtype == torch.float32
    np.testing.assert_array_equal(series.numpy(), store.series[[9, 0, 4]][:, CHANNELS])
    assert ages.tolist() == [50.5, 51, 52]


@pytest.mark.parametrize("augmentation", [PLAIN, Augmentation(circular_shift=True, cutmix=1.0)])
def test_memory_and_memmap_give_the_same_shuffled_batches(store: Store, augmentation: Augmentation) -> None:
    held, mapped = (module(store, kind, augmentation).train_dataloader() for kind in ("memory", "memmap"))
    for (left, left_ages), (right, right_ages) in zip(held, mapped, strict=True):
        assert torch.equal(left, right)
        assert torch.equal(left_ages, right_ages)


@pytest.mark.parametrize("residency", ["memory", "memmap"])
def test_time_points_are_shuffled_in_all_parts_and_before_series_are_mixed(store: Store, residency: str) -> None:
    for part in ("train", "val", "test"):
        (plain, *_), (found, *_) = (
            next(iter(module(store, residency, shuffle_seed=seed).loader(part))) for seed in (None, 5)
        )
        np.testing.assert_array_equal(found.numpy(), reordered(plain.numpy(), "shuffled", 5))
    training = reordered(store.series[TABLE["row"][:7]][:, CHANNELS], "shuffled", 5)
    loader = module(store, residency, Augmentation(cutmix=1.0), shuffle_seed=5).train_dataloader()
    for epoch in range(3):
        loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        for mixed, _ in loader:
            # each time point is that of a participant's shuffled series, the same in all epochs
            is_of = (mixed.numpy()[:, None] == training).all(axis=2)
            assert is_of.any(axis=1).all()


def test_only_training_batches_are_augmented_and_each_epoch_in_its_own_way(store: Store) -> None:
    data = module(store, "auto", Augmentation(circular_shift=True))
    order = data.train_dataloader().sampler
    assert isinstance(order, BatchOrder)

    def starts(epoch: int) -> list[list[int]]:
        order.set_epoch(epoch)
        return [draw.mix.starts.tolist() for draw in order if draw.mix]

    assert starts(1) == starts(1) != starts(2)
    assert len(starts(1)) == 2
    for part in ("train", "val", "test"):
        series = torch.cat([series for series, _ in data.loader(part)])
        np.testing.assert_array_equal(
            series.numpy(), store.series[TABLE.loc[TABLE["split"] == part, "row"]][:, CHANNELS]
        )


def test_rows_mapped_for_a_batch_are_released_after_it(tmp_path: Path) -> None:
    path = tmp_path / "series.npy"
    np.save(path, np.ones((N_ROWS, 100, 1000), dtype=np.float32))  # 400 kB a row
    series = np.load(path, mmap_mode="r")
    mapped = Store(tmp_path, tuple("abcdefghijk"), {}, series, np.zeros(N_ROWS, dtype=np.uint32))

    def resident() -> int:
        return sum(part.rss for part in psutil.Process().memory_maps() if part.path == str(path))

    before = resident()
    for batch, _ in module(mapped, "memmap").loader("train"):
        assert (batch == 1).all()
    assert float(series[0].sum()) == 100_000
    held = resident()
    assert held > before
    mapped.release()
    assert resident() < held
    for _ in module(mapped, "memmap").loader("train"):
        assert resident() < 400_000


def test_series_in_memory_are_a_copy(store: Store) -> None:
    data = module(store, "memory")
    store.series[:] = 0
    assert all(series.abs().sum() > 0 for series, _ in data.loader("train"))


def test_a_damaged_row_is_noticed_when_it_is_copied(store: Store) -> None:
    store.series[10, 0, 0] += 1
    with pytest.raises(DamagedStoreError, match="row 10"):
        module(store, "memory")


def test_auto_maps_series_too_large_for_memory(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    size = N_ROWS * len(CHANNELS) * N_TIMES * 4

    class Memory:
        available = 4 * size - 1

    monkeypatch.setattr("psutil.virtual_memory", Memory)
    store.series[10, 0, 0] += 1  # noticed only if it is copied
    module(store, "auto")
    Memory.available = 4 * size
    with pytest.raises(DamagedStoreError, match="row 10"):
        module(store, "auto")


@pytest.mark.parametrize(
    ("n", "batch_size", "lengths"),
    [(6, 3, [3, 3]), (7, 3, [3, 4]), (8, 3, [3, 3, 2]), (1, 3, [1]), (4, 3, [4]), (2, 3, [2])],
)
def test_a_last_batch_of_one_joins_the_batch_before_it(n: int, batch_size: int, lengths: list[int]) -> None:
    order = BatchOrder(n, batch_size)
    assert [len(draw.index) for draw in order] == lengths
    assert len(order) == len(lengths)
    np.testing.assert_array_equal(np.concatenate([draw.index for draw in order]), np.arange(n))


@pytest.mark.parametrize(
    ("n", "size"), [(4, 2), (31, 2), (32, 4), (64, 8), (127, 8), (128, 16), (1023, 64), (1024, 128), (4721, 128)]
)
def test_an_automatic_batch_size_gives_eight_steps_where_there_are_enough(n: int, size: int) -> None:
    assert batch_size_for(n) == size
    assert n < 16 or len(BatchOrder(n, size)) >= 8
    assert size == 128 or n // (2 * size) < 8


def test_batch_order_depends_on_seed_and_epoch_only() -> None:
    def drawn(seed: int, epoch: int) -> list[int]:
        order = BatchOrder(50, 8, seed)
        order.set_epoch(epoch)
        return [int(i) for draw in order for i in draw.index]

    assert drawn(1, 4) == drawn(1, 4)
    assert sorted(drawn(1, 4)) == list(range(50))
    assert len({tuple(drawn(s, e)) for s in (1, 2) for e in (0, 1, 2)}) == 6
