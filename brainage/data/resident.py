"""Series that a GPU holds once: batches are gathered and changed there, without a copy for each step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from brainage.data.batches import BatchOrder
from brainage.data.datasets import Batch, SeriesDataset

# A device holds series that take less than this share of its free memory; networks need the rest.
_SHARE_OF_FREE_MEMORY = 0.5


class ResidentLoader:
    """Batches of series on a device, the same as those of a DataLoader on the CPU.

    `series` has the shape (n_participants, n_channels, n_times), `ages`, in years, (n_participants,). `sampler` draws
    the batches; Lightning sets its epoch. What it draws is sent to the device once an epoch.
    """

    batch_sampler = None  # Lightning looks for it, as in a DataLoader whose sampler draws whole batches

    def __init__(self, series: Tensor, ages: Tensor, sampler: BatchOrder) -> None:
        self._series, self._ages, self.sampler = series, ages, sampler

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[Batch]:
        """Yield series, of shape (batch, n_channels, n_times), and ages, of shape (batch,)."""
        draws = list(self.sampler)
        mixes = [draw.mix for draw in draws if draw.mix is not None]
        indices = self._sent([draw.index for draw in draws])
        if not mixes:
            yield from ((self._series[index], self._ages[index]) for index in indices)
            return
        starts, partners = self._sent([mix.starts for mix in mixes]), self._sent([mix.partners for mix in mixes])
        for index, start, partner, mix in zip(indices, starts, partners, mixes, strict=True):
            yield self._mixed(index, start, partner, mix.n_kept)

    def _sent(self, arrays: Sequence[NDArray[np.intp]]) -> tuple[Tensor, ...]:
        """Return arrays as tensors on the device, sent as one."""
        sent = torch.from_numpy(np.concatenate(arrays)).to(self._series.device)
        return torch.split(sent, [len(array) for array in arrays])

    def _mixed(self, index: Tensor, starts: Tensor, partners: Tensor, n_kept: int) -> Batch:
        """Return what `brainage.data.augmentation.Mix` makes of a batch, by indices."""
        n_channels, n_times = self._series.shape[1:]
        times = torch.arange(n_times, device=index.device)
        own = torch.arange(len(partners), device=index.device)
        position = torch.where(times < n_kept, own[:, None], partners[:, None])  # in the batch, of each time point
        rows, times = index[position], (times + starts[position]) % n_times
        channels = torch.arange(n_channels, device=index.device)
        series = self._series[rows[:, None], channels[:, None], times[:, None]]
        ages = self._ages[index]
        return series, torch.lerp(ages[partners], ages[: len(partners)], n_kept / n_times)


def is_resident(dataset: SeriesDataset, device: torch.device) -> bool:
    """Return whether a device is to hold the series of a part: a GPU with the memory, those that are in memory."""
    if device.type != "cuda" or dataset.held is None:
        return False
    return dataset.held.nbytes < _SHARE_OF_FREE_MEMORY * torch.cuda.mem_get_info(device)[0]


def resident(dataset: SeriesDataset, device: torch.device, order: BatchOrder) -> ResidentLoader:
    """Copy the series of a part to a device."""
    assert dataset.held is not None
    return ResidentLoader(dataset.held.to(device), dataset.ages.to(device), order)
