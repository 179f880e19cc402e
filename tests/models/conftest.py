"""What tests of baselines and of their features share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from brainage.data.participants import Participants
from tests.models.people import people_of


@pytest.fixture
def people(tmp_path: Path) -> Participants:
    """Sixty participants, four components, 120 time points; connectivity, smoothness, site and motion carry age."""
    rng = np.random.default_rng(5)
    age = rng.uniform(46, 82, 60)
    z = (age[:, None, None] - 64) / 20
    series = rng.normal(size=(60, 4, 120)) + z * rng.normal(size=(60, 1, 120))
    series[:, :, 1:] += (0.5 + 0.4 * z) * series[:, :, :-1]
    split = ["train"] * 40 + ["val"] * 8 + ["test"] * 12
    motion, site = age / 500 + rng.lognormal(-2, 0.3, 60), np.where(age > 64, "old", "young")
    return people_of(tmp_path, series, age=age, split=split, site=site, head_motion=motion)
