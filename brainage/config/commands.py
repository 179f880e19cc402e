"""Schemas of ``report``, ``compare``, ``predict``, ``adapt``, ``explain`` and ``check``."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Any

from omegaconf import MISSING

from brainage.config.again import given_again
from brainage.config.groups.cohort import CohortConfig, own_cohort
from brainage.config.groups.groups import check_pair
from brainage.config.groups.modality import check_atlas_name
from brainage.config.groups.output import INTERVAL_KINDS, ROWS, OutputsConfig, ReportConfig
from brainage.config.rules import Bounds, Checked, Count, PathText, Seed, checked, choice, expanded, require
from brainage.config.schema import GAP_CORRECTIONS
from brainage.errors import ConfigError

DEFAULT_STORE = "outputs/store"
_COHORT_STEP = "Use cohort=bids cohort.root=DIR, cohort=ukb, or cohort=simulated."


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
        _require_one(self, {"run": "run=FOLDER for a finished run", "predictions": "predictions=FILE for a table"})
        step = "A table of predictions has no cohort: leave it out."
        require(self.run is not None or not self.again, "cohort", "left out with predictions=...", self.cohort, step)

    @property
    def again(self) -> dict[str, Any]:
        """What is given again for the run's cohort, by dotted key."""
        return given_again(self.cohort)


def _require_one(config: object, steps: dict[str, str]) -> None:
    """Raise unless one of some values is given."""
    given = [f"{key}={getattr(config, key)}" for key in steps if getattr(config, key) is not None]
    if len(given) != 1:
        keys = [f"`{key}`" for key in steps]
        raise ConfigError(
            f"{' or '.join(keys)} must be given, one of them, but got {', '.join(given) or 'none'}. Use "
            f"{', '.join(steps.values())}."
        )


def _named(ensemble: object) -> object:
    """Return the name of what earlier versions said with a boolean, which is text after composing."""
    return {"true": "mean", "false": "none"}.get(str(ensemble).lower(), ensemble)


def _require_folders(key: str, value: Any) -> None:
    folders = isinstance(value, str) or (isinstance(value, list) and all(isinstance(run, str) for run in value))
    require(folders, key, "a list of runs' folders, or one multirun's folder", value, f"Use {key}=[A,B].")


@checked()
@dataclass
class CompareCommandConfig:
    """``compare``.

    Parameters
    ----------
    runs : list of str, or str
        Folders of finished runs, or one multirun's folder.
    ensemble : {"none", "mean", "stack"}
        Joined runs that are compared too, and written: the mean of their predictions, or also a weighted mean whose
        weights are fitted on validation participants. True is ``mean``, and false ``none``.
    seed : int
        Governs the bootstrap resamples.
    report, outputs, code
        See `Config`.
    """

    runs: Any = MISSING
    ensemble: Annotated[str, Checked(_named, "before"), choice("none", "mean", "stack")] = "none"
    report: ReportConfig = field(default_factory=ReportConfig)
    outputs: OutputsConfig = field(default_factory=OutputsConfig)
    seed: Seed = 43
    code: Any = None

    def __post_init__(self) -> None:
        """Check that there are folders."""
        _require_folders("runs", self.runs)


@checked("store")
@dataclass
class StoreRootConfig:
    """The folder of all stores.

    Parameters
    ----------
    root : str or None
        None is the run's own for the run's own participants, and ``outputs/store`` otherwise.
    """

    root: PathText | None = None


@checked("associations")
@dataclass
class PredictAssociationsConfig:
    """What the gap is correlated with; see `AssociationsConfig`."""

    variables: list[str] | None = None
    covariates: list[str] | None = None
    planned: list[str] | None = None


@checked()
@dataclass
class PredictCommandConfig:
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
    resample : bool
        Whether series of another repetition time are resampled to that of the network.
    n_times : int or None
        Number of time points that the network gets of each series, where it averages over time; None is that of its
        training.
    match_ids : bool
        Whether an id that a run contains is the same participant, who may have been trained on; or ids are of another
        cohort.
    device : str
        A device of torch, such as ``cpu`` or ``cuda:1``; ``auto`` uses a GPU if there is one.
    batch_size : int
        Participants a batch.
    seed : int
        Governs the bootstrap resamples.
    associations, confounds, store, report, outputs, code
        See `Config`.
    """

    run: PathText | None = None
    runs: Any = None
    bundle: PathText | None = None
    cohort: Any = None
    gap_correction: Annotated[
        str | None, Bounds(description="Leave it out to correct as fitted in the run."), choice("in_sample", "none")
    ] = None
    associations: PredictAssociationsConfig = field(default_factory=PredictAssociationsConfig)
    confounds: PathText | None = None
    resample: bool = False
    n_times: Annotated[int | None, Bounds(ge=2, le=1_000_000)] = None
    match_ids: bool = True
    device: str = "auto"
    batch_size: Count = 250
    store: StoreRootConfig = field(default_factory=StoreRootConfig)
    report: ReportConfig = field(default_factory=ReportConfig)
    outputs: OutputsConfig = field(default_factory=OutputsConfig)
    seed: Seed = 43
    code: Any = None

    def __post_init__(self) -> None:
        """Check that there is one source, and a cohort."""
        several = "runs=[FOLDER,FOLDER] for the mean of several"
        _require_one(self, {"run": "run=FOLDER for a finished run", "runs": several, "bundle": "bundle=FOLDER"})
        self.cohort = own_cohort(self.cohort)
        given = isinstance(self.cohort, CohortConfig)
        require(given, "cohort", "given: the participants to predict", self.cohort, _COHORT_STEP)


def _some(value: float | str) -> float | str:
    """Check that a value is a fraction or a file."""
    number = math.nan if isinstance(value, str) else value
    rule, step = (
        "a file of ids, or a fraction between 0 and 1",
        "Use adapt.participants=FILE or adapt.participants=0.5.",
    )
    holds = 0 < number < 1 or (isinstance(value, str) and bool(value))
    require(holds, "adapt.participants", rule, value, step)
    return expanded(value) if isinstance(value, str) else value


@checked("adapt")
@dataclass
class AdaptConfig:
    """What is fitted to a new site, and to which of its participants.

    Parameters
    ----------
    participants : float or str
        The controls: a file with one id a line, or the fraction of the participants of known age that is drawn.
    method : {"offset", "line", "last_layer"}
        ``offset`` adds a number of years to all predictions, ``line`` a straight line, and ``last_layer`` also
        changes the last layer's weights, drawn toward the old ones by a ridge.
    """

    participants: Annotated[int | float | str, Checked(_some)] = MISSING
    method: Annotated[str, choice("offset", "line", "last_layer")] = "offset"


@checked()
@dataclass
class AdaptCommandConfig:
    """``adapt``.

    Parameters
    ----------
    bundle : str
        The bundle of a network or ridge.
    cohort : CohortConfig
        The participants of the new site: those whom it is adapted with, and those who are predicted.
    adapt : AdaptConfig
        The participants that the bundle is adapted with, and the method.
    gap_correction : {"in_sample", "none"} or None
        Of the others; None corrects as the parent does, for what was changed.
    resample : bool
        Whether series of another repetition time are resampled to that of the network.
    device : str
        A device of torch, such as ``cpu`` or ``cuda:1``; ``auto`` uses a GPU if there is one.
    batch_size : int
        Participants a batch.
    seed : int
        Governs which participants are drawn, the folds of the cross-validation, and the bootstrap resamples.
    associations, store, report, outputs, code
        See `Config`.
    """

    bundle: PathText = MISSING
    cohort: Any = None
    adapt: AdaptConfig = field(default_factory=AdaptConfig)
    gap_correction: Annotated[
        str | None, Bounds(description="Leave it out to correct as the parent does."), choice("in_sample", "none")
    ] = None
    associations: PredictAssociationsConfig = field(default_factory=PredictAssociationsConfig)
    resample: bool = False
    device: str = "auto"
    batch_size: Count = 250
    store: StoreRootConfig = field(default_factory=StoreRootConfig)
    report: ReportConfig = field(default_factory=ReportConfig)
    outputs: OutputsConfig = field(default_factory=OutputsConfig)
    seed: Seed = 43
    code: Any = None

    def __post_init__(self) -> None:
        """Check that there is a cohort."""
        self.cohort = own_cohort(self.cohort)
        given = isinstance(self.cohort, CohortConfig)
        require(given, "cohort", "given: the participants of the new site", self.cohort, _COHORT_STEP)


@checked()
@dataclass
class ExplainCommandConfig:
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
    store, report, outputs, code
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
    report: ReportConfig = field(default_factory=ReportConfig)
    outputs: OutputsConfig = field(default_factory=OutputsConfig)
    seed: Seed = 43
    code: Any = None

    def __post_init__(self) -> None:
        """Check that there is one network, and participants."""
        check_atlas_name(self.atlas, "atlas")
        _require_one(self, {"run": "run=FOLDER for a finished run", "bundle": "bundle=FOLDER for an exported one"})
        if isinstance(self.cohort, dict) and "name" in self.cohort:
            self.cohort = own_cohort(self.cohort)
        given = isinstance(self.cohort, CohortConfig)
        rule = "given with a bundle, which contains no participants"
        require(given or self.run is not None, "cohort", rule, self.cohort, _COHORT_STEP)
        _ = self.again
        rule = "left out for the run's own participants, whose series are as in training"
        require(given or not self.resample, "resample", rule, self.resample)
        step = "Leave cohort out to explain the run's own participants."
        require(not (given and self.rows), "rows", "left out with cohort=..., which has no parts", self.rows, step)
        rule = "0 with cohort=..., because it trains on the run's own participants"
        require(not (given and self.shuffled_epochs), "shuffled_epochs", rule, self.shuffled_epochs, "Leave it out.")
        _require_folders("other_runs", [] if self.other_runs is None else self.other_runs)

    @property
    def again(self) -> dict[str, Any]:
        """What is given again for the run's own cohort, by dotted key."""
        return {} if isinstance(self.cohort, CohortConfig) else given_again(self.cohort)


@checked()
@dataclass
class CheckCommandConfig:
    """``check``.

    Parameters
    ----------
    cohort : CohortConfig
        The participants; of a BIDS-like tree, the pattern is proposed if its own finds nothing.
    modality : ModalityConfig or None
        What the files are; by default, the modality of most files.
    orientation : {"rows_are_times", "rows_are_channels"} or None
        What a row of a file is; by default, what names, lengths and smoothness say.
    write : str or None
        A folder for the proposed modality and experiment.
    store, outputs, code
        See `Config`.
    """

    cohort: Any = None
    modality: Any = None
    orientation: Annotated[str | None, choice("rows_are_times", "rows_are_channels")] = None
    write: PathText | None = None
    store: StoreRootConfig = field(default_factory=StoreRootConfig)
    outputs: OutputsConfig = field(default_factory=OutputsConfig)
    code: Any = None

    def __post_init__(self) -> None:
        """Check that there is a cohort."""
        self.cohort = own_cohort(self.cohort)
        step = "Use cohort=bids cohort.root=DIR, cohort=ukb, or cohort=abide."
        require(isinstance(self.cohort, CohortConfig), "cohort", "given", self.cohort, step)


# Name of the command, and its schema.
COMMAND_SCHEMAS: dict[str, Any] = {
    "report": ReportCommandConfig,
    "compare": CompareCommandConfig,
    "predict": PredictCommandConfig,
    "adapt": AdaptCommandConfig,
    "explain": ExplainCommandConfig,
    "check": CheckCommandConfig,
}
