"""Schema of ``explain``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from brainage.config.again import given_again
from brainage.config.commands.shared import COHORT_STEP, AnyCommandConfig, StoreRootConfig, require_folders, require_one
from brainage.config.groups.cohort import CohortConfig, own_cohort
from brainage.config.groups.modality import check_atlas_name
from brainage.config.groups.output import ROWS
from brainage.config.rules import Bounds, Count, PathText, checked, choice, require


@checked()
@dataclass
class ExplainCommandConfig(AnyCommandConfig):
    """``explain``.

    Parameters
    ----------
    run, bundle : str or None
        A finished run's folder, or a bundle's.
    cohort : CohortConfig, dict or None
        The participants whose predictions are explained; None is the run's own, for which the same may be given again
        as in ``brainage report``.
    participants : int
        Number of participants, drawn at random.
    rows : {"test", "val+test", "all"} or None
        Of the run's own participants, the parts to draw from; None is the test set.
    resample : bool
        Whether series of another repetition time are resampled to that of the network; not for the run's own
        participants.
    n_windows : int
        Number of windows of time.
    n_steps : int
        Number of steps of the integration of gradients.
    shuffled_epochs : int
        Epochs of a second training on shuffled ages of the run's training participants, whose maps must differ; 0
        trains none. An epoch takes as long as one of the run.
    other_runs : list of str, or str, or None
        Other trainings of the same modality, whose effects are compared: folders, or one multirun's folder, in which
        the run itself is skipped.
    atlas : str or None
        The atlas of the brain picture, as `modality.atlas`; None is the network's own file. Only an atlas that is named
        here is fetched.
    seed : int
        Governs which participants are drawn, the re-initialised networks, shuffled ages and the bootstrap resamples.
    store : StoreRootConfig
        See `Config`.
    """

    run: PathText | None = None
    bundle: PathText | None = None
    cohort: Any = None
    participants: Count = 50
    rows: Annotated[str | None, choice(*ROWS)] = None
    resample: bool = False
    n_windows: Count = 10
    n_steps: Annotated[int, Bounds(ge=2)] = 64
    shuffled_epochs: Annotated[int, Bounds(ge=0)] = 0
    other_runs: Any = None
    atlas: PathText | None = None
    store: StoreRootConfig = field(default_factory=StoreRootConfig)

    def __post_init__(self) -> None:
        """Check that there is one network, and participants."""
        check_atlas_name(self.atlas, "atlas")
        require_one(self, {"run": "run=FOLDER for a finished run", "bundle": "bundle=FOLDER for an exported one"})
        if isinstance(self.cohort, dict) and "name" in self.cohort:
            self.cohort = own_cohort(self.cohort)
        given = isinstance(self.cohort, CohortConfig)
        rule = "given with a bundle, which contains no participants"
        require(given or self.run is not None, "cohort", rule, self.cohort, COHORT_STEP)
        _ = self.again
        rule = "left out for the run's own participants, whose series are as in training"
        require(given or not self.resample, "resample", rule, self.resample)
        step = "Leave cohort out to explain the run's own participants."
        require(not (given and self.rows), "rows", "left out with cohort=..., which has no parts", self.rows, step)
        rule = "0 with cohort=..., because it trains on the run's own participants"
        require(not (given and self.shuffled_epochs), "shuffled_epochs", rule, self.shuffled_epochs, "Leave it out.")
        require_folders("other_runs", [] if self.other_runs is None else self.other_runs)

    @property
    def again(self) -> dict[str, Any]:
        """What is given again for the run's own cohort, by dotted key."""
        return {} if isinstance(self.cohort, CohortConfig) else given_again(self.cohort)
