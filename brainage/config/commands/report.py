"""Schema of ``report``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from brainage.config.again import given_again
from brainage.config.commands.shared import require_one
from brainage.config.groups.groups import check_pair
from brainage.config.groups.output import INTERVAL_KINDS, ROWS, OutputsConfig
from brainage.config.rules import Bounds, PathText, checked, choice, require
from brainage.config.schema import GAP_CORRECTIONS


@checked("associations")
@dataclass
class ReportAssociationsConfig:
    """As `AssociationsConfig`; None is the value of the run's config."""

    rows: Annotated[str | None, choice(*ROWS)] = None
    variables: list[str] | None = None
    covariates: list[str] | None = None
    planned: list[str] | None = None


@checked("intervals")
@dataclass
class ReportIntervalsConfig:
    """As `IntervalsConfig`; None is the value of the run's config."""

    level: Annotated[float | None, Bounds(ge=0.5, le=0.99)] = None
    kind: Annotated[str | None, choice(*INTERVAL_KINDS)] = None


@checked("groups")
@dataclass
class ReportGroupsConfig:
    """As `GroupsConfig`; None is the value of the run's config."""

    column: str | None = None
    reference: str | None = None
    n_permutations: Annotated[int | None, Bounds(ge=99, le=1_000_000)] = None

    def __post_init__(self) -> None:
        """Check that both or none are given."""
        check_pair(self.column, self.reference)


@checked("report")
@dataclass
class ReportPageConfig:
    """As `ReportConfig`; None is the value of the run's config. Points are drawn only if this command asks for them."""

    points: Annotated[str, choice("all", "none")] = "none"
    n_resamples: Annotated[int | None, Bounds(ge=100, le=1_000_000)] = None


@checked()
@dataclass
class ReportCommandConfig:
    """``report``; None is the value of the run's config.

    Parameters
    ----------
    run : str or None
        A finished run's folder, or that of a multirun over folds.
    predictions : str or None
        A table made elsewhere, with the columns ``participant_id`` (or ``eid``), ``age`` and ``predicted_age``.
    cohort : dict or None
        What is given again for the run's cohort: ``cohort.root``, ``cohort.phenotypes``, ``cohort.exclude_ids`` and
        ``cohort.allow_unmatched_ids``.
    seed : int or None
        Governs the bootstrap resamples.
    permutations : int or None
        Number of permutations of the test of predictions against chance; 0 is none.
    confounds, gap_correction, associations, intervals, groups, report, outputs, code
        See `Config`.
    """

    run: PathText | None = None
    predictions: PathText | None = None
    cohort: Any = None
    gap_correction: Annotated[str | None, choice(*GAP_CORRECTIONS)] = None
    confounds: PathText | None = None
    permutations: Annotated[int | None, Bounds(ge=0, le=1_000_000)] = None
    associations: ReportAssociationsConfig = field(default_factory=ReportAssociationsConfig)
    intervals: ReportIntervalsConfig = field(default_factory=ReportIntervalsConfig)
    groups: ReportGroupsConfig = field(default_factory=ReportGroupsConfig)
    report: ReportPageConfig = field(default_factory=ReportPageConfig)
    outputs: OutputsConfig = field(default_factory=OutputsConfig)
    seed: Annotated[int | None, Bounds(ge=0)] = None
    code: Any = None

    def __post_init__(self) -> None:
        """Check that there is one source, and what is given again for its cohort."""
        require_one(self, {"run": "run=FOLDER for a finished run", "predictions": "predictions=FILE for a table"})
        step = "A table of predictions has no cohort: leave it out."
        require(self.run is not None or not self.again, "cohort", "left out with predictions=...", self.cohort, step)

    @property
    def again(self) -> dict[str, Any]:
        """What is given again for the run's cohort, by dotted key."""
        return given_again(self.cohort)
