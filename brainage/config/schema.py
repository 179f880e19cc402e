"""Typed schemas for every config group, and the rules that hold within one.

Hydra checks names and types while it composes; ``__post_init__`` checks values once a composed config becomes these
objects. Nothing here imports more than OmegaConf, so a mistake is answered at once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from brainage.config.rules import at_least, is_number, one_of, positive, require, within
from brainage.errors import NamedParticipantError

OBJECTIVES = ("val/mse", "val/mae", "val/rmse", "val/r2", "val/pearson_r")


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
        Which of them the network sees.
    good_components : list of int
        Numbers (from 1) of the components that are not artefacts.
    n_channels : int
        How many components the network sees; derived.
    n_times : int
        Time points used; longer series are cut, shorter ones excluded.
    t_r : float
        Repetition time, in seconds.
    """

    name: str = MISSING
    dimension: int = MISSING
    components: str = "good"
    good_components: list[int] = MISSING
    n_channels: int = MISSING
    n_times: int = 490
    t_r: float = 0.735

    def __post_init__(self) -> None:
        """Check the values."""
        one_of("modality.components", self.components, ("good", "all"))
        at_least("modality.dimension", self.dimension, 1)
        at_least("modality.n_times", self.n_times, 2)
        positive("modality.t_r", self.t_r)
        good = self.good_components
        require(
            len(good) > 0 and good == sorted(set(good)) and good[0] >= 1 and good[-1] <= self.dimension,
            "modality.good_components",
            f"rising component numbers from 1 to {self.dimension}",
            good,
        )
        expected = len(good) if self.components == "good" else self.dimension
        require(
            self.n_channels == expected,
            "modality.n_channels",
            f"{expected}, the number of {self.components} components",
            self.n_channels,
            "It is derived; leave it out.",
        )

    @property
    def channel_indices(self) -> list[int]:
        """Indices (from 0) of the components that the network sees, in order."""
        return [c - 1 for c in self.good_components] if self.components == "good" else list(range(self.dimension))


@dataclass
class CohortConfig:
    """Who takes part; what every cohort has in common.

    Parameters
    ----------
    name : str
        The config's own name.
    include : str or None
        A pandas query over the table; only those who match take part. Applied before the split is drawn.
    exclude_ids : str or None
        A file with one id a line: people who withdrew. They leave the part that they were drawn into.
    max_excluded_fraction : float
        The run stops when more than this share of those who have a file cannot be used.
    """

    name: str = MISSING
    include: str | None = None
    exclude_ids: str | None = None
    max_excluded_fraction: float = 0.05

    def __post_init__(self) -> None:
        """Check the values."""
        within("cohort.max_excluded_fraction", self.max_excluded_fraction, 0, 1)
        if self.include is not None:
            refuse_ids(self.include)


@dataclass
class SimulatedCohortConfig(CohortConfig):
    """Simulated people, made on the spot.

    Parameters
    ----------
    n_participants : int
        How many.
    seed : int
        Who they are; participant i depends on it and on i only.
    signal : float
        Scales what the series carry about age; 0 is a null cohort.
    version : int
        The generator's version. Another one makes other people.
    """

    n_participants: int = 1500
    seed: int = 0
    signal: float = 1.0
    version: int = 1

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        at_least("cohort.n_participants", self.n_participants, 1)
        require(
            self.n_participants <= 999_999,
            "cohort.n_participants",
            "999999 or fewer, since ids have six digits",
            self.n_participants,
        )
        at_least("cohort.seed", self.seed, 0)
        require(
            math.isfinite(self.signal) and self.signal >= 0,
            "cohort.signal",
            "0 or more",
            self.signal,
            "0 is a null cohort, 1 the default.",
        )


@dataclass
class UkbCohortConfig(CohortConfig):
    """UK Biobank bulk files and a table.

    Parameters
    ----------
    root : str
        Folder of ``<eid>_20227_<instance>_0.zip`` files, or of the same extracted.
    phenotypes : str or None
        The table, comma or tab separated, in any of UK Biobank's three column styles; None is for prediction only,
        where ages may be unknown.
    instance : int
        2: first imaging visit; 3: repeat.
    member : str
        The series' path inside a zip or an extracted folder.
    """

    root: str = MISSING
    phenotypes: str | None = MISSING
    instance: int = 2
    member: str = "fMRI/rfMRI_{dimension}.dr/dr_stage1.txt"

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        require(
            self.instance in (2, 3), "cohort.instance", "2 (first imaging visit) or 3 (repeat visit)", self.instance
        )
        require("{dimension}" in self.member, "cohort.member", "a path that holds `{dimension}`", self.member)


@dataclass
class BidsCohortConfig(CohortConfig):
    """A BIDS-like tree.

    Parameters
    ----------
    root : str
        The folder.
    phenotypes : str or None
        The table; ``participants.tsv`` of the root by default.
    pattern : str
        Path of a participant's series below the root.
    """

    root: str = MISSING
    phenotypes: str | None = None
    pattern: str = "sub-{participant_id}/ses-2/func/sub-{participant_id}_ses-2_task-rest_ts-ica-{dimension}.txt"


@dataclass
class OwnCohortConfig(CohortConfig):
    """A cohort of the user's own code: a reader with the cohort's name, and the arguments of its constructor."""

    arguments: dict[str, Any] = field(default_factory=dict)


def own_cohort(cohort: Any) -> Any:
    """Return a cohort without a schema as an `OwnCohortConfig`, and any other as it is."""
    if not isinstance(cohort, dict):
        return cohort
    common = {key: value for key, value in cohort.items() if key in CohortConfig.__dataclass_fields__}
    return OwnCohortConfig(**common, arguments={key: value for key, value in cohort.items() if key not in common})


@dataclass
class SplitConfig:
    """Training, validation and test people.

    Parameters
    ----------
    name : str
        The config's own name.
    """

    name: str = MISSING


@dataclass
class DrawnSplitConfig(SplitConfig):
    """What splits have in common that are drawn.

    Parameters
    ----------
    seed : int
        Governs the draw, and nothing else does.
    val_fraction : float
        Share of the people who validate.
    stratify : {None, "age"}
        Draw within bins of age, so that the parts have the same ages.
    """

    seed: int = 43
    val_fraction: float = 0.1
    stratify: str | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        at_least("split.seed", self.seed, 0)
        require(0 < self.val_fraction < 1, "split.val_fraction", "between 0 and 1, both excluded", self.val_fraction)
        if self.stratify is not None:
            one_of("split.stratify", self.stratify, ("age",), "Or leave it at null.")


@dataclass
class RandomSplitConfig(DrawnSplitConfig):
    """Three parts, drawn at random.

    Parameters
    ----------
    train_fraction : float
        Share of the people who train; the test set is the rest.
    """

    train_fraction: float = 0.8

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        train, both = self.train_fraction, self.train_fraction + self.val_fraction
        require(0 < train < 1, "split.train_fraction", "between 0 and 1, both excluded", train)
        require(both < 1, "split.train_fraction + split.val_fraction", "under 1, so that a test set is left", both)


@dataclass
class KFoldSplitConfig(DrawnSplitConfig):
    """One of several folds is tested.

    Parameters
    ----------
    fold : int
        Which, from 0.
    n_folds : int
        How many folds there are.
    """

    fold: int = MISSING
    n_folds: int = 5

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        at_least("split.n_folds", self.n_folds, 2)
        require(0 <= self.fold < self.n_folds, "split.fold", f"from 0 to {self.n_folds - 1}", self.fold)
        both = self.val_fraction + 1 / self.n_folds
        require(both < 1, "split.val_fraction + 1 / split.n_folds", "under 1, so that somebody trains", both)


@dataclass
class LeaveSiteOutSplitConfig(DrawnSplitConfig):
    """One site is tested.

    Parameters
    ----------
    site : str
        Which, as in the table.
    """

    site: str = MISSING


@dataclass
class FixedSplitConfig(SplitConfig):
    """A split that somebody else drew.

    Parameters
    ----------
    file : str
        A table with the columns `participant_id` and `split`.
    """

    file: str = MISSING


@dataclass
class ModelConfig:
    """What every network's config has beside the network's own arguments.

    Parameters
    ----------
    name : str
        The module of `brainage.models` that holds the network.
    output_bias : {"mean_age", "zero"}
        Where the last bias starts: at the training set's mean age, or at 0 as published.
    """

    name: str = MISSING
    output_bias: str = "mean_age"

    def __post_init__(self) -> None:
        """Check the values."""
        one_of("model.output_bias", self.output_bias, ("mean_age", "zero"))


@dataclass
class Variable1DCNNConfig(ModelConfig):
    """Architecture of `variable1dcnn`.

    Parameters
    ----------
    in_channels : int
        Components that come in.
    kernel_size, depth, start_out, stride, dilation : int
        See `brainage.models.variable1dcnn`.
    conv_dropout, final_dropout : float
        Share of channels, or of features, that is zeroed during training.
    double_conv, batch_norm : bool
        Two convolutions a layer; batch normalisation after each.
    n_times : int
        Time points that come in.
    max_parameters : int
        Encoders with more parameters are refused.
    """

    in_channels: int = MISSING
    kernel_size: int = 5
    depth: int = 4
    start_out: int = 32
    stride: int = 2
    dilation: int = 1
    conv_dropout: float = 0.0
    final_dropout: float = 0.0
    double_conv: bool = False
    batch_norm: bool = False
    n_times: int = 490
    max_parameters: int = 5_000_000

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        for name in ("in_channels", "kernel_size", "depth", "start_out", "stride", "dilation", "n_times"):
            at_least(f"model.{name}", getattr(self, name), 1)
        at_least("model.max_parameters", self.max_parameters, 1)
        for name in ("conv_dropout", "final_dropout"):
            require(
                0 <= getattr(self, name) < 1, f"model.{name}", "in [0, 1)", getattr(self, name), "0 switches it off."
            )


@dataclass
class Simple1DCNNConfig(ModelConfig):
    """Arguments of `simple1dcnn`.

    Parameters
    ----------
    in_channels : int
        Components that come in.
    n_times : int
        Time points that come in.
    """

    in_channels: int = MISSING
    n_times: int = 490

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        at_least("model.in_channels", self.in_channels, 1)
        at_least("model.n_times", self.n_times, 1)


@dataclass
class TrainerConfig:
    """What a Lightning Trainer takes, under its own names; None leaves a value to Lightning.

    ``logger`` is missing because it is a group of its own; `callbacks` are added to the project's own.
    The meaning of each is in Lightning's documentation of ``pytorch_lightning.Trainer``.
    """

    accelerator: Any = "auto"
    strategy: Any = "auto"
    devices: Any = 1
    num_nodes: int = 1
    precision: Any = None
    callbacks: list[Any] = field(default_factory=list)
    fast_dev_run: Any = False
    max_epochs: int | None = 175
    min_epochs: int | None = None
    max_steps: int = -1
    min_steps: int | None = None
    max_time: Any = None
    limit_train_batches: Any = None
    limit_val_batches: Any = None
    limit_test_batches: Any = None
    limit_predict_batches: Any = None
    overfit_batches: Any = 0.0
    val_check_interval: Any = None
    check_val_every_n_epoch: int | None = 1
    num_sanity_val_steps: int | None = 0
    log_every_n_steps: int | None = None
    enable_checkpointing: bool | None = None
    enable_progress_bar: bool | None = None
    enable_model_summary: bool | None = False
    accumulate_grad_batches: int = 1
    gradient_clip_val: float | None = None
    gradient_clip_algorithm: str | None = None
    deterministic: Any = True
    benchmark: bool | None = None
    inference_mode: bool = True
    use_distributed_sampler: bool = False
    profiler: Any = None
    detect_anomaly: bool = False
    barebones: bool = False
    plugins: Any = None
    sync_batchnorm: bool = False
    reload_dataloaders_every_n_epochs: int = 0
    default_root_dir: str | None = None
    enable_autolog_hparams: bool = True
    model_registry: str | None = None

    def __post_init__(self) -> None:
        """Refuse what would contradict the run's own promises, rather than ignore it."""
        epochs = self.max_epochs
        at_least("trainer.accumulate_grad_batches", self.accumulate_grad_batches, 1)
        if self.check_val_every_n_epoch is not None:
            at_least("trainer.check_val_every_n_epoch", self.check_val_every_n_epoch, 1)
        for name in ("limit_train_batches", "limit_val_batches"):
            value = getattr(self, name)
            require(
                value is None or (is_number(value) and value > 0),
                f"trainer.{name}",
                "above 0",
                value,
                "Without, there is no best epoch.",
            )
        require(epochs is None or epochs == -1 or epochs >= 1, "trainer.max_epochs", "1 or more (-1: no limit)", epochs)
        for name, allowed, why in _TRAINER_LIMITS:
            value = getattr(self, name)
            require(value in allowed, f"trainer.{name}", f"left at {allowed[0]!r}", value, why)

    def arguments(self) -> dict[str, Any]:
        """Return what is set, as keyword arguments for the Trainer."""
        return {name: value for name, value in vars(self).items() if value is not None}


_TRAINER_LIMITS: tuple[tuple[str, tuple[Any, ...], str], ...] = (
    ("devices", (1, "1"), "One run trains on one device; to use several, start several runs."),
    ("num_nodes", (1,), "One run trains on one device; to use several, start several runs."),
    ("enable_checkpointing", (None, True), "The best epoch's weights come from its checkpoint."),
    ("fast_dev_run", (False, 0), "It leaves no checkpoint; use trainer.max_epochs=1 trainer.limit_train_batches=1."),
    ("default_root_dir", (None,), "Results go to hydra.run.dir."),
    ("barebones", (False,), "It switches off the checkpoints and metrics that a run leaves."),
    ("overfit_batches", (0.0, 0), "It would replace the order of participants; use trainer.limit_train_batches."),
    ("limit_test_batches", (None,), "Every participant is predicted."),
    ("limit_predict_batches", (None,), "Every participant is predicted."),
)


@dataclass
class RecipeConfig:
    """How a network is trained, beside its optimizer, scheduler and trainer, which a recipe sets too.

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
    cutmix: float = 0.0
    weight_averaging: float = 0.0

    def __post_init__(self) -> None:
        """Check the values."""
        require(
            math.isfinite(self.cutmix) and self.cutmix >= 0,
            "recipe.cutmix",
            "0 or more",
            self.cutmix,
            "0 cuts nothing.",
        )
        require(
            0 <= self.weight_averaging < 1,
            "recipe.weight_averaging",
            "in [0, 1)",
            self.weight_averaging,
            "0 averages nothing.",
        )


@dataclass
class StoreConfig:
    """Where parsed series are kept, and how training reads them.

    Parameters
    ----------
    root : str
        Folder of all stores.
    residency : {"auto", "memory", "memmap"}
        Hold the series in memory, or map the store's file; `auto` holds them when they take less than a quarter of
        the free memory.
    """

    root: str = "outputs/store"
    residency: str = "auto"

    def __post_init__(self) -> None:
        """Check the values."""
        one_of("store.residency", self.residency, ("auto", "memory", "memmap"))


@dataclass
class AssociationsConfig:
    """What the gap is correlated with, and in whom.

    Parameters
    ----------
    rows : {"test", "val+test", "all"}
        The rows that are analysed.
    variables : list of str or None
        Columns of the cohort's table; None is every phenotype.
    """

    rows: str = "test"
    variables: list[str] | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        one_of("associations.rows", self.rows, ("test", "val+test", "all"))


@dataclass
class ReportConfig:
    """How the report is made.

    Parameters
    ----------
    points : {"all", "none"}
        Draw people as points, or as densities.
    n_resamples : int
        Bootstrap resamples behind the intervals of accuracy.
    """

    points: str = "all"
    n_resamples: int = 2000

    def __post_init__(self) -> None:
        """Check the values."""
        one_of("report.points", self.points, ("all", "none"))
        at_least("report.n_resamples", self.n_resamples, 100)


GAP_CORRECTIONS = ("linear", "cole", "in_sample", "none")


@dataclass
class Config:
    """One run, composed.

    Parameters
    ----------
    modality, cohort, split, model, optimizer, scheduler, trainer, logger, recipe, store
        The groups. `optimizer` and `scheduler` name a class by ``_target_`` and hold its arguments, `logger` holds one
        such entry a logger; other groups have schemas of this module (a network of one's own may do without).
    seed : int
        Governs initialisation, batch order and dropout.
    batch_size : int
        Participants a batch.
    patience : int
        Training stops after this many epochs in which the validation loss did not fall.
    objective : str
        The metric, of the best epoch's weights, that a run returns.
    evaluate : bool
        Whether the test set is looked at, and what predictions mean is reported. A trial of a sweep does not.
    gap_correction : {"linear", "cole", "in_sample", "none"}
        How the brain-age gap is freed of age; see `brainage.evaluation.gap.Correction`.
    associations, report
        See `AssociationsConfig` and `ReportConfig`.
    resume : str or None
        The folder of a run to go on with.
    code : str, list of str, or None
        The user's own Python code, from the command line only; see `brainage.config.code`.
    """

    modality: ModalityConfig = MISSING
    cohort: Any = MISSING
    split: Any = MISSING
    model: Any = MISSING
    optimizer: Any = MISSING
    scheduler: Any = MISSING
    trainer: TrainerConfig = MISSING
    logger: Any = MISSING
    recipe: RecipeConfig = field(default_factory=RecipeConfig)
    store: StoreConfig = field(default_factory=StoreConfig)
    seed: int = 43
    batch_size: int = 128
    patience: int = 15
    objective: str = OBJECTIVES[0]
    evaluate: bool = True
    gap_correction: str = GAP_CORRECTIONS[0]
    associations: AssociationsConfig = field(default_factory=AssociationsConfig)
    report: ReportConfig = field(default_factory=ReportConfig)
    resume: str | None = None
    code: Any = None

    def __post_init__(self) -> None:
        """Check the values that belong to no group, and the groups without a schema of their own."""
        at_least("seed", self.seed, 0)
        require(self.seed < 2**63, "seed", "less than 2**63, as torch's generators have it", self.seed)
        # Batch normalisation cannot train on one participant.
        at_least("batch_size", self.batch_size, 2)
        at_least("patience", self.patience, 1)
        one_of("objective", self.objective, OBJECTIVES)
        one_of("gap_correction", self.gap_correction, GAP_CORRECTIONS)
        self.cohort = own_cohort(self.cohort)
        for name, classes in _CLASSES_OF_GROUPS.items():
            value = getattr(self, name)
            require(isinstance(value, classes), name, "one of its choices", value, f"Choose with {name}=NAME.")
        for name, entry in (self.logger or {}).items():
            require(isinstance(entry, dict), f"logger.{name}", "a logger's values", entry, "Choose with logger=NAME.")
        _check_optimizer(self.optimizer)
        for key, derived in (("in_channels", self.modality.n_channels), ("n_times", self.modality.n_times)):
            given = self.network_arguments.get(key, derived)
            require(given == derived, f"model.{key}", f"{derived}, as the modality has", given, "Leave it out.")
        for path, node in SCHEMAS.items():
            group, _, name = path.partition("/")
            chosen = getattr(self, group)
            if name and type(chosen) is node:
                require(chosen.name == name, f"{group}.name", repr(name), chosen.name, f"Use {group}=NAME.")
        t_max = (self.scheduler or {}).get("T_max", 1)
        require(
            is_number(t_max) and t_max >= 1,
            "scheduler.T_max",
            "1 or more",
            t_max,
            "It is trainer.max_epochs unless given; a training without a last epoch needs scheduler=none.",
        )
        if isinstance(self.model, dict):
            ModelConfig(name=self.model.get("name", ""), output_bias=self.model.get("output_bias", "mean_age"))

    @property
    def network_arguments(self) -> dict[str, Any]:
        """Arguments of the network's constructor: the model's config without what every model has."""
        items = self.model if isinstance(self.model, dict) else vars(self.model)
        return {key: value for key, value in items.items() if key not in ModelConfig.__dataclass_fields__}

    def model_value(self, key: str) -> Any:
        """Return one value of the model's config, whether or not that has a schema."""
        return self.model.get(key) if isinstance(self.model, dict) else getattr(self.model, key)


# What a group's choices become. A network may do without a schema.
_CLASSES_OF_GROUPS: dict[str, Any] = {
    "modality": ModalityConfig,
    "cohort": CohortConfig,
    "split": SplitConfig,
    "model": (ModelConfig, dict),
    "optimizer": dict,
    "scheduler": (dict, type(None)),
    "trainer": TrainerConfig,
    "logger": (dict, type(None)),
    "store": StoreConfig,
}

# Where a schema lies below `schema/` in the config store: its group, and its name where each choice has its own.
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
    """Refuse a query that names people; a config is copied into the run's folder and to loggers.

    Parameters
    ----------
    query : str
        ``cohort.include``.

    Raises
    ------
    NamedParticipantError
        The message does not repeat the query.
    """
    if re.search(r"\b(participant_id|eid|family_id)\b", query, flags=re.IGNORECASE):
        raise NamedParticipantError(
            "`cohort.include` must not name participants or families, but compares participant_id, eid or family_id: a "
            "config is copied into every run's folder, where nobody's id belongs. List people to leave out in a file, "
            "one id a line, with cohort.exclude_ids=FILE."
        )


def refuse_ids_in(words: Iterable[str]) -> None:
    """Refuse overrides whose query names people: ``cohort.include=``, ``++cohort.include=``, ``cohort={include: ...}``.

    Parameters
    ----------
    words : iterable of str
        Of the command line.

    Raises
    ------
    NamedParticipantError
        See `refuse_ids`.
    """
    for word in words:
        key, _, value = word.lstrip("+~").partition("=")
        if key.startswith("cohort") and ("include" in key or (key == "cohort" and "include" in value)):
            refuse_ids(word)


def _check_optimizer(optimizer: dict[str, Any]) -> None:
    """Check the two values that every optimizer has."""
    positive("optimizer.lr", optimizer.get("lr"))
    decay = optimizer.get("weight_decay", 0.0)
    require(is_number(decay) and decay >= 0, "optimizer.weight_decay", "0 or more", decay)
