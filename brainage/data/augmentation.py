"""Augmentation of training batches while they are gathered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Augmentation:
    """How training batches are changed.

    Parameters
    ----------
    circular_shift : bool, default=False
        Shift each participant's series circularly by a random number of time points, the same in all components.
    cutmix : float, default=0
        The parameter α of the Beta(α, α) distribution from which a share of time is drawn: after it, all components
        continue with the series of a second participant, and the age is the mean of both, weighted by their shares
        [1]_. 1 is uniform, smaller values give shares closer to 0 and 1, and 0 disables it.

    References
    ----------
    .. [1] Yun, Han, Oh, Chun, Choe and Yoo (2019). CutMix: Regularization strategy to train strong classifiers with
       localizable features. https://doi.org/10.48550/arXiv.1905.04899
    """

    circular_shift: bool = False
    cutmix: float = 0.0

    def draw(self, rng: np.random.Generator, n_participants: int, n_times: int) -> Mix | None:
        """Draw how a batch is changed; return None if it is not."""
        if not (self.circular_shift or self.cutmix):
            return None
        starts, n_kept, partners = np.zeros(n_participants, dtype=np.intp), n_times, np.arange(n_participants)
        if self.circular_shift:
            starts = rng.integers(n_times, size=n_participants)
        if self.cutmix:
            n_kept = round(n_times * float(rng.beta(self.cutmix, self.cutmix)))
            partners = rng.permutation(n_participants)
        return Mix(starts, partners, n_kept)


@dataclass(frozen=True)
class Mix:
    """How one batch is changed.

    Parameters
    ----------
    starts : array of shape (batch,)
        The time point that comes first, of each participant's series.
    partners : array of shape (n_changed,)
        Position in the batch of the participant whose shifted series follows. The first `n_changed` participants are
        changed; others are only partners.
    n_kept : int
        Number of time points before that.
    """

    starts: NDArray[np.intp]
    partners: NDArray[np.intp]
    n_kept: int

    def gather(self, series: NDArray[np.float32], rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """Copy the participants' rows of `series`, shifted and mixed, in one pass."""
        n_times = series.shape[2]
        batch = np.empty((len(self.partners), *series.shape[1:]), dtype=series.dtype)
        of, starts = rows.tolist(), self.starts.tolist()
        for one, other in enumerate(self.partners.tolist()):
            _copy_shifted(batch[one], series[of[one]], starts[one], 0, self.n_kept)
            _copy_shifted(batch[one], series[of[other]], starts[other], self.n_kept, n_times)
        return batch

    def ages(self, ages: Tensor, n_times: int) -> Tensor:
        """Return the ages of the changed batch, whose series have `n_times` time points."""
        own = ages[: len(self.partners)]
        return torch.lerp(ages[torch.from_numpy(self.partners)], own, self.n_kept / n_times)

    def part(self, own: NDArray[np.intp]) -> tuple[Mix, NDArray[np.intp]]:
        """Return the change of some positions of the batch, and the positions that it needs: these, then partners."""
        needed = np.concatenate([own, np.setdiff1d(self.partners[own], own)])
        place = np.empty(len(self.partners), dtype=np.intp)
        place[needed] = np.arange(len(needed))
        return Mix(self.starts[needed], place[self.partners[own]], self.n_kept), needed


def _copy_shifted(target: NDArray[np.float32], source: NDArray[np.float32], start: int, begin: int, end: int) -> None:
    """Copy time points `begin` to `end` of a series that is shifted to begin at `start`."""
    n_times = source.shape[1]
    seam = min(max(n_times - start, begin), end)  # where the source starts again
    target[:, begin:seam] = source[:, begin + start : seam + start]
    target[:, seam:end] = source[:, seam + start - n_times : end + start - n_times]
