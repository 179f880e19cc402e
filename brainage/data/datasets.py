"""Data sets whose items are whole batches: of series of one length, or of windows of series of any length."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from brainage.data.batches import Draw
from brainage.data.participants import Participants, ScanOfRow
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
        self.held = torch.from_numpy(series) if channels is None else None
        self.ages = torch.from_numpy(ages.astype(np.float32))

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def n_times(self) -> int:
        """Time points of a series."""
        return int(self._series.shape[2])

    def __getitem__(self, draw: Draw) -> Batch:
        """Return series, of shape (batch, n_channels, n_times), and ages, of shape (batch,)."""
        mix, rows, ages = draw.mix, self._rows[draw.index], self.ages[torch.from_numpy(draw.index)]
        if self.held is None:
            chosen = self._scaling.apply(self._series[rows[:, None], self._channels], rows)
            series = shuffled(chosen, self._shuffle_seed)
            if self._release is not None:
                self._release()
            gathered = torch.from_numpy(series if mix is None else mix.gather(series, np.arange(len(rows))))
        elif mix is None:
            gathered = self.held[torch.from_numpy(rows)]
        else:
            gathered = torch.from_numpy(mix.gather(self._series, rows))
        return gathered, ages if mix is None else mix.ages(ages, self.n_times)


# A participant's position, the number of the scan among theirs, and the window's first time point in it.
Place = tuple[int, int, int]


class WindowDataset(Dataset[Batch]):
    """Windows of participants' series, and ages, in years; an item is a whole batch.

    `read` returns the window of `n_times` time points at a place, float32 of shape (n_channels, n_times); `scans` are
    those of each participant. `scaling`, of what `read` returns, and `shuffle_seed` are those of `Participants`;
    windows are shuffled one by one. `release` drops mapped pages after a batch.
    """

    def __init__(
        self,
        read: Callable[[int, int, int], NDArray[np.float32]],
        scans: list[list[ScanOfRow]],
        n_times: int,
        *,
        scaling: Scaling = Scaling(),  # noqa: B008 - frozen
        release: Callable[[], None] | None = None,
        shuffle_seed: int | None = None,
    ) -> None:
        self._read, self._scans, self.n_times = read, scans, n_times
        self._scaling, self._release, self._shuffle_seed = scaling, release, shuffle_seed
        self._are_several = any(len(of) > 1 for of in scans)

    def __len__(self) -> int:
        return len(self._scans)

    def __getitem__(self, draw: Draw) -> Batch:
        """Return windows, of shape (n_windows, n_channels, n_times), and ages, of shape (batch,).

        A draw that says where windows begin has one a participant, and the age at its scan. Others have all windows,
        scan after scan, and mean ages; then follows the number of windows of each scan and, if any participant has
        several scans, the number of scans of each one.
        """
        return self._all(draw) if draw.begins is None else self._drawn(draw, draw.begins)

    def _all(self, draw: Draw) -> Batch:
        chosen = [(position, scan) for position in draw.index.tolist() for scan in enumerate(self._scans[position])]
        begins = [window_begins(scan.end - scan.begin, self.n_times) for _, (_, scan) in chosen]
        places = [(position, k, one) for (position, (k, _)), of in zip(chosen, begins, strict=True) for one in of]
        counts = [torch.tensor([len(of) for of in begins])]
        if self._are_several:
            counts.append(torch.tensor([len(self._scans[position]) for position in draw.index.tolist()]))
        ages = [np.mean([scan.age for scan in self._scans[position]]) for position in draw.index.tolist()]
        return torch.from_numpy(self._gathered(places)), torch.tensor(ages, dtype=torch.float32), *counts

    def _drawn(self, draw: Draw, begins: NDArray[np.float64]) -> Batch:
        places = [self._place(*one) for one in zip(draw.index.tolist(), begins.tolist(), strict=True)]
        drawn = self._gathered(places)
        age = torch.tensor([self._scans[position][k].age for position, k, _ in places], dtype=torch.float32)
        if draw.mix is None:
            return torch.from_numpy(drawn), age
        return torch.from_numpy(draw.mix.gather(drawn, np.arange(len(drawn)))), draw.mix.ages(age, self.n_times)

    def _place(self, position: int, share: float) -> Place:
        """Return the place at this share of those where a window of a participant can begin."""
        n_places = np.cumsum([scan.end - scan.begin - self.n_times + 1 for scan in self._scans[position]])
        place = int(share * n_places[-1])
        number = int(np.searchsorted(n_places, place, side="right"))
        return position, number, place - int(n_places[number - 1] if number else 0)

    def _gathered(self, places: list[Place]) -> NDArray[np.float32]:
        # A process may have no participant of a small batch: one window tells the shape.
        windows = np.stack([self._read(*place) for place in places or [(0, 0, 0)]])[: len(places)]
        self._scaling.apply(windows, np.array([self._scans[position][k].number for position, k, _ in places]))
        if self._release is not None:
            self._release()
        return shuffled(windows, self._shuffle_seed)


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
    store, rows, n_times, seed = participants.store, participants.rows, participants.n_times, participants.shuffle_seed
    scans = [participants.scans(position) for position in range(len(rows))]
    channels = _as_slice(participants.channels)

    def mapped(position: int, number: int, begin: int) -> NDArray[np.float32]:
        first = scans[position][number].begin + begin
        return series[rows[position]][channels, first : first + n_times]

    if not held:
        scaling, release = participants.scaling, store.release
        return WindowDataset(mapped, scans, n_times, scaling=scaling, release=release, shuffle_seed=seed)
    scaling = participants.scaling
    copied = [
        [scaling.apply(np.array(series[row][channels, one.begin : one.end]), one.number) for one in of]
        for row, of in zip(rows, scans, strict=True)
    ]

    def in_memory(position: int, number: int, begin: int) -> NDArray[np.float32]:
        return copied[position][number][:, begin : begin + n_times]

    return WindowDataset(in_memory, scans, n_times, shuffle_seed=seed)


def _as_slice(channels: Sequence[int]) -> slice | NDArray[np.intp]:
    """Return a slice where channels follow each other, by which nothing is copied, or else their indices."""
    first, n = channels[0], len(channels)
    return slice(first, first + n) if list(channels) == list(range(first, first + n)) else np.array(channels)


def without_ages(batch: Batch) -> tuple[Tensor, ...]:
    """Return the series of a batch, and where a participant may have several windows, how many."""
    return batch[0], *batch[2:]


def series_batches(participants: Participants, batch_size: int) -> Iterator[tuple[Tensor, ...]]:
    """Yield the participants' series from the mapped store, in their order; see `without_ages`."""
    dataset = dataset_of(participants, held=False)
    starts = range(0, len(participants), batch_size)
    for start in track(starts, len(starts), "Batches predicted"):
        yield without_ages(dataset[Draw(np.arange(start, min(start + batch_size, len(participants))))])
