"""``modality.scale``: percent signal change and numbers as read, from files whose means and SDs the tests choose."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainage.commands import explained
from brainage.config.groups.modality import ModalityConfig
from brainage.data.batches import Draw
from brainage.data.cohorts.select import Selection
from brainage.data.datasets import dataset_of
from brainage.data.participants import Participants, stored_participants
from brainage.data.scale import has_percent
from brainage.data.store.several import LabelledScan, SeveralScans
from brainage.data.traits import traits_of
from brainage.errors import CohortError, ConfigError
from brainage.models.features.amplitude import Amplitude

# Two channels of four time points: means 200 and 50, SDs 20 and 5 (population), percent +-10.
RISING = np.array([[180.0, 45.0], [220.0, 55.0], [180.0, 55.0], [220.0, 45.0]])
PERCENT = np.array([[-10, 10, -10, 10], [-10, 10, 10, -10]])

FIXED = ModalityConfig(
    name="two", dimension=2, components="all", good_components=None, n_channels=2, n_times=4, windows="first"
)


@dataclass(frozen=True)
class Made:
    """The series times a factor, plus a constant, as many times as there are repeats."""

    factor: float = 1.0
    shift: float = 0.0
    repeats: int = 1

    def read(self) -> np.ndarray:
        return np.tile(RISING * self.factor + self.shift, (self.repeats, 1))

    def stamp(self) -> tuple[str | int | float, ...]:
        return (self.factor, self.shift, self.repeats)


ICA = Made(shift=-200.0)  # the means are 0 and -150
SCANS = {"a": Made(), "b": Made(2.0), "c": Made(shift=100.0)}


def opened(root: Path, scans: dict[str, object], scale: str, **changes: object) -> Participants:
    table = pd.DataFrame({"participant_id": list(scans), "age": np.arange(50.0, 50 + len(scans))})
    modality = replace(FIXED, scale=scale, **changes)
    return stored_participants(Selection(table, scans), modality, str(root), pd.Series("train", list(scans)))


def seen(participants: Participants, *, held: bool) -> list[np.ndarray]:
    dataset = dataset_of(participants, held=held)
    return [dataset[Draw(np.array([number]))][0].numpy() for number in range(len(participants))]


@pytest.mark.parametrize("held", [True, False], ids=["memory", "mapped"])
@pytest.mark.parametrize("windows", ["first", "all"])
def test_percent_and_none_are_those_by_hand(windows: str, held: bool, tmp_path: Path) -> None:
    percent = seen(opened(tmp_path, SCANS, "percent", windows=windows), held=held)
    as_read = seen(opened(tmp_path, SCANS, "none", windows=windows), held=held)
    z_scored = seen(opened(tmp_path, SCANS, "zscore", windows=windows), held=held)
    shifted = PERCENT * [[200 / 300], [50 / 150]]
    for number, expected in enumerate((PERCENT, PERCENT, shifted)):
        np.testing.assert_allclose(percent[number][0], expected, rtol=1e-6)
        np.testing.assert_allclose(z_scored[number][0], PERCENT / 10, rtol=1e-6)
        np.testing.assert_allclose(as_read[number][0], list(SCANS.values())[number].read().T, rtol=1e-6)


@pytest.mark.parametrize("shuffle_seed", [None, 3])
@pytest.mark.parametrize("windows", ["first", "all"])
def test_memory_the_mapped_file_and_explanations_have_the_same_bits(
    windows: str, shuffle_seed: int | None, tmp_path: Path
) -> None:
    for scale in ("percent", "none"):
        participants = opened(tmp_path, SCANS, scale, windows=windows)
        participants = replace(participants, channels=(1,), shuffle_seed=shuffle_seed)
        held, mapped = (np.concatenate(seen(participants, held=held)) for held in (True, False))
        np.testing.assert_array_equal(held, mapped)
        np.testing.assert_array_equal(held, explained.series(participants))
        assert (explained.means(participants) is None) == (scale == "percent")


def test_each_scan_of_a_participant_has_its_own_mean_in_windows_of_any_length(tmp_path: Path) -> None:
    several = SeveralScans((LabelledScan("ses-1", Made(), 50.0), LabelledScan("ses-2", Made(3.0, 50.0, 2), 54.0)))
    participants = opened(tmp_path, {"a": Made(2.0, repeats=3), "b": several}, "none", windows="all")
    assert participants.store.moments is not None and participants.store.moments.shape == (3, 2, 2)
    np.testing.assert_allclose(participants.store.moments[2], [[650, 60], [200, 15]])
    for held in (True, False):
        first, second = seen(participants, held=held)
        np.testing.assert_allclose(first, np.tile(2 * RISING.T, (3, 1, 1)), rtol=1e-6)
        np.testing.assert_allclose(second, [RISING.T, *[3 * RISING.T + 50] * 2], rtol=1e-6)


def test_percent_is_refused_where_means_are_near_zero(tmp_path: Path) -> None:
    with pytest.raises(CohortError) as raised:
        opened(tmp_path, {"secret-a": ICA, "secret-b": ICA, "secret-c": Made()}, "percent")
    said = str(raised.value)
    assert "`modality.scale=percent`" in said and "2 of 3 participants it is not, in 2 of 2 channels" in said
    assert "modality.scale=none" in said and "secret" not in said


def test_few_participants_without_a_mean_are_excluded_only_from_percent_and_by_the_channels_seen(
    tmp_path: Path,
) -> None:
    first_only = Made(shift=-45.0)  # means 155 and 5, of which the second is at its SD
    scans = {"a": Made(), "b": first_only, "c": Made(2.0)}
    found = opened(tmp_path, scans, "percent")
    assert list(found.table["participant_id"]) == ["a", "c"]
    assert found.store.excluded == {"b": ("mean near 0", "in 1 of 2 channels")}
    assert len(opened(tmp_path, scans, "none")) == 3
    assert len(opened(tmp_path, scans, "percent", channels=[1], n_channels=1)) == 3


def test_a_missing_channel_is_zero_in_every_scale(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Constant(Made):
        def read(self) -> np.ndarray:
            return RISING * [1, 0] + [0, 700]

    for scale in ("percent", "none", "zscore"):
        participants = opened(tmp_path, {"a": Constant()}, scale, missing="zero", max_missing_fraction=0.5)
        (series,) = seen(participants, held=False)
        assert not series[0, 1].any() and series[0, 0].any()


def test_fingerprints_depend_on_the_means_only_where_a_network_sees_them(tmp_path: Path) -> None:
    def of(root: str, scale: str, scans: dict[str, object]) -> tuple[str, list[int]]:
        found = opened(tmp_path / root, scans, scale)
        return found.data_fingerprint(), found.checksums.tolist()

    other = {**SCANS, "b": Made(4.0)}
    assert of("one", "zscore", SCANS) == of("other", "zscore", other)
    kinds = {of("one", scale, SCANS)[0] for scale in ("zscore", "percent", "none")}
    assert len(kinds) == 3
    (_, one), (_, changed) = of("one", "none", SCANS), of("other", "none", other)
    assert [a == b for a, b in zip(one, changed, strict=True)] == [True, False, True]


def test_traits_have_the_amplitude_of_a_scale(tmp_path: Path) -> None:
    rows, channels = np.arange(3), np.array([0, 1])
    of = {scale: opened(tmp_path, SCANS, scale) for scale in ("zscore", "percent", "none")}
    traits = {scale: dict(traits_of(one.store, rows, channels, scale)) for scale, one in of.items()}
    assert set(traits["percent"]) - set(traits["zscore"]) == {"SD in percent of the mean"}
    np.testing.assert_allclose(traits["percent"]["SD in percent of the mean"], [10, 10, 5])
    np.testing.assert_allclose(traits["none"]["mean"], [125, 250, 225])
    np.testing.assert_allclose(traits["none"]["SD"], [12.5, 25, 12.5])


def test_the_feature_set_amplitude_is_by_hand_and_is_of_series_that_are_not_z_scored(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Silent(Made):
        def read(self) -> np.ndarray:
            return RISING * [1, 0]

    several = SeveralScans((LabelledScan("ses-1", Made(), 50.0), LabelledScan("ses-2", Made(shift=100.0), 54.0)))
    scans = {"a": Made(), "b": several, "c": Silent()}
    missing = {"missing": "zero", "max_missing_fraction": 0.5, "windows": "all"}
    features, expected = Amplitude(), np.log([[10, 10], [(10 * 20 / 3) ** 0.5, (10 * 10 / 3) ** 0.5], [10, np.nan]])
    raw = features.raw(opened(tmp_path, scans, "percent", **missing))
    np.testing.assert_allclose(raw, expected, rtol=1e-6)
    features.fit(raw[:2])
    assert features.transform(raw)[2, 1] == pytest.approx(expected[:2, 1].mean())
    as_read = features.raw(opened(tmp_path, scans, "none", **missing))
    np.testing.assert_allclose(
        as_read[:2], [[np.log(20), np.log(5), 200, 50], [np.log(20), np.log(5), 250, 100]], rtol=1e-6
    )
    with pytest.raises(ConfigError, match="`amplitude` are of series that are not z-scored"):
        features.raw(opened(tmp_path, scans, "zscore", **missing))


@pytest.mark.parametrize(
    ("mean", "sd", "expected"),
    [(100, 1, True), (1.1, 1, True), (1, 1, False), (1e-15, 1, False), (-100, 1, False), (0, 0, True)],
)
def test_percent_needs_a_mean_above_the_sd(mean: float, sd: float, expected: bool) -> None:
    assert has_percent(np.array([mean, sd])) == expected
