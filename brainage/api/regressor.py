"""The network as an estimator of scikit-learn."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from brainage import models
from brainage.api.memory import Columns, stored, table_of
from brainage.config.groups.trainer import TrainerConfig
from brainage.data.datamodule import AgeDataModule
from brainage.data.datasets import series_batches
from brainage.data.participants import Participants
from brainage.data.scale import IN_WORDS
from brainage.data.store.reading import Reading
from brainage.models import geometry
from brainage.training.fit import FitSettings, fit
from brainage.training.predict import predict

_ARGUMENTS = (
    *("kernel_size", "depth", "start_out", "stride", "dilation"),
    *("conv_dropout", "final_dropout", "double_conv", "batch_norm", "growth", "readout"),
)


class BrainAgeRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A variable 1D-CNN that predicts age from time series, with scikit-learn's interface.

    The epoch with the lowest error in a random validation part of the training data is kept.

    Parameters
    ----------
    kernel_size, depth, start_out, stride, dilation : int
        See `brainage.models.variable1dcnn.Variable1DCNN`, as for those of the next line.
    conv_dropout, final_dropout, double_conv, batch_norm, growth, readout : float, float, bool, bool, str, str
        Its other arguments.
    lr, weight_decay : float
        Of AdamW.
    batch_size, max_epochs, patience : int
        Participants in a batch, epochs at most, and epochs without improvement before the training ends.
    validation_fraction : float
        Share of the participants that choose the epoch.
    accelerator : str
        "cpu", "gpu" or "auto".
    scale : {"zscore", "percent", "none"}
        Whether each channel of each participant is z-scored over time, is the change in percent of its mean over time,
        or is as given.
    random_state : int
        Seed of initialisation, batches, dropout and the validation part.

    Attributes
    ----------
    network_ : nn.Module
        The network of the best epoch, in evaluation mode, on the CPU.
    n_epochs_, best_epoch_ : int
        Epochs trained, and the best one, counted from 0.
    n_channels_, n_times_ : int
        Of the series it was fitted on.

    Examples
    --------
    >>> import numpy as np, brainage as ba
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.standard_normal((40, 5, 60)), rng.uniform(20, 80, 40)
    >>> ba.BrainAgeRegressor(depth=1, max_epochs=2).fit(X, y).predict(X[:3]).shape
    (3,)
    """

    def __init__(
        self,
        *,
        kernel_size: int = 5,
        depth: int = 2,
        start_out: int = 16,
        stride: int = 2,
        dilation: int = 1,
        conv_dropout: float = 0.0,
        final_dropout: float = 0.0,
        double_conv: bool = False,
        batch_norm: bool = True,
        growth: str = "convolution",
        readout: str = "flatten",
        lr: float = 1e-3,
        weight_decay: float = 1e-2,
        batch_size: int = 32,
        max_epochs: int = 100,
        patience: int = 15,
        validation_fraction: float = 0.1,
        accelerator: str = "cpu",
        scale: str = "zscore",
        random_state: int = 43,
    ) -> None:
        self.kernel_size, self.depth, self.start_out, self.stride = kernel_size, depth, start_out, stride
        self.dilation, self.conv_dropout, self.final_dropout = dilation, conv_dropout, final_dropout
        self.double_conv, self.batch_norm, self.growth, self.readout = double_conv, batch_norm, growth, readout
        self.lr, self.weight_decay, self.batch_size = lr, weight_decay, batch_size
        self.max_epochs, self.patience, self.validation_fraction = max_epochs, patience, validation_fraction
        self.accelerator, self.scale, self.random_state = accelerator, scale, random_state

    def fit(self, X: Any, y: Any) -> BrainAgeRegressor:
        """Fit.

        Parameters
        ----------
        X : array-like of shape (n_participants, n_channels, n_times)
            Series, in any units; with another ``scale``, in the same.
        y : array-like of shape (n_participants,)
            Ages in years.

        Returns
        -------
        BrainAgeRegressor
            Itself.

        Raises
        ------
        ValueError
            The shapes do not fit, or a value is not finite.
        SeriesError
            A channel of a participant is constant, or has no percent signal change.
        """
        series, ages = _series(X), np.asarray(y, dtype=np.float64)
        if ages.shape != (len(series),) or not np.isfinite(ages).all():
            raise ValueError(f"`y` must have {len(series)} finite ages, but has shape {ages.shape} or others.")
        if self.scale not in IN_WORDS:
            raise ValueError(f"`scale` must be {', '.join(IN_WORDS)}, but is {self.scale!r}.")
        if not 0 < self.validation_fraction < 1:
            raise ValueError(f"`validation_fraction` must be between 0 and 1, but is {self.validation_fraction}.")
        n_val = max(1, round(self.validation_fraction * len(series)))
        if len(series) - n_val < 2:
            raise ValueError(f"`X` must have at least 3 participants, but has {len(series)}.")
        self.n_channels_, self.n_times_ = series.shape[1:]
        parts = np.array(["train"] * len(series), dtype=object)
        parts[np.random.default_rng(self.random_state).permutation(len(series))[:n_val]] = "val"
        participants = self._participants(series, ages)
        participants = replace(participants, table=participants.table.assign(split=parts))
        arguments = self._arguments()
        with TemporaryDirectory() as folder:
            found = fit(
                lambda: models.build("variable1dcnn", arguments),
                AgeDataModule(participants, batch_size=self.batch_size, seed=self.random_state, residency="memory"),
                self._settings(float(ages[parts == "train"].mean())),
                Path(folder),
            )
        self.network_, self.n_epochs_, self.best_epoch_ = found.network.cpu(), found.epochs, found.best_epoch
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Predict ages.

        Parameters
        ----------
        X : array-like of shape (n_participants, n_channels, n_times)
            Series, as in `fit`; of another length only if `readout` covers all time points.

        Returns
        -------
        array of shape (n_participants,)
            Ages in years.

        Raises
        ------
        ValueError
            The channels are not those of `fit`, the network takes no other length, or the series are too short for it.
        """
        check_is_fitted(self, "network_")
        series = _series(X)
        n_channels, n_times = series.shape[1:]
        model = {"name": "variable1dcnn", **self._arguments(), "n_times": n_times}
        if n_channels != self.n_channels_ or (n_times != self.n_times_ and not geometry.takes_other_lengths(model)):
            raise ValueError(
                f"`X` must have {self.n_channels_} channels and {self.n_times_} time points, as in fit, but has shape "
                f"{series.shape}."
            )
        geometry.check_arguments(model)
        return predict(
            self.network_, series_batches(self._participants(series, np.zeros(len(series))), self.batch_size)
        )

    def _arguments(self) -> dict[str, Any]:
        given = {name: getattr(self, name) for name in _ARGUMENTS}
        return {**given, "in_channels": self.n_channels_, "n_times": self.n_times_}

    def _participants(self, series: NDArray[np.float64], ages: NDArray[np.float64]) -> Participants:
        n_channels, n_times = series.shape[1:]
        channels = tuple(range(n_channels))
        columns, reading, t_r = Columns(n_channels, channels), Reading(n_channels, None), [np.nan] * len(series)
        store = stored([one.T for one in series], columns, reading, t_r, n_times, self.scale)
        return Participants(table_of(len(series), ages), store, channels, n_times, scale=self.scale)

    def _settings(self, mean_age: float) -> FitSettings:
        trainer = TrainerConfig(max_epochs=self.max_epochs, accelerator=self.accelerator, deterministic=True)
        arguments = {**trainer.arguments(), "enable_progress_bar": False, "enable_model_summary": False}
        return FitSettings(
            optimizer=partial(torch.optim.AdamW, lr=self.lr, weight_decay=self.weight_decay),
            scheduler=None,
            trainer_arguments=arguments,
            seed=self.random_state,
            patience=self.patience,
            output_bias=mean_age,
        )


def _series(X: Any) -> NDArray[np.float64]:
    """Return an array of three axes without values that are not finite, or raise ValueError."""
    series = np.asarray(X, dtype=np.float64)
    if series.ndim != 3:
        raise ValueError(f"`X` must have the shape (n_participants, n_channels, n_times), but has {series.shape}.")
    if not np.isfinite(series).all():
        raise ValueError("`X` must be finite, but has NaN or infinity.")
    return series
