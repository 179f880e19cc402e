"""Ensembles: predictions, corrected gaps and notes of networks whose predictions are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from brainage.data.store.reading import Reading
from brainage.errors import DeviceError, EvaluationError
from brainage.evaluation.gap import Correction
from brainage.evaluation.training_stats import Spread
from brainage.trained.ensemble import Ensemble, usable_device
from tests.trained.networks import MODALITY, constant, ensemble, of_run, sample

LINEAR = Correction("linear", intercept=6.0, slope=-0.1, n=20, fitted_on="validation", people="")


def test_each_network_predicts_a_column() -> None:
    both = ensemble(constant(60.0), constant(64.0), a=50.0, b=70.0, c=55.0)
    values, scans = both.predict(both.participants(), "cpu", batch_size=2)
    assert values.tolist() == [[60.0, 64.0]] * 3


def test_participants_need_series_of_each_kind() -> None:
    longer = constant(60.0)
    longer = replace(longer, architecture=replace(longer.architecture, modality=replace(MODALITY, n_times=490)))
    networks = (constant(60.0), longer)
    some = Ensemble(
        networks,
        {
            (Reading(3, 400), 400, "zscore", ()): sample(a=50.0, b=70.0),
            (Reading(3, 490), 490, "zscore", ()): sample(b=70.0, c=55.0),
        },
    )
    assert some.participants().to_dict("list") == {"participant_id": ["b"], "age": [70.0]}
    without = Ensemble(
        networks,
        {(Reading(3, 400), 400, "zscore", ()): sample(a=50.0), (Reading(3, 490), 490, "zscore", ()): sample(c=55.0)},
    )
    with pytest.raises(EvaluationError, match="`runs`"):
        without.participants()


def test_a_corrected_gap_is_the_mean_of_the_networks_corrected_gaps() -> None:
    cole = Correction("cole", intercept=30.0, slope=0.5, n=20, fitted_on="validation", people="")
    both = ensemble(constant(60.0, correction=LINEAR), constant(64.0, correction=cole), a=50.0, b=70.0)
    corrected = both.corrected(both.participants(), np.array([[60.0, 64.0], [60.0, 64.0]]))
    assert not isinstance(corrected, str)
    # linear: gaps 10 and -10 minus (6 - 0.1 age) are 9 and -9; cole: (64 - 30) / 0.5 = 68 minus ages are 18 and -2.
    assert corrected.gaps.tolist() == pytest.approx([(9 + 18) / 2, (-9 - 2) / 2])
    assert [fit.fitted_on for fit in corrected.corrections] == ["validation of network 1", "validation of network 2"]


def test_the_correction_of_a_single_network_names_the_run() -> None:
    one = ensemble(constant(60.0, correction=LINEAR), a=50.0)
    corrected = one.corrected(one.participants(), np.array([[60.0]]))
    assert not isinstance(corrected, str)
    assert [fit.fitted_on for fit in corrected.corrections] == ["the run's own validation participants"]


def test_crossfit_is_not_applied_to_participants_on_whom_it_was_fitted() -> None:
    fit = replace(LINEAR, method="crossfit", fitted_on="held-out")
    one = ensemble(constant(60.0, correction=fit, gap_correction="crossfit"), a=50.0, b=60.0)
    table, values = one.participants(), np.array([[60.0], [60.0]])
    corrected = one.corrected(table.assign(split=None), values)
    assert not isinstance(corrected, str)
    assert corrected.gaps.tolist() == pytest.approx([9.0, 0.0])
    assert [fit.fitted_on for fit in corrected.corrections] == ["the run's own held-out participants"]
    reason = one.corrected(table.assign(split=["test", None]), values)
    assert reason == "It was fitted on held-out participants of the run, and 1 of them are predicted here."


def test_without_a_correction_of_each_network_there_is_a_reason() -> None:
    both = ensemble(constant(60.0, correction=LINEAR), constant(64.0, uncorrected="Too few."), a=50.0)
    assert both.corrected(both.participants(), np.array([[60.0, 64.0]])) == "Too few."


def test_a_participant_is_training_data_if_any_network_was_trained_on_it() -> None:
    both = ensemble(
        of_run(60.0, a="train", b="val", c="test"),
        of_run(64.0, a="test", b="test", c="test", d="val"),
        constant(62.0),
        **dict.fromkeys("abcde", 50.0),
    )
    parts = both.parts(both.participants())
    assert parts[:4].tolist() == ["train", "val", "test", "val"]
    assert pd.isna(parts[4])


def test_caveats_count_values_outside_the_training_range() -> None:
    ages = Spread(60, 55.0, 5.0, 50.0, 60.0)
    narrow = {"excess kurtosis": Spread(60, 9.0, 0.1, 8.9, 9.1)}  # of normal noise it is about 0
    one = ensemble(constant(60.0, ages=ages, series=narrow), a=44.0, b=50.0, c=60.0, d=float("nan"))
    age, series = one.caveats(one.participants())
    assert age.startswith("1 of 3 known ages")
    assert "50 to 60 years, the 5th to 95th percentile of those that the network" in age
    assert series.startswith("4 of 4 participants' series")
    assert "excess kurtosis" in series
    assert "8.9 to 9.1" in series


def test_a_range_that_is_not_known_is_a_caveat() -> None:
    few = Spread(49, 55.0, 5.0)
    one = ensemble(constant(60.0, ages=few, series={"excess kurtosis": few}), a=90.0)
    notes = one.caveats(one.participants())
    assert len(notes) == 2
    assert all("range of" in note and "fewer than 50 training participants" in note for note in notes)


def test_caveats_number_the_networks_of_unknown_training_data() -> None:
    both = ensemble(constant(60.0), constant(64.0), a=50.0)
    notes = both.caveats(both.participants())
    assert [("network 1" in note, "network 2" in note) for note in notes] == [(True, False)] * 2 + [(False, True)] * 2
    assert all("unknown" in note for note in notes)


def test_a_device_that_the_machine_lacks_is_named() -> None:
    assert usable_device("cpu") == "cpu"
    with pytest.raises(DeviceError, match="`device`.*'abacus'.*device=cpu"):
        usable_device("abacus")


@pytest.mark.parametrize(
    ("found", "channels"),
    [
        (("a", "b", "c"), (2, 0)),
        (("c", "x", "a"), (0, 2)),
        (("c", "a", "a"), None),  # which `a` is not known
        (("a", "a", "c"), (2, 0)),
    ],
)
def test_channels_are_found_by_name_or_by_place_where_names_repeat(
    found: tuple[str, ...], channels: tuple[int, ...] | None
) -> None:
    known = constant(60.0, channel_names=("c", "a"))
    chosen = replace(MODALITY, channels=[3, 1], n_channels=2)
    known = replace(known, architecture=replace(known.architecture, modality=chosen))
    store = replace(sample(p=50.0).participants.store, channels=found)
    if channels is not None:
        assert known.channels_in(store) == channels
        return
    with pytest.raises(
        EvaluationError, match="`bundle=bundle` must get channels in its own order.*2 names of 3 channels"
    ):
        known.channels_in(store)
