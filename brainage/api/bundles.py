"""Trained networks in Python: a bundle, or a run, predicts arrays."""

from __future__ import annotations

import itertools
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
from brainage.trained.network import Trained, TrainedStack
from brainage.trained.stack import is_stack, read_stack
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
        Its network, or stack of networks, which predicts.

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
    place = Path(folder).expanduser()
    return Bundle(read_stack(place, "bundle") if is_stack(place) else read_bundle(place, "bundle"))


class Bundle:
    """A trained network, or stack of them, that predicts ages from arrays.

    `load_bundle` and `LoadedRun.bundle` return one.
    """

    def __init__(self, trained: Trained | TrainedStack) -> None:
        self._trained = trained
        self._members = trained.members if isinstance(trained, TrainedStack) else (trained,)

    def __repr__(self) -> str:
        modality = self._members[0].modality
        t_r = "several TRs" if modality.t_r is None else f"TR {modality.t_r:g} s"
        shape = f"{len(self.channels)} channels, {modality.n_times} time points, {t_r}"
        return f"<brainage.Bundle {self._trained.label}: {shape}>"

    @property
    def channels(self) -> list[str | int]:
        """Names of the network's channels, or their numbers from 1 where they have no names; in its order.

        Of a stack, those that any of its networks has.
        """
        first, *others = map(_own_channels, self._members)
        return list(dict.fromkeys(itertools.chain(first, *others)))

    def network(self) -> nn.Module:
        """Return the network in evaluation mode: from (batch, n_channels, n_times) to (batch, 1), in years.

        Its series are z-scored over time, unless it was trained with another ``modality.scale``.

        A stack has several: load the bundle of one, such as its folder ``member-1``.
        """
        if isinstance(self._trained, TrainedStack):
            raise EvaluationError(
                f"`{self._trained.folder}` is a stack of {len(self._members)} networks. Load the bundle of one of "
                "them, such as its folder member-1."
            )
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

        Arrays are checked, z-scored (or scaled as in training) and put into the network's channels: give them in their
        own units and length.

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
            a correction, ``bag_corrected``; for a stack also ``predicted_age_sd``, the SD between its networks; where
            the bundle has intervals, their bounds ``predicted_age_low`` and ``predicted_age_high``.

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
        members = [resampling(member) if resample else member for member in self._members]
        _check_one_decomposition(self._trained.folder, members)
        for member in members:
            check_new(member, table)
        each = [_applied(member, arrays, _columns(member, channels), table) for member in members]
        stack = self._trained if isinstance(self._trained, TrainedStack) else None
        return _predicted(Ensemble(members, {}, stack), each, table).set_axis(index, axis=0)


def _check_one_decomposition(folder: Path, members: Sequence[Trained]) -> None:
    """Raise unless the channels of all networks can be among those of one array."""
    seen = {member.modality.name: member.modality.dimension for member in members if member.channel_names is None}
    if len(set(seen.values())) > 1:
        raise EvaluationError(
            f"`{folder}` is a stack of networks for several decompositions ({', '.join(seen)}), but one array has the "
            f"components of one. Predict files with: brainage predict bundle={folder}"
        )


def _own_channels(trained: Trained) -> list[str | int]:
    if (names := trained.channel_names) is not None:
        return list(names)
    return [index + 1 for index in trained.modality.channel_indices()]


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


def _applied(trained: Trained, arrays: Sequence[Any], columns: Columns, table: pd.DataFrame) -> Ensemble:
    """Return a network with its participants in memory."""
    trained = _of_own_channels(trained)
    modality = trained.modality
    scale, t_rs = modality.scale, table["t_r"].to_list()
    store = stored(arrays, columns, reading_of(modality), t_rs, modality.n_times, scale)
    participants = Participants(
        table, store, tuple(modality.channel_indices()), modality.n_times, t_r=modality.t_r, scale=scale
    )
    return Ensemble([trained], {shape_of(trained): Sample(Selection(table, {}), participants)})


def _predicted(together: Ensemble, each: Sequence[Ensemble], table: pd.DataFrame) -> pd.DataFrame:
    """Return the result of `Bundle.predict` from `each` of the networks `together`; caveats are warnings."""
    values = np.concatenate([one.predict(table, "cpu", 128)[0] for one in each], axis=1)
    for note in dict.fromkeys(note for one in each for note in one.caveats(table)):
        warnings.warn(note, stacklevel=3)
    mean, sd = together.joined(values)
    found = pd.DataFrame({"predicted_age": mean})
    if table["age"].notna().any():
        found = found.assign(age=table["age"], bag=mean - table["age"])[["age", "predicted_age", "bag"]]
        corrected = together.corrected(table, values)
        found = found if isinstance(corrected, str) else found.assign(bag_corrected=corrected.gaps)
    found = found if together.stack is None else found.assign(predicted_age_sd=sd)
    intervals = together.intervals(pd.DataFrame({"predicted_age": mean, "split": None}))
    return found.join(intervals.bounds) if intervals.fits else found
