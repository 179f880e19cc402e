"""Typed schemas of the config groups, and the rules between their values.

Hydra checks names and types while it composes. Values are checked once a composed config becomes these objects.
Nothing here imports torch, so mistakes are answered at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, make_dataclass
from typing import Annotated, Any

from omegaconf import MISSING
from pydantic import Field

from brainage.config.rules import (
    Count,
    Dropout,
    PathText,
    Seed,
    Share,
    checked,
    choice,
    is_number,
    paths,
    positive,
    require,
)
from brainage.errors import NamedParticipantError

OBJECTIVES = ("val/mse", "val/mae", "val/rmse", "val/r2", "val/pearson_r")
GAP_CORRECTIONS = ("linear", "cole", "in_sample", "none")
ROWS = ("test", "val+test", "all")


@checked("modality")
@dataclass
class ModalityConfig:
    """Component time series of one dimensionality.

    Parameters
    ----------
    name : str
        The config's own name.
    dimension : int
        Components in a participant's file.
    components : {"good", "all"}
        Which of them the network gets.
    good_components : list of int
        Numbers (from 1) of the components that are not artefacts.
    n_channels : int
        How many components the network gets; derived.
    n_times : int
        Time points used; longer series are cut, shorter ones excluded.
    t_r : float
        Repetition time, in seconds.
    """

    name: str = MISSING
    dimension: Annotated[int, Field(ge=1, le=100_000)] = MISSING
    components: Annotated[str, choice("good", "all")] = "good"
    good_components: list[int] = MISSING
    n_channels: int = MISSING
    n_times: Annotated[int, Field(ge=2, le=1_000_000)] = 490
    t_r: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.735

    def __post_init__(self) -> None:
        """Check the components."""
        good = self.good_components
        require(
            len(good) > 0 and good == sorted(set(good)) and good[0] >= 1 and good[-1] <= self.dimension,
            "modality.good_components",
            f"rising component numbers from 1 to {self.dimension}",
            good,
        )
        expected = len(self.channel_indices)
        rule = f"{expected}, the number of {self.components} components"
        require(
            self.n_channels == expected,
            "modality.n_channels",
            rule,
            self.n_channels,
            "It is derived; leave it out.",
        )

    @property
    def channel_indices(self) -> list[int]:
        """Indices (from 0) of the components that the network gets, in order."""
        return [c - 1 for c in self.good_components] if self.components == "good" else list(range(self.dimension))


@checked("cohort")
@dataclass
class CohortConfig:
    """The participants; what every cohort has in common.

    Parameters
    ----------
    name : str
        The config's own name.
    include : str or None
        A pandas query over the table; only matching participants take part. Applied before the split is drawn.
    exclude_ids : str or None
        A file with one id a line: participants who withdrew consent. They leave the part that they were drawn into.
    allow_unmatched_ids : bool
        Whether `exclude_ids` may contain no participant of the cohort.
    max_excluded_fraction : float
        The run stops if more than this share of the participants with a file cannot be used.
    """

    name: str = MISSING
    include: str | None = None
    exclude_ids: PathText | None = None
    allow_unmatched_ids: bool = False
    max_excluded_fraction: Annotated[float, Field(ge=0, le=1)] = 0.05

    def __post_init__(self) -> None:
        """Check the query."""
        if self.include is not None:
            refuse_ids(self.include)


@checked("cohort")
@dataclass
class SimulatedCohortConfig(CohortConfig):
    """Simulated participants, generated in memory.

    Parameters
    ----------
    n_participants : int
        How many; ids have six digits.
    seed : int
        Participant i depends on it and on i only.
    signal : float
        Scales what the series carry about age; 0 is a null cohort.
    version : int
        The generator's version. Another one generates other participants.
    """

    n_participants: Annotated[int, Field(ge=1, le=999_999)] = 1500
    seed: Seed = 0
    signal: Annotated[float, Field(ge=0, allow_inf_nan=False, description="0 is a null cohort, 1 the default.")] = 1.0
    version: int = 1


@checked("cohort")
@dataclass
class FilesCohortConfig(CohortConfig):
    """A cohort in files, with a table or several."""

    root: PathText = MISSING
    phenotypes: Any = None  # OmegaConf has no unions of text and lists

    def __post_init__(self) -> None:
        """Check the tables."""
        super().__post_init__()
        _ = self.tables

    @property
    def tables(self) -> list[str]:
        """The paths of the tables."""
        return paths("cohort.phenotypes", self.phenotypes)


@checked("cohort")
@dataclass
class UkbCohortConfig(FilesCohortConfig):
    """UK Biobank bulk files and a table.

    Parameters
    ----------
    root : str
        Folder of ``<eid>_20227_<instance>_0.zip`` files, or of the same extracted.
    phenotypes : str, list of str, or None
        The table, comma or tab separated, in any of UK Biobank's three column styles, or several that are joined by
        id; None is for prediction only, where ages may be unknown.
    instance : int
        2: first imaging visit; 3: repeat.
    member : str
        The series' path inside a zip or an extracted folder.
    """

    phenotypes: Any = MISSING
    instance: int = 2
    member: str = "fMRI/rfMRI_{dimension}.dr/dr_stage1.txt"

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        visits = "2 (first imaging visit) or 3 (repeat visit)"
        require(self.instance in (2, 3), "cohort.instance", visits, self.instance)
        require("{dimension}" in self.member, "cohort.member", "a path that contains `{dimension}`", self.member)


@checked("cohort")
@dataclass
class BidsCohortConfig(FilesCohortConfig):
    """A BIDS-like tree.

    Parameters
    ----------
    root : str
        The folder.
    phenotypes : str, list of str, or None
        The table, or several that are joined by id; ``participants.tsv`` of the root by default.
    pattern : str
        Path of a participant's series below the root.
    """

    pattern: str = "sub-{participant_id}/ses-2/func/sub-{participant_id}_ses-2_task-rest_ts-ica-{dimension}.txt"


@checked("cohort")
@dataclass
class OwnCohortConfig(CohortConfig):
    """A cohort of the user's own code: a reader with the cohort's name, and the arguments of its constructor."""

    arguments: Any = None


def own_cohort(cohort: Any) -> Any:
    """Return a cohort without a schema as an `OwnCohortConfig`, and any other as it is."""
    if not isinstance(cohort, dict):
        return cohort
    common = {key: value for key, value in cohort.items() if key in CohortConfig.__dataclass_fields__}
    return OwnCohortConfig(**common, arguments={key: value for key, value in cohort.items() if key not in common})


@checked("split")
@dataclass
class SplitConfig:
    """Training, validation and test participants."""

    name: str = MISSING


@checked("split")
@dataclass
class DrawnSplitConfig(SplitConfig):
    """What drawn splits have in common.

    Parameters
    ----------
    seed : int
        Governs the draw, and nothing else does.
    val_fraction : float
        Share of the validation participants.
    stratify : {None, "age"}
        Draw within bins of age, so that the parts have the same ages.
    """

    seed: Seed = 43
    val_fraction: Share = 0.1
    stratify: Annotated[str | None, Field(description="Or leave it at null."), choice("age")] = None


@checked("split")
@dataclass
class RandomSplitConfig(DrawnSplitConfig):
    """Three parts, drawn at random; those who neither train nor validate are the test participants."""

    train_fraction: Share = 0.8

    def __post_init__(self) -> None:
        """Check that a test set is left."""
        both = self.train_fraction + self.val_fraction
        require(both < 1, "split.train_fraction + split.val_fraction", "under 1, so that a test set is left", both)


@checked("split")
@dataclass
class KFoldSplitConfig(DrawnSplitConfig):
    """Fold number `fold` (from 0) of `n_folds` is the test set."""

    fold: int = MISSING
    n_folds: Annotated[int, Field(ge=2)] = 5

    def __post_init__(self) -> None:
        """Check the fold, and that training participants are left."""
        require(0 <= self.fold < self.n_folds, "split.fold", f"from 0 to {self.n_folds - 1}", self.fold)
        both = self.val_fraction + 1 / self.n_folds
        rule = "under 1, so that training participants are left"
        require(both < 1, "split.val_fraction + 1 / split.n_folds", rule, both)


@checked("split")
@dataclass
class LeaveSiteOutSplitConfig(DrawnSplitConfig):
    """One site, named as in the table, is the test set."""

    site: str = MISSING


@checked("split")
@dataclass
class FixedSplitConfig(SplitConfig):
    """A split read from a table with the columns ``participant_id`` and ``split``."""

    file: PathText = MISSING


@checked("model")
@dataclass
class ModelConfig:
    """What every model's config has besides the arguments of its constructor.

    Parameters
    ----------
    name : str
        The module of `brainage.models` that contains it, or the class or module of one's own code.
    output_bias : {"mean_age", "zero"}
        Initial value of the last bias: the mean age of the training participants, or 0 as published.
    """

    name: str = MISSING
    output_bias: Annotated[str, choice("mean_age", "zero")] = "mean_age"


@checked("model")
@dataclass
class Variable1DCNNConfig(ModelConfig):
    """Arguments of `brainage.models.variable1dcnn.Variable1DCNN`, which describes them."""

    in_channels: Count = MISSING
    kernel_size: Count = 5
    depth: Count = 4
    start_out: Count = 32
    stride: Count = 2
    dilation: Count = 1
    conv_dropout: Dropout = 0.0
    final_dropout: Dropout = 0.0
    double_conv: bool = False
    batch_norm: bool = False
    n_times: Count = 490
    max_parameters: Annotated[int, Field(ge=1, le=1_000_000_000)] = 5_000_000


@checked("model")
@dataclass
class Simple1DCNNConfig(ModelConfig):
    """Arguments of `brainage.models.simple1dcnn.Simple1DCNN`."""

    in_channels: Count = MISSING
    n_times: Count = 490


@dataclass
class _TrainerConfig:
    """Arguments of a Lightning Trainer that a run checks itself."""

    callbacks: list[Any] = field(default_factory=list)
    max_epochs: int | None = 175
    accumulate_grad_batches: Count = 1
    check_val_every_n_epoch: Annotated[int | None, Field(ge=1)] = 1

    def __post_init__(self) -> None:
        """Refuse what would contradict what a run promises, rather than ignore it."""
        for name in ("limit_train_batches", "limit_val_batches"):
            value, why = getattr(self, name), "Without, there is no best epoch."
            require(value is None or (is_number(value) and value > 0), f"trainer.{name}", "above 0", value, why)
        epochs = self.max_epochs
        require(epochs is None or epochs == -1 or epochs >= 1, "trainer.max_epochs", "1 or more (-1: no limit)", epochs)
        for name, allowed, why in _TRAINER_LIMITS:
            value = getattr(self, name)
            require(value in allowed, f"trainer.{name}", f"left at {allowed[0]!r}", value, why)

    def arguments(self) -> dict[str, Any]:
        """Return the values that are set, as keyword arguments for the Trainer."""
        return {name: value for name, value in vars(self).items() if value is not None}


_TRAINER_LIMITS: tuple[tuple[str, tuple[Any, ...], str], ...] = (
    ("devices", (1, "1"), "One run trains on one device; to use several, start several runs."),
    ("num_nodes", (1,), "One run trains on one device; to use several, start several runs."),
    ("strategy", ("auto",), "One run trains on one device, and a strategy distributes it over several."),
    ("enable_checkpointing", (None, True), "The best epoch's weights come from its checkpoint."),
    ("fast_dev_run", (False, 0), "It leaves no checkpoint; use trainer.max_epochs=1 trainer.limit_train_batches=1."),
    ("default_root_dir", (None,), "Results go to hydra.run.dir."),
    ("barebones", (False,), "It switches off the checkpoints and metrics that a run leaves."),
    ("overfit_batches", (0.0, 0), "It would replace the order of participants; use trainer.limit_train_batches."),
    ("limit_test_batches", (None,), "Every participant is predicted."),
    ("limit_predict_batches", (None,), "Every participant is predicted."),
)

# The other arguments of Lightning's Trainer, so that `trainer.<argument>=` needs no `+`; None leaves one to Lightning.
# Not `logger`, which is a group.
_PASSED_ON: tuple[tuple[Any, Any, str], ...] = (
    (Any, "auto", "accelerator strategy"),
    (Any, None, "precision max_time limit_train_batches limit_val_batches limit_test_batches limit_predict_batches"),
    (Any, None, "val_check_interval profiler plugins"),
    (Any, 1, "devices"),
    (Any, False, "fast_dev_run"),
    (Any, 0.0, "overfit_batches"),
    (Any, True, "deterministic"),
    (int, 1, "num_nodes"),
    (int, -1, "max_steps"),
    (int, 0, "reload_dataloaders_every_n_epochs"),
    (int | None, None, "min_epochs min_steps log_every_n_steps"),
    (int | None, 0, "num_sanity_val_steps"),
    (bool, True, "inference_mode enable_autolog_hparams"),
    (bool, False, "use_distributed_sampler detect_anomaly barebones sync_batchnorm"),
    (bool | None, None, "enable_checkpointing enable_progress_bar benchmark"),
    (bool | None, False, "enable_model_summary"),
    (float | None, None, "gradient_clip_val"),
    (str | None, None, "gradient_clip_algorithm default_root_dir model_registry"),
)
_TRAINER_FIELDS = [
    (name, kind, field(default=default)) for kind, default, names in _PASSED_ON for name in names.split()
]
TrainerConfig: Any = checked("trainer")(make_dataclass("TrainerConfig", _TRAINER_FIELDS, bases=(_TrainerConfig,)))


@checked("recipe")
@dataclass
class RecipeConfig:
    """How a network is trained, besides its optimizer, scheduler and trainer, which a recipe sets too.

    Parameters
    ----------
    name : str
        The config's own name.
    circular_shift, cutmix
        See `brainage.data.augmentation.Augmentation`.
    weight_averaging
        See `brainage.training.averaging`.
    """

    name: str = "none"
    circular_shift: bool = False
    cutmix: Annotated[float, Field(ge=0, allow_inf_nan=False, description="0 mixes nothing.")] = 0.0
    weight_averaging: Annotated[float, Field(ge=0, lt=1, description="0 averages nothing.")] = 0.0


@checked("store")
@dataclass
class StoreConfig:
    """The folder of all stores, and how training reads them.

    Parameters
    ----------
    root : str
        Folder of all stores.
    residency : {"auto", "memory", "memmap"}
        Load the series into memory, or map the store's file; `auto` loads them if they take less than a quarter of
        the free memory.
    """

    root: PathText = "outputs/store"
    residency: Annotated[str, choice("auto", "memory", "memmap")] = "auto"


@checked("outputs")
@dataclass
class OutputsConfig:
    """Who may read what a command writes.

    Parameters
    ----------
    mode : {"private", "group"}
        Files and folders are readable by their owner only (0600, 0700), or by the owner's group too (0640, 0750).
    """

    mode: Annotated[str, choice("private", "group")] = "private"


@checked("associations")
@dataclass
class AssociationsConfig:
    """What the gap is correlated with, and in which participants.

    Parameters
    ----------
    rows : {"test", "val+test", "all"}
        The rows that are analysed.
    variables : list of str or None
        Columns of the cohort's table; None is every phenotype.
    """

    rows: Annotated[str, choice(*ROWS)] = "test"
    variables: list[str] | None = None


@checked("report")
@dataclass
class ReportConfig:
    """The report.

    Parameters
    ----------
    points : {"all", "none"}
        Draw participants as points, for pages that are not shared, or as densities that show no single participant.
    n_resamples : int
        Bootstrap resamples behind the intervals of accuracy.
    """

    points: Annotated[str, choice("all", "none")] = "none"
    n_resamples: Annotated[int, Field(ge=100, le=1_000_000)] = 2000


@checked()
@dataclass
class Config:
    """One run, composed.

    Parameters
    ----------
    modality, cohort, split, model, optimizer, scheduler, trainer, logger, recipe, store
        The groups. `optimizer` and `scheduler` name a class by ``_target_`` and contain its arguments, `logger` has
        one such entry a logger; other groups have schemas of this module (one's own network or cohort needs none).
    seed : int
        Governs initialisation, batch order and dropout. It is less than 2**63, as torch's generators need.
    batch_size : int
        Participants a batch; batch normalisation needs two.
    patience : int
        Training stops after this many epochs in which the validation loss did not fall.
    objective : str
        The metric, of the best epoch's weights, that a run returns.
    evaluate : bool
        Whether the test set is predicted and reported. A trial of a sweep does not.
    gap_correction : {"linear", "cole", "in_sample", "none"}
        How the brain-age gap is corrected for age; see `brainage.evaluation.gap.Correction`.
    outputs, associations, report
        See `OutputsConfig`, `AssociationsConfig` and `ReportConfig`.
    resume : str or None
        The folder of a run to resume.
    code : str, list of str, or None
        The user's own Python code, from the command line only; see `brainage.config.code`.
    """

    modality: ModalityConfig = MISSING
    cohort: Any = MISSING
    split: Any = MISSING
    model: Any = MISSING
    optimizer: Any = MISSING
    scheduler: Any = MISSING
    trainer: _TrainerConfig = MISSING
    logger: Any = MISSING
    recipe: RecipeConfig = field(default_factory=RecipeConfig)
    store: StoreConfig = field(default_factory=StoreConfig)
    outputs: OutputsConfig = field(default_factory=OutputsConfig)
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 43
    batch_size: Annotated[int, Field(ge=2)] = 128
    patience: Count = 15
    objective: Annotated[str, choice(*OBJECTIVES)] = OBJECTIVES[0]
    evaluate: bool = True
    gap_correction: Annotated[str, choice(*GAP_CORRECTIONS)] = GAP_CORRECTIONS[0]
    associations: AssociationsConfig = field(default_factory=AssociationsConfig)
    report: ReportConfig = field(default_factory=ReportConfig)
    resume: str | None = None
    code: Any = None

    def __post_init__(self) -> None:
        """Check the groups, and the rules between them."""
        self.cohort = own_cohort(self.cohort)
        for name, classes in _CLASSES_OF_GROUPS.items():
            value = getattr(self, name)
            require(isinstance(value, classes), name, "one of its choices", value, f"Choose with {name}=NAME.")
        for name, entry in (self.logger or {}).items():
            require(isinstance(entry, dict), f"logger.{name}", "a logger's values", entry, "Choose with logger=NAME.")
        positive("optimizer.lr", self.optimizer.get("lr"))
        decay = self.optimizer.get("weight_decay", 0.0)
        require(is_number(decay) and decay >= 0, "optimizer.weight_decay", "0 or more", decay)
        for key, derived in (("in_channels", self.modality.n_channels), ("n_times", self.modality.n_times)):
            given = self.network_arguments.get(key, derived)
            require(given == derived, f"model.{key}", f"{derived}, as the modality has", given, "Leave it out.")
        for path, node in SCHEMAS.items():
            group, _, name = path.partition("/")
            chosen = getattr(self, group)
            if name and type(chosen) is node:
                require(chosen.name == name, f"{group}.name", repr(name), chosen.name, f"Use {group}=NAME.")
        t_max, hint = (self.scheduler or {}).get("T_max", 1), "trainer.max_epochs is its default, if that is a number."
        step = f"{hint} Without a last epoch, use scheduler=none."
        require(is_number(t_max) and t_max >= 1, "scheduler.T_max", "1 or more", t_max, step)
        if isinstance(self.model, dict):
            ModelConfig(name=self.model.get("name", ""), output_bias=self.model.get("output_bias", "mean_age"))

    @property
    def network_arguments(self) -> dict[str, Any]:
        """Arguments of the network's constructor: the model's config without what every model has."""
        items = self.model if isinstance(self.model, dict) else vars(self.model)
        return {key: value for key, value in items.items() if key not in ModelConfig.__dataclass_fields__}

    def model_value(self, key: str) -> Any:
        """Return one value of the model's config, whether or not it has a schema."""
        return self.model.get(key) if isinstance(self.model, dict) else getattr(self.model, key)


# What a group's choices become. One's own network needs no schema.
_CLASSES_OF_GROUPS: dict[str, Any] = {
    "cohort": CohortConfig,
    "split": SplitConfig,
    "model": (ModelConfig, dict),
    "optimizer": dict,
    "scheduler": (dict, type(None)),
    "logger": (dict, type(None)),
}

# A schema's place below `schema/` in the config store: its group, and its name where each choice has its own.
SCHEMAS: dict[str, Any] = {
    "modality": ModalityConfig,
    "trainer": TrainerConfig,
    "split/random": RandomSplitConfig,
    "split/kfold": KFoldSplitConfig,
    "split/leave_site_out": LeaveSiteOutSplitConfig,
    "split/fixed": FixedSplitConfig,
    "cohort/simulated": SimulatedCohortConfig,
    "cohort/ukb": UkbCohortConfig,
    "cohort/bids": BidsCohortConfig,
    "model/variable1dcnn": Variable1DCNNConfig,
    "model/simple1dcnn": Simple1DCNNConfig,
}


def refuse_ids(query: str) -> None:
    """Raise if a query names participants: a config is copied into the run's folder and to loggers.

    Raises
    ------
    NamedParticipantError
        The message does not repeat the query.
    """
    if re.search(r"\b(participant_id|eid|family_id)\b", query, flags=re.IGNORECASE):
        raise NamedParticipantError(
            "`cohort.include` must not name participants or families, but compares participant_id, eid or family_id: a "
            "config is copied into every run's folder, where no id belongs. List participants to exclude in a file, "
            "one id a line, with cohort.exclude_ids=FILE."
        )


def refuse_ids_in(words: Iterable[str]) -> None:
    """Raise if an override's query names participants, ``++cohort.include=`` and ``cohort={include: ...}`` too."""
    for word in words:
        key, _, value = word.lstrip("+~").partition("=")
        if key.startswith("cohort") and ("include" in key or (key == "cohort" and "include" in value)):
            refuse_ids(word)
