"""The corrected resampled t-test: differences over random splits of one sample, whose training sets overlap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from brainage.evaluation.intervals import Estimate


@dataclass(frozen=True)
class ResampledTest:
    """A mean over random splits.

    Parameters
    ----------
    mean : Estimate
        The mean with its 95 % interval.
    df : int
        Degrees of freedom, the number of splits - 1.
    ratio : float
        n_test / n_train.
    t, p : float or None
        The test that the mean is 0, two-sided; None where the values do not vary, or for one split.
    """

    mean: Estimate
    df: int
    ratio: float
    t: float | None = None
    p: float | None = None

    @property
    def terms(self) -> str:
        """What the test depends on, as text."""
        return f"n_test/n_train = {self.ratio:.3f}, df = {self.df}"


def corrected_resampled_t_test(differences: Sequence[float], *, n_train: float, n_test: float) -> ResampledTest:
    """Test whether a mean over random splits of one sample differs from 0.

    The splits' training sets overlap, so their values are not independent, and an ordinary t-test finds differences
    where there are none. The variance of the mean is therefore (1 / n_splits + n_test / n_train) times that of the
    values.

    Parameters
    ----------
    differences : sequence of float
        One value a split, such as the difference in MAE of two models on its test set, in years. Of a model's own
        errors, the interval is of use, and the test is not.
    n_train, n_test : float
        Participants that a model of one split was trained on, and that it was tested on; the mean where they vary.

    References
    ----------
    Nadeau & Bengio (2003), Inference for the Generalization Error, Machine Learning 52, doi 10.1023/A:1024068626366.
    """
    values = np.asarray(differences, dtype=np.float64)
    mean, df, ratio = float(values.mean()), len(values) - 1, n_test / n_train
    variance = float(values.var(ddof=1)) if df else 0.0
    error = math.sqrt((1 / len(values) + ratio) * variance)
    if error == 0:
        return ResampledTest(Estimate(mean), df, ratio)
    half, t = float(stats.t.ppf(0.975, df)) * error, mean / error
    return ResampledTest(Estimate(mean, mean - half, mean + half), df, ratio, t, float(2 * stats.t.sf(abs(t), df)))
