"""What another repetition time does to the predictions of a network that was trained at 0.735 s."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from brainage.data.cohorts.select import Selection
from brainage.data.cohorts.simulated import SimulatedCohort
from brainage.data.participants import stored_participants
from brainage.data.t_r import with_t_r
from brainage.trained.load import read_trained
from brainage.trained.network import Trained
from brainage.trained.t_r import resampling
from tests.conftest import train_here


def predicted(trained: Trained, t_r: float, folder: Path) -> NDArray[np.float64]:
    """Predict the same 100 people, measured at this repetition time."""
    good = tuple(trained.modality.good_components or ())
    cohort = SimulatedCohort(n_participants=100, seed=77, good_components=good, t_r=t_r)
    table = cohort.read_table()
    scans = dict(cohort.find_scans(table["participant_id"], trained.modality.dimension))
    selection = Selection(with_t_r(table, scans), scans)  # type: ignore[arg-type]
    return trained.predict(stored_participants(selection, trained.modality, str(folder)))


@pytest.mark.slow
def test_predictions_at_another_repetition_time_move_unless_series_are_resampled(tmp_path: Path) -> None:
    """With 1,000 participants and 8 epochs: +1.3 years at 1 s, and -0.1 resampled; +0.35 and -0.1 at 0.8 s."""
    run = train_here(tmp_path / "run", "cohort.n_participants=1000", "trainer.max_epochs=8", "report.n_resamples=100")
    trained = read_trained(run, "run")
    known = predicted(trained, 0.735, tmp_path / "store")
    for t_r, least in ((0.8, 0.2), (1.0, 0.8)):
        shift = float((predicted(trained, t_r, tmp_path / "store") - known).mean())
        resampled = float((predicted(resampling(trained), t_r, tmp_path / "store") - known).mean())
        assert shift > least
        assert abs(resampled) < shift / 2
