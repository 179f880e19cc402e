"""Simulated series of an atlas's parcels, measured as each site does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from brainage.data.cohorts.simulated import SimulatedCohort
from brainage.data.cohorts.simulated2 import SimulatedCohort2
from brainage.data.cohorts.simulated2_scan import SimulatedScan2
from brainage.data.cohorts.simulated_series import SimulatedScan

Simulation = SimulatedCohort | SimulatedCohort2
SimulationScan = SimulatedScan | SimulatedScan2

# Parcels of the networks in the left and the right hemisphere of Schaefer's atlas with 100 parcels and 7 networks.
_SCHAEFER = {
    "LH": {"Vis": 9, "SomMot": 6, "DorsAttn": 8, "SalVentAttn": 7, "Limbic": 3, "Cont": 4, "Default": 13},
    "RH": {"Vis": 8, "SomMot": 8, "DorsAttn": 7, "SalVentAttn": 5, "Limbic": 2, "Cont": 9, "Default": 11},
}

SCHAEFER_100 = [
    f"{side}_{network}_{number}"
    for side, networks in _SCHAEFER.items()
    for network, count in networks.items()
    for number in range(1, count + 1)
]
"""Names of the cortical parcels."""

PARCELS_4S156 = [
    *SCHAEFER_100,
    *(f"{side}_Subcortex_{number}" for side in _SCHAEFER for number in range(1, 24)),
    *(f"Cerebellar_Region{number}" for number in range(1, 11)),
]
"""Names of the 156 parcels of XCP-D's atlas; those of its subcortical parcels are invented."""


def lacks_a_parcel(index: int) -> bool:
    """Return whether participant number `index`, from 0, has no signal in the second parcel; one in forty has none."""
    return index % 40 == 17


class Acquisition(NamedTuple):
    """How a site measures: the repetition time, in seconds, and the number of time points."""

    t_r: float
    n_times: int


def parcel_scans(cohort: Simulation, n_parcels: int, sites: Mapping[str, Acquisition]) -> list[SimulationScan]:
    """Return the scans of all participants, each with the acquisition of the participant's site."""
    table = cohort.read_table()
    scans: Mapping[str, SimulationScan] = cohort.find_scans(table["participant_id"], n_parcels)
    acquisitions = [sites[site] for site in table["site"]]
    return [
        replace(scan, t_r=acquisition.t_r, n_times=acquisition.n_times)
        for scan, acquisition in zip(scans.values(), acquisitions, strict=True)
    ]
