"""Schemas of ``report``, ``compare``, ``predict`` and ``explain``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from brainage.config.rules import at_least, one_of, require
from brainage.config.schema import GAP_CORRECTIONS, AssociationsConfig, CohortConfig, ReportConfig, own_cohort
from brainage.errors import ConfigError

DEFAULT_STORE = "outputs/store"


@dataclass
class ReportAssociationsConfig:
    """As `AssociationsConfig`; None is what the run's config says."""

    rows: str | None = None
    variables: list[str] | None = None


@dataclass
class ReportPageConfig:
    """As `ReportConfig`; None is what the run's config says."""

    points: str | None = None
    n_resamples: int | None = None


@dataclass
class ReportCommandConfig:
    """``report.py``: what of, and how; None is what the run's config says.

    Parameters
    ----------
    run : str or None
        A finished run's folder, or that of a multirun over folds.
    predictions : str or None
        A table made elsewhere.
    gap_correction, associations, report, seed, code
        See `Config`.
    """

    run: str | None = None
    predictions: str | None = None
    gap_correction: str | None = None
    associations: ReportAssociationsConfig = field(default_factory=ReportAssociationsConfig)
    report: ReportPageConfig = field(default_factory=ReportPageConfig)
    seed: int | None = None
    code: Any = None

    def __post_init__(self) -> None:
        """Check that there is one source, and the values that are given."""
        if (self.run is None) == (self.predictions is None):
            raise ConfigError(
                f"`run` or `predictions` must be given, one of them, but got run={self.run}, "
                f"predictions={self.predictions}. Use run=FOLDER for a finished run, predictions=FILE for a table."
            )
        if self.gap_correction is not None:
            one_of("gap_correction", self.gap_correction, GAP_CORRECTIONS)
        AssociationsConfig(**_given(self.associations))
        ReportConfig(**_given(self.report))
        at_least("seed", self.seed or 0, 0)


def _given(config: object) -> dict[str, Any]:
    return {key: value for key, value in vars(config).items() if value is not None}


@dataclass
class CompareCommandConfig:
    """``compare.py``: which runs, and how.

    Parameters
    ----------
    runs : list of str, or str
        Folders of finished runs, or one multirun's folder.
    ensemble : bool
        Have the mean of the runs' predictions beside them, and write it.
    report, seed, code
        See `Config`.
    """

    runs: Any = MISSING
    ensemble: bool = False
    report: ReportConfig = field(default_factory=ReportConfig)
    seed: int = 43
    code: Any = None

    def __post_init__(self) -> None:
        """Check the values."""
        at_least("seed", self.seed, 0)
        if isinstance(self.runs, str):
            return
        whole = isinstance(self.runs, list) and all(isinstance(run, str) for run in self.runs)
        require(whole, "runs", "a list of runs' folders, or one multirun's folder", self.runs, "Use runs=[A,B].")


@dataclass
class StoreRootConfig:
    """Folder of all stores; None is the run's own where there is a run whose people are meant, or ``outputs/store``."""

    root: str | None = None


@dataclass
class PredictAssociationsConfig:
    """What the gap is correlated with; see `AssociationsConfig`."""

    variables: list[str] | None = None


@dataclass
class PredictCommandConfig:
    """``predict.py``: with which networks, for whom, and how.

    Parameters
    ----------
    run, bundle : str or None
        A finished run's folder, or a bundle's.
    runs : list of str, or str, or None
        Several of either, or one multirun's folder: their mean is predicted.
    cohort : CohortConfig
        For whom; ages may be unknown.
    gap_correction : {"in_sample", "none"} or None
        None corrects as fitted in the run.
    match_ids : bool
        Whether an id that a run knows is the same person, who may have been learned from; or ids are of another study.
    device : str
        Of torch; ``auto`` takes an accelerator where there is one.
    batch_size : int
        Participants a batch.
    associations, store, report, seed, code
        See `Config`.
    """

    run: str | None = None
    runs: Any = None
    bundle: str | None = None
    cohort: Any = None
    gap_correction: str | None = None
    associations: PredictAssociationsConfig = field(default_factory=PredictAssociationsConfig)
    match_ids: bool = True
    device: str = "auto"
    batch_size: int = 250
    store: StoreRootConfig = field(default_factory=StoreRootConfig)
    report: ReportConfig = field(default_factory=ReportConfig)
    seed: int = 43
    code: Any = None

    def __post_init__(self) -> None:
        """Check that there is one source and a cohort, and the values that are given."""
        given = [f"{key}={getattr(self, key)}" for key in ("run", "runs", "bundle") if getattr(self, key) is not None]
        if len(given) != 1:
            raise ConfigError(
                f"One of `run`, `runs` and `bundle` must be given, but got {', '.join(given) or 'none'}. Use "
                "run=FOLDER for a finished run, runs=[FOLDER,FOLDER] for the mean of several, bundle=FOLDER."
            )
        self.cohort = own_cohort(self.cohort)
        require(
            isinstance(self.cohort, CohortConfig),
            "cohort",
            "given: the people to predict",
            self.cohort,
            "Use cohort=bids cohort.root=DIR, cohort=ukb, or cohort=simulated.",
        )
        if self.gap_correction is not None:
            hint = "Leave it out to correct as fitted in the run."
            one_of("gap_correction", self.gap_correction, ("in_sample", "none"), hint)
        at_least("batch_size", self.batch_size, 1)
        at_least("seed", self.seed, 0)


@dataclass
class ExplainCommandConfig:
    """``explain.py``: which network, for whom, and how.

    Parameters
    ----------
    run, bundle : str or None
        A finished run's folder, or a bundle's.
    cohort : CohortConfig or None
        Whose predictions are explained; None is the run's own people.
    participants : int
        How many of them, drawn at random.
    rows : {"test", "val+test", "all"} or None
        Of the run's own people, the parts to draw from; None is the test set.
    n_windows : int
        Windows of time.
    n_steps : int
        Steps of the integration of gradients.
    store, report, seed, code
        See `Config`.
    """

    run: str | None = None
    bundle: str | None = None
    cohort: Any = None
    participants: int = 50
    rows: str | None = None
    n_windows: int = 10
    n_steps: int = 64
    store: StoreRootConfig = field(default_factory=StoreRootConfig)
    report: ReportConfig = field(default_factory=ReportConfig)
    seed: int = 43
    code: Any = None

    def __post_init__(self) -> None:
        """Check that there is one network and there are people, and the values that are given."""
        if (self.run is None) == (self.bundle is None):
            raise ConfigError(
                f"`run` or `bundle` must be given, one of them, but got run={self.run}, bundle={self.bundle}. Use "
                "run=FOLDER for a finished run, bundle=FOLDER for what was exported of one."
            )
        self.cohort = own_cohort(self.cohort)
        given = isinstance(self.cohort, CohortConfig)
        require(
            given or (self.cohort is None and self.run is not None),
            "cohort",
            "given with a bundle, which holds nobody: the people whose predictions are explained",
            self.cohort,
            "Use cohort=bids cohort.root=DIR, cohort=ukb, or cohort=simulated.",
        )
        if self.rows is not None:
            one_of("rows", self.rows, ("test", "val+test", "all"))
            require(
                not given,
                "rows",
                "left out with cohort=..., whose people have no parts",
                self.rows,
                "Leave cohort out to explain the run's own people.",
            )
        at_least("participants", self.participants, 1)
        at_least("n_windows", self.n_windows, 1)
        at_least("n_steps", self.n_steps, 2)
        at_least("seed", self.seed, 0)


# Name of the command, and its schema.
COMMAND_SCHEMAS: dict[str, Any] = {
    "report": ReportCommandConfig,
    "compare": CompareCommandConfig,
    "predict": PredictCommandConfig,
    "explain": ExplainCommandConfig,
}
