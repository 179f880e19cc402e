"""Apply one or several trained networks to a cohort: predictions, corrected gaps and caveats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from brainage.config.groups.cohort import CohortConfig
from brainage.data.cohorts.select import Choice, Selection, select_from
from brainage.data.participants import Participants, means_over_scans, reading_of, stored_participants
from brainage.data.pieces import rows_by_scan
from brainage.data.store.reading import Reading
from brainage.data.traits import traits_of
from brainage.errors import DeviceError, EvaluationError
from brainage.evaluation.conformal import Intervals
from brainage.evaluation.disclosure import MIN_RANKED, may_describe
from brainage.evaluation.gap import Correction
from brainage.evaluation.stack import joined
from brainage.trained.intervals import intervals_of
from brainage.trained.length import length_caveats
from brainage.trained.network import Trained, TrainedStack
from brainage.trained.sites import site_caveats
from brainage.trained.t_r import check_new, t_r_caveats

# How a network's files are read, the time points that it needs, and what else may exclude participants.
Shape = tuple[Reading, int, str, tuple[object, ...]]

_NO_RANGE = f"fewer than {MIN_RANKED} training participants, or written by an earlier version"


@dataclass(frozen=True)
class Sample:
    """A cohort's table, and its participants with series of one shape."""

    selection: Selection
    participants: Participants


@dataclass(frozen=True)
class CorrectedGaps:
    """Corrected gaps, in years, means over the networks, and the corrections that were applied."""

    gaps: pd.Series[float]
    corrections: list[Correction]


def read_sample(cohort: CohortConfig, trained: Trained, store_root: str, phenotypes: Choice | None = None) -> Sample:
    """Read a cohort whose ages may be unknown; its store is written if there is none. See `select_participants`.

    The participants have the channels of the network; raises as `Trained.channels_in`, and CohortError if the
    repetition time is another than in training.
    """
    modality = trained.modality
    selection = select_from(cohort, modality, stores=[store_root], phenotypes=phenotypes, need_ages=False)
    check_new(trained, selection.scanned)  # before files are read, which may have others
    participants = stored_participants(selection, modality, store_root, channels=trained.channels_in)
    check_new(trained, participants.table)
    return Sample(selection, participants)


def read_samples(
    networks: Sequence[Trained], cohort: CohortConfig, store_root: str, phenotypes: Choice | None = None
) -> dict[Shape, Sample]:
    """Read a cohort once for every input shape of the networks."""
    samples: dict[Shape, Sample] = {}
    for trained in networks:
        if shape_of(trained) not in samples:
            samples[shape_of(trained)] = read_sample(cohort, trained, store_root, phenotypes)
        check_new(trained, samples[shape_of(trained)].participants.table)
    return samples


@dataclass(frozen=True)
class Ensemble:
    """One or more trained networks, the samples that they are applied to (`read_samples`), and their stack, if any."""

    networks: Sequence[Trained]
    samples: dict[Shape, Sample]
    stack: TrainedStack | None = None

    def participants(self) -> pd.DataFrame:
        """Return ``participant_id`` and ``age`` of the participants with series for all networks."""
        return self.table()[["participant_id", "age"]]

    def table(self) -> pd.DataFrame:
        """Return the same participants, with all columns of their table."""
        tables = [sample.participants.table for sample in self.samples.values()]
        shared = set.intersection(*(set(table["participant_id"]) for table in tables))
        if not shared:
            raise EvaluationError(
                "`runs` need participants with series of all modalities of the networks, but there are none. Predict "
                "with networks of one modality, or check that the files of each exist."
            )
        return tables[0][tables[0]["participant_id"].isin(shared)].reset_index(drop=True)

    def participants_for(self, trained: Trained, table: pd.DataFrame) -> Participants:
        """Return the participants of a table, with the channels of a network."""
        known = self.samples[shape_of(trained)].participants
        chosen = known.where(known.table["participant_id"].isin(set(table["participant_id"])).to_numpy())
        return replace(chosen, channels=trained.channels_in(known.store))

    def predict(
        self, table: pd.DataFrame, device: str, batch_size: int
    ) -> tuple[NDArray[np.float64], pd.DataFrame | None]:
        """Return predicted ages of the table's participants, of shape (n_participants, n_networks), in years.

        Where participants have several scans, they are means over scans; of these, there are ``participant_id, scan,
        age, predicted_age``, the (weighted) mean over networks.
        """
        columns, scans = [], []
        weights = [1.0] * len(self.networks) if self.stack is None else self.stack.weights
        for trained, weight in zip(self.networks, weights, strict=True):
            participants = self.participants_for(trained, table)
            ages, found = _predicted(trained, participants, device, batch_size)
            columns.append(ages)
            if found is not None:
                scans.append(found[["participant_id", "scan", "age", "predicted_age"]].assign(weight=weight))
        values = np.stack(columns, axis=1)
        return values, _over_networks(pd.concat(scans)) if scans else None

    def joined(self, values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the (weighted) mean of what the networks predict, and the SD between them."""
        return joined(values, None if self.stack is None else self.stack.weights)

    def caveats(self, table: pd.DataFrame) -> list[str]:
        """Return notes on ages, lengths, repetition times and series outside the training range, without duplicates."""
        notes: list[str] = []
        for number, trained in enumerate(self.networks, start=1):
            which = f"network {number}" if len(self.networks) > 1 else "the network"
            notes += _age_caveats(trained, which, table["age"].dropna().to_numpy(float))
            participants = self.participants_for(trained, table)
            notes += length_caveats(trained, which)
            notes += t_r_caveats(trained, which, participants.table)
            notes += site_caveats(trained, which, participants.table)
            notes += _series_caveats(trained, which, participants)
        return list(dict.fromkeys(notes))

    def of(self, table: pd.DataFrame) -> Ensemble:
        """Return the same of the participants of a table."""
        ids = set(table["participant_id"])

        def chosen(known: Participants) -> Participants:
            return known.where(known.table["participant_id"].isin(ids).to_numpy())

        samples = {shape: replace(one, participants=chosen(one.participants)) for shape, one in self.samples.items()}
        return replace(self, samples=samples)

    def with_networks(self, networks: Sequence[Trained], stack: TrainedStack | None) -> Ensemble:
        """Return the same participants with other networks, each of which sees what that in its place sees."""
        both = zip(networks, self.networks, strict=True)
        return Ensemble(networks, {shape_of(new): self.samples[shape_of(old)] for new, old in both}, stack)

    def corrected(self, table: pd.DataFrame, values: NDArray[np.float64]) -> CorrectedGaps | str:
        """Return gaps corrected by each network's own correction, or by that of the stack; or why they cannot be."""
        sources: Sequence[Trained | TrainedStack] = self.networks if self.stack is None else [self.stack]
        columns = values if self.stack is None else self.joined(values)[0][:, None]
        for source in sources:
            if source.correction is None:
                return source.uncorrected
            if source.gap_correction == "crossfit" and (n := int(table["split"].isin(["val", "test"]).sum())):
                return f"It was fitted on held-out participants of the run, and {n:,} of them are predicted here."
        fits = [source.correction for source in sources if source.correction is not None]
        if len(fits) == 1:
            whose = "the run's" if self.stack is None else "the stack's"
            fits = [replace(fits[0], fitted_on=f"{whose} own {fits[0].fitted_on} participants")]
        else:
            fits = [replace(fit, fitted_on=f"{fit.fitted_on} of network {n}") for n, fit in enumerate(fits, 1)]
        age = table["age"].to_numpy(float)
        gaps = [fit.gap(age, columns[:, number]) for number, fit in enumerate(fits)]
        return CorrectedGaps(pd.Series(np.mean(gaps, axis=0), table.index, dtype=float), fits)

    def intervals(self, table: pd.DataFrame) -> Intervals:
        """Return the intervals of a table's predictions; see `brainage.trained.intervals.intervals_of`."""
        return intervals_of(self.networks, self.stack, table)

    def parts(self, table: pd.DataFrame) -> pd.Series:
        """Return the parts of the runs' splits that participants were in; "train" precedes "val" and "test"."""
        parts = pd.Series(None, index=table.index, dtype=object)
        for part in ("test", "val", "train"):
            for trained in self.networks:
                if (own := trained.own_predictions) is not None:
                    ids = set(own.loc[own["split"] == part, "participant_id"])
                    parts[table["participant_id"].isin(ids)] = part
        return parts


def _predicted(
    trained: Trained, participants: Participants, device: str, batch_size: int
) -> tuple[NDArray[np.float64], pd.DataFrame | None]:
    """Return predicted ages and, where participants have several scans, those of each scan.

    A baseline reads all scans of a participant together; of a network, the age is the mean over scans.
    """
    predict = partial(trained.predict, device=device, batch_size=batch_size)
    if not participants.store.scans:
        return predict(participants), None
    is_baseline = trained.architecture.is_baseline
    parts = rows_by_scan(participants) if is_baseline else [participants.by_scan()]
    scans = pd.concat([part.table.assign(predicted_age=predict(part)) for part in parts], ignore_index=True)
    ages = predict(participants) if is_baseline else means_over_scans(scans)["predicted_age"].to_numpy()
    return ages, scans


def _over_networks(scans: pd.DataFrame) -> pd.DataFrame:
    """Return the mean over the networks that predicted a scan, by ``weight``."""
    keys = ["participant_id", "scan", "age"]
    summed = scans.assign(predicted_age=scans["predicted_age"] * scans["weight"]).groupby(
        keys, sort=False, dropna=False
    )
    found = summed["predicted_age"].sum() / summed["weight"].sum()
    return found.rename("predicted_age").reset_index()


def shape_of(trained: Trained) -> Shape:
    """Return the key of a network's sample."""
    modality = trained.modality
    # Without percent signal change, networks that see other channels have the same participants.
    channels = (trained.channel_names or modality.channel_indices()) if modality.scale == "percent" else ()
    return reading_of(modality), modality.n_times, modality.scale, tuple(channels)


def _age_caveats(trained: Trained, which: str, ages: NDArray[np.float64]) -> list[str]:
    known = trained.ages
    if known is None:
        return [f"The ages that {which} was trained on are unknown."]
    if not known.range_text:
        return [f"The range of ages that {which} was trained on is unknown: {_NO_RANGE}."]
    if not (n_outside := known.n_outside(ages)):
        return []
    return [
        f"{n_outside:,} of {len(ages):,} known ages are outside {known.range_text} years, the 5th to 95th percentile "
        f"of those that {which} was trained on: predictions far outside are extrapolations."
    ]


def _series_caveats(trained: Trained, which: str, participants: Participants) -> list[str]:
    if not trained.series:
        return [f"The series that {which} was trained on are unknown."]
    notes = []
    if not any(known.range_text for known in trained.series.values()):
        return [f"The range of series that {which} was trained on is unknown: {_NO_RANGE}."]
    channels, scale = np.array(participants.channels), participants.scale
    for name, values in traits_of(participants.store, participants.rows, channels, scale):
        known = trained.series.get(name)
        if known is not None and (n_outside := known.n_outside(values)):
            notes.append(
                f"{n_outside:,} of {len(values):,} participants' series are outside what {which} was trained on: "
                f"{name} {known.range_text}, the 5th to 95th percentile there."
            )
        elif known is not None and may_describe(len(values)) and (shift := known.shift(values)):
            notes.append(
                f"The mean {name} of {len(values):,} participants is {abs(shift):.1f} SD "
                f"{'above' if shift > 0 else 'below'} that of the series that {which} was trained on, though few are "
                "outside their range: predictions may be shifted."
            )
    return notes


def usable_device(asked: str) -> str:
    """Return the device to predict on; ``auto`` is the accelerator if there is one. May raise a `DeviceError`."""
    if asked == "auto":
        return str(torch.accelerator.current_accelerator()) if torch.accelerator.is_available() else "cpu"
    try:
        torch.zeros(1, device=asked)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise DeviceError(
            f"`device` must be one that this machine has, but got {asked!r}: {reason} Use device=auto or device=cpu."
        ) from None
    return asked
