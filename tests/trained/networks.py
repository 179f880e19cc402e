"""Networks of known predictions, and participants, for tests."""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from brainage.config.groups.modality import ModalityConfig
from brainage.data.cohorts.select import Selection
from brainage.data.participants import Participants
from brainage.data.store.layout import Store
from brainage.data.store.reading import Reading
from brainage.runs.read import Run
from brainage.trained.ensemble import Ensemble, Sample
from brainage.trained.network import Architecture, Trained

NO_CONFIG: Any = None
MODALITY = ModalityConfig(name="ica3", dimension=3, components="all", good_components=[1, 2], n_channels=3, n_times=400)


def constant(age: float, **changes: Any) -> Trained:
    """Return a bundle whose network predicts one age for all participants."""
    architecture = Architecture(MODALITY, "simple1dcnn", {"in_channels": 3, "n_times": 400})
    weights = {name: torch.zeros(tensor.shape) for name, tensor in architecture.outline().state_dict().items()}
    weights["decoder.0.bias"] += age
    trained = Trained(
        folder=Path("bundle"),
        architecture=architecture,
        weights=weights,
        gap_correction="none",
        correction=None,
        uncorrected="No reason.",
        ages=None,
        series={},
        facts={},
    )
    return replace(trained, **changes)


def of_run(age: float, **split: str) -> Trained:
    """Return the network of a run with the parts of these participants."""
    predictions = pd.DataFrame({"participant_id": list(split), "split": list(split.values())})
    return constant(age, run=Run(Path("run"), NO_CONFIG, "", {}, predictions))


def sample(**ages: float) -> Sample:
    """Return a cohort of these participants, all with series of `MODALITY`."""
    series = np.random.default_rng(1).standard_normal((len(ages), 3, 400)).astype(np.float32)
    checksums = np.array([zlib.crc32(row.tobytes()) for row in series], np.uint32)
    table = pd.DataFrame(
        {"participant_id": list(ages), "age": list(ages.values()), "row": range(len(ages)), "t_r": 0.735}
    )
    store = Store(Path("store"), tuple(ages), {}, series, checksums)
    return Sample(Selection(table, {}), Participants(table, store, (0, 1, 2), series.shape[2]))


def ensemble(*networks: Trained, **ages: float) -> Ensemble:
    """Return networks of `MODALITY` and these participants."""
    return Ensemble(networks, {(Reading(3, 400), 400, "zscore", ()): sample(**ages)})
