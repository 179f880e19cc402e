"""Trained networks in Python: a bundle, or a run, predicts arrays."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from brainage.api.memory import Columns, stored, table_of
from brainage.data.cohorts.select import Selection
from brainage.data.participants import Participants, reading_of
from brainage.data.store.layout import Store
from brainage.errors import EvaluationError
from brainage.trained.bundle import read_bundle
from brainage.trained.ensemble import Ensemble, Sample, shape_of
from brainage.trained.network import Trained
from brainage.trained.t_r import check_new, resampling


def load_bundle(folder: str | Path) -> Bundle:
    """Load a bundle, which ``brainage bundle export`` writes; nothing in it is executed.

    Parameters
    ----------
    folder : str or Path
        The bundle's folder.

    Returns
    -------
    Bundle
        Its network, which predicts.

    Raises
    ------
    MissingPathError, BundleError
        It is none, or is damaged.

    Examples
    --------
    >>> import brainage as ba
    >>> bundle = ba.load_bundle("brain-age-ica25")  # doctest: +SKIP
    >>> bundle.predict([series], ages=[63.2], t_r=0.735)  # doctest: +SKIP
    """
    return Bundle(read_bundle(Path(folder).expanduser(), "bundle"))


class Bundle:
    """A trained network that predicts ages from arrays; `load_bundle` and `LoadedRun.bundle` return one."""

    def __init__(self, trained: Trained) -> None:
        self._trained = trained

    def __repr__(self) -> str:
        modality = self._trained.modality
        t_r = "several TRs" if modality.t_r is None else f"TR {modality.t_r:g} s"
        shape = f"{len(self.channels)} channels, {modality.n_times} time points, {t_r}"
        return f"<brainage.Bundle {self._trained.label}: {shape}>"

    @property
    def channels(self) -> list[str] | list[int]:
        """Names of the network's channels, or their numbers from 1 where they have no names; in its order."""
        if (names := self._trained.channel_names) is not None:
            return list(names)
        return [index + 1 for index in self._trained.modality.channel_indices()]

    def network(self) -> nn.Module:
        """Return the network in evaluation mode: from z-scored (batch, n_channels, n_times) to (batch, 1), in years."""
        return self._trained.network()

    def predict(
        self,
        series: Sequence[Any] | Mapping[Any, Any],
        *,
        ages: Any = None,
        channels: Sequence[str] | Sequence[int] | None = None,
        t_r: Any = None,
        resample: bool = False,
    ) -> pd.DataFrame:
        """Predict ages.

        Arrays are checked, z-scored and put into the network's channels: give them in their own units and length.

        Parameters
        ----------
        series : sequence or dict of array-like of shape (n_times, n_channels)
            An array for each participant; their lengths may differ. The keys of a dict are the index of the result.
        ages : array-like of shape (n_participants,), optional
            Ages in years; NaN where unknown.
        channels : sequence of str or of int, optional
            Names of the columns, or their numbers in the decomposition, from 1. A network whose channels have names
            needs them; for others, arrays without `channels` have all columns of the modality's files, in order.
        t_r : float or array-like of shape (n_participants,), optional
            Repetition time in seconds. A warning says so where it is unknown.
        resample : bool, default=False
            Whether series are resampled to the network's repetition time; otherwise those of another are refused.

        Returns
        -------
        DataFrame
            In years: ``predicted_age`` and, with ages, ``age``, ``bag`` (predicted - age) and, where the network has
            a correction, ``bag_corrected``.

        Raises
        ------
        SeriesError
            Arrays cannot be used; the message names their positions.
        EvaluationError
            The channels are not those of the network, or a predicted age is not finite.
        CohortError
            The repetition time is not that of the network.
        ValueError
            There are not as many ages or repetition times as series.
        """
        index = list(series) if isinstance(series, Mapping) else list(range(len(series)))
        arrays = list(series.values()) if isinstance(series, Mapping) else list(series)
        table = table_of(len(arrays), ages, t_r)
        trained = resampling(self._trained) if resample else self._trained
        check_new(trained, table)
        columns = _columns(trained, channels)
        trained = _of_own_channels(trained)
        modality = trained.modality
        store = stored(arrays, columns, reading_of(modality), table["t_r"].to_list(), modality.n_times)
        participants = Participants(table, store, tuple(modality.channel_indices()), modality.n_times)
        return _predicted(trained, participants).set_axis(index, axis=0)


def _columns(trained: Trained, channels: Sequence[str] | Sequence[int] | None) -> Columns:
    """Return which columns of arrays with these channels are those of a network."""
    if channels is not None and len(set(channels)) < len(channels):
        raise EvaluationError(f"`channels` must be different, but {len(channels)} have {len(set(channels))} names.")
    numbers = [int(one) for one in channels or () if isinstance(one, int | np.integer)]
    if channels is None or len(numbers) < len(channels):
        names = None if channels is None else tuple(map(str, channels))
        named = Store(Path("memory"), (), {}, np.empty((0, 0, 0), np.float32), np.empty(0, np.uint32), channels=names)
        return Columns(trained.modality.dimension if names is None else len(names), trained.channels_in(named))
    needed = [index + 1 for index in trained.modality.channel_indices()]
    place = {number: position for position, number in enumerate(numbers)}
    if trained.channel_names is not None or not set(needed) <= set(place):
        known = "channels with names" if trained.channel_names is not None else f"the components {needed}"
        raise EvaluationError(
            f"`channels` must have those of the network, which was trained on {known}; see .channels."
        )
    return Columns(len(place), [place[number] for number in needed])


def _of_own_channels(trained: Trained) -> Trained:
    """Return a network for series that have its own channels only, in its order."""
    modality = replace(trained.modality, channels="all", dimension=trained.modality.n_channels, good_components=None,
                       components="all", windows="all" if trained.modality.whole_series else "first")  # fmt: skip
    return replace(trained, architecture=replace(trained.architecture, modality=modality), channel_names=None)


def _predicted(trained: Trained, participants: Participants) -> pd.DataFrame:
    """Return the result of `Bundle.predict`; caveats are warnings."""
    table = participants.table
    ensemble = Ensemble([trained], {shape_of(trained): Sample(Selection(table, {}), participants)})
    values = trained.predict(participants)
    for note in ensemble.caveats(table):
        warnings.warn(note, stacklevel=3)
    found = pd.DataFrame({"predicted_age": values})
    if table["age"].isna().all():
        return found
    found = found.assign(age=table["age"], bag=values - table["age"])[["age", "predicted_age", "bag"]]
    corrected = ensemble.corrected(table, values[:, None])
    return found if isinstance(corrected, str) else found.assign(bag_corrected=corrected.gaps)
