"""Which reader a config asks for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from brainage.config.groups.cohort import (
    BidsCohortConfig,
    CohortConfig,
    SimulatedCohortConfig,
    SimulatedParts,
    UkbCohortConfig,
)
from brainage.config.groups.modality import ModalityConfig
from brainage.data.cohorts.bids import BidsCohort
from brainage.data.cohorts.readers import reader_of
from brainage.data.cohorts.simulated import SimulatedCohort
from brainage.data.cohorts.simulated2 import SimulatedCohort2
from brainage.data.cohorts.ukb import UkbCohort
from brainage.errors import ConfigError

MODALITY = ModalityConfig("ica7", 7, "good", [1, 3], n_channels=2, n_times=40, t_r=2.0)


def test_the_simulated_cohort_takes_its_series_from_the_modality() -> None:
    found = reader_of(SimulatedCohortConfig("simulated", n_participants=12, seed=3, signal=0.5), MODALITY)
    assert found == SimulatedCohort(n_participants=12, seed=3, signal=0.5, good_components=(1, 3), n_times=40, t_r=2.0)


def test_cohorts_of_files_take_their_paths() -> None:
    ukb = UkbCohortConfig("ukb", root="bulk", phenotypes="t.csv", instance=3)
    assert reader_of(ukb, MODALITY) == UkbCohort(root=Path("bulk"), phenotypes=(Path("t.csv"),), instance=3)
    schaefer = replace(MODALITY, ukb_field=31018, ukb_member="fMRI/{dimension}.csv.gz")
    expected = replace(reader_of(ukb, MODALITY), field=31018, member="fMRI/{dimension}.csv.gz")
    assert reader_of(ukb, schaefer) == expected
    own = replace(ukb, member="own/{dimension}.csv")
    assert reader_of(own, schaefer) == replace(expected, member="own/{dimension}.csv")
    bids = BidsCohortConfig("bids", root="tree")
    assert reader_of(bids, MODALITY, need_ages=False) == BidsCohort(root=Path("tree"), need_ages=False)


def test_uk_biobank_without_a_table_is_for_prediction_only() -> None:
    config = UkbCohortConfig("ukb", root="bulk", phenotypes=None)
    with pytest.raises(ConfigError, match="`cohort.phenotypes` .*got None"):
        reader_of(config, MODALITY)
    assert reader_of(config, MODALITY, need_ages=False).label == "`bulk`"


def test_version_2_of_the_simulated_cohort_has_its_own_reader() -> None:
    parts = SimulatedParts(dynamics=2.0)
    config = SimulatedCohortConfig("simulated", n_participants=12, seed=3, version=2, parts=parts, sites="different")
    assert reader_of(config, MODALITY) == SimulatedCohort2(
        n_participants=12, seed=3, parts=parts, sites="different", good_components=(1, 3), n_times=40, t_r=2.0
    )


def test_a_config_without_a_reader_is_refused() -> None:
    with pytest.raises(ConfigError, match="config without a reader"):
        reader_of(CohortConfig("other"), MODALITY)
