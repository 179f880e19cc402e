"""Data sets whose items are whole batches: of series of one length, or of windows of series of any length."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from brainage.data.batches import Draw
from brainage.data.participants import Participants
from brainage.data.scale import Scaling
from brainage.data.store.layout import verify
from brainage.data.store.ragged import Ragged
from brainage.data.time_order import shuffled
from brainage.system.console import track

# Series, ages in years, and where a participant may have several windows, how many; see `WindowDataset`.
Batch = tuple[Tensor, ...]


class SeriesDataset(Dataset[Batch]):
    """Participants' series and ages, in years; an item is a whole batch.

    `series` is float32 of shape (n_rows, n_components, n_times): in memory, or mapped if the `channels` to gather are
    given. `rows` has each participant's row; `release` drops mapped pages after a batch; `scaling` and `shuffle_seed`
    are those of `Participants`, for mapped series.
    """

    def __init__(
        self,
        series: NDArray[np.float32],
        rows: NDArray[np.intp],
        channels: NDArray[np.intp] | None,
        ages: NDArray[np.float64],
        release: Callable[[], None] | None = None,
        scaling: Scaling = Scaling(),  # noqa: B008 - frozen
        shuffle_seed: int | None = None,
    ) -> None:
        self._release, self._scaling, self._shuffle_seed = release, scaling, shuffle_seed
        self._series, self._rows, self._channels = series, rows, channels
        self._held = torch.from_numpy(series) if channels is None else None
        self._ages = torch.from_numpy(ages.astype(np.float32))

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def n_times(self) -> int:
        """Time points of a series."""
        return int(self._series.shape[2])

    def __getitem__(self, draw: Draw) -> Batch:
        """Return series, of shape (batch, n_channels, n_times), and ages, of shape (batch,)."""
        mix, rows, ages = draw.mix, self._rows[draw.index], self._ages[torch.from_numpy(draw.index)]
        if self._held is None:
            chosen = self._scaling.apply(self._series[rows[:, None], self._channels], rows)
            series = shuffled(chosen, self._shuffle_seed)
            if self._release is not None:
                self._release()
            gathered = torch.from_numpy(series if mix is None else mix.gather(series, np.arange(len(rows))))
        elif mix is None:
            gathered = self._held[torch.from_numpy(rows)]
        else:
            gathered = torch.from_numpy(mix.gather(self._series, rows))
        return gathered, ages if mix is None else mix.ages(ages, self.n_times)


class WindowDataset(Dataset[Batch]):
    """Windows of participants' series, and ages, in years; an item is a whole batch.

    `get_scans` returns the scans of a participant, by position, each float32 of shape (n_channels, its time points);
    a window has `n_times` of them. `ages` are those at the scans. `release` drops mapped pages after a batch.
    `shuffle_seed` is that of `Participants`; windows are shuffled one by one.
    """

    def __init__(
        self,
        get_scans: Callable[[int], list[NDArray[np.float32]]],
        ages: list[list[float]],
        n_times: int,
        release: Callable[[], None] | None = None,
        shuffle_seed: int | None = None,
    ) -> None:
        self._get_scans, self._ages, self.n_times, self._release = get_scans, ages, n_times, release
        self._shuffle_seed = shuffle_seed
        self._are_several = any(len(of) > 1 for of in ages)

    def __len__(self) -> int:
        return len(self._ages)

    def __getitem__(self, draw: Draw) -> Batch:
        """Return windows, of shape (n_windows, n_channels, n_times), and ages, of shape (batch,).

        A draw that says where windows begin has one a participant, and the age at its scan. Others have all windows,
        scan after scan, and mean ages; then follows the number of windows of each scan and, if any participant has
        several scans, the number of scans of each one.
        """
        chosen = [self._get_scans(position) for position in draw.index.tolist()]
        batch = self._all(chosen, draw) if draw.begins is None else self._drawn(chosen, draw, draw.begins)
        if self._release is not None:
            self._release()
        return batch

    def _all(self, chosen: list[list[NDArray[np.float32]]], draw: Draw) -> Batch:
        scans = [scan for of in chosen for scan in of]
        begins = [window_begins(scan.shape[1], self.n_times) for scan in scans]
        windows = [scan[:, one : one + self.n_times] for scan, of in zip(scans, begins, strict=True) for one in of]
        counts = [torch.tensor([len(of) for of in begins])]
        if self._are_several:
            counts.append(torch.tensor([len(of) for of in chosen]))
        ages = [np.mean(self._ages[position]) for position in draw.index.tolist()]
        stacked = shuffled(np.stack(windows), self._shuffle_seed)
        return torch.from_numpy(stacked), torch.tensor(ages, dtype=torch.float32), *counts

    def _drawn(self, chosen: list[list[NDArray[np.float32]]], draw: Draw, begins: NDArray[np.float64]) -> Batch:
        windows, ages = [], []
        for scans, share, position in zip(chosen, begins.tolist(), draw.index.tolist(), strict=True):
            n_places = np.cumsum([scan.shape[1] - self.n_times + 1 for scan in scans])
            place = int(share * n_places[-1])
            number = int(np.searchsorted(n_places, place, side="right"))
            begin = place - int(n_places[number - 1] if number else 0)
            windows.append(scans[number][:, begin : begin + self.n_times])
            ages.append(self._ages[position][number])
        drawn, age = shuffled(np.stack(windows), self._shuffle_seed), torch.tensor(ages, dtype=torch.float32)
        if draw.mix is None:
            return torch.from_numpy(drawn), age
        return torch.from_numpy(draw.mix.gather(drawn, np.arange(len(drawn)))), draw.mix.ages(age, self.n_times)


def window_begins(n_times: int, window: int) -> list[int]:
    """Return where the fewest windows begin that cover `n_times` time points, evenly spaced."""
    n_windows = -(-n_times // window)
    begins: list[int] = np.linspace(0, n_times - window, n_windows).round().astype(int).tolist()
    return begins


def dataset_of(participants: Participants, *, held: bool) -> SeriesDataset | WindowDataset:
    """Return the series of participants: a copy in memory, compared with its checksums, or the store's mapped file."""
    store, rows, channels = participants.store, participants.rows, np.array(participants.channels)
    scaling, seed = participants.scaling, participants.shuffle_seed
    if held:
        verify(store, rows)
    if isinstance(store.series, Ragged):
        return _windows(participants, store.series, held=held)
    if not held:
        return SeriesDataset(store.series, rows, channels, participants.ages, store.release, scaling, seed)
    series = np.empty((len(rows), len(channels), store.series.shape[2]), dtype=np.float32)
    for position, row in enumerate(rows):
        (series[position],) = shuffled(scaling.apply(store.series[row, channels], row)[None], seed)
    return SeriesDataset(series, np.arange(len(rows)), None, participants.ages)


def _windows(participants: Participants, series: Ragged, *, held: bool) -> WindowDataset:
    rows, channels, scaling = participants.rows, np.array(participants.channels), participants.scaling
    scans = [participants.scans(position) for position in range(len(rows))]

    def mapped(position: int) -> list[NDArray[np.float32]]:
        whole = series[rows[position]]
        return [scaling.apply(whole[channels, one.begin : one.end], one.number) for one in scans[position]]

    copied = [mapped(position) for position in range(len(rows))] if held else []
    ages = [[one.age for one in of] for of in scans]
    get_scans = copied.__getitem__ if held else mapped
    release = None if held else participants.store.release
    return WindowDataset(get_scans, ages, participants.n_times, release, participants.shuffle_seed)


def without_ages(batch: Batch) -> tuple[Tensor, ...]:
    """Return the series of a batch, and where a participant may have several windows, how many."""
    return batch[0], *batch[2:]


def series_batches(participants: Participants, batch_size: int) -> Iterator[tuple[Tensor, ...]]:
    """Yield the participants' series from the mapped store, in their order; see `without_ages`."""
    dataset = dataset_of(participants, held=False)
    starts = range(0, len(participants), batch_size)
    for start in track(starts, len(starts), "Batches predicted"):
        yield without_ages(dataset[Draw(np.arange(start, min(start + batch_size, len(participants))))])
