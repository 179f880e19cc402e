"""Schema of ``predict``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from brainage.config.commands.shared import NewParticipantsConfig, require_one
from brainage.config.rules import Bounds, PathText, checked, choice


@checked()
@dataclass
class PredictCommandConfig(NewParticipantsConfig):
    """``predict``.

    Parameters
    ----------
    run, bundle : str or None
        A finished run's folder, or a bundle's.
    runs : list of str, or str, or None
        Several of either, or one multirun's folder: their mean is predicted.
    cohort : CohortConfig
        The participants to predict; ages may be unknown.
    gap_correction : {"in_sample", "none"} or None
        None corrects as fitted in the run.
    n_times : int or None
        Number of time points that the network gets of each series, where it averages over time; None is that of its
        training.
    match_ids : bool
        Whether an id that a run contains is the same participant, who may have been trained on; or ids are of another
        cohort.
    seed : int
        Governs the bootstrap resamples.
    confounds : str or None
        See `Config`.
    """

    run: PathText | None = None
    runs: Any = None
    bundle: PathText | None = None
    gap_correction: Annotated[
        str | None, Bounds(description="Leave it out to correct as fitted in the run."), choice("in_sample", "none")
    ] = None
    confounds: PathText | None = None
    n_times: Annotated[int | None, Bounds(ge=2, le=1_000_000)] = None
    match_ids: bool = True

    def __post_init__(self) -> None:
        """Check that there is one source."""
        several = "runs=[FOLDER,FOLDER] for the mean of several"
        require_one(self, {"run": "run=FOLDER for a finished run", "runs": several, "bundle": "bundle=FOLDER"})
        super().__post_init__()
