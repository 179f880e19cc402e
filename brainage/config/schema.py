"""The typed schema of a run, and the rules between the values of its groups.

Hydra checks names and types while it composes. Values are checked once a composed config becomes these objects.
Nothing here imports torch, so mistakes are answered at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from omegaconf import MISSING

from brainage.config.groups.cohort import (
    AbideCohortConfig,
    BidsCohortConfig,
    CohortConfig,
    SimulatedCohortConfig,
    UkbCohortConfig,
    own_cohort,
)
from brainage.config.groups.groups import GroupsConfig
from brainage.config.groups.modality import ModalityConfig
from brainage.config.groups.model import NETWORKS, ModelConfig
from brainage.config.groups.output import (
    AssociationsConfig,
    IntervalsConfig,
    OutputsConfig,
    ReportConfig,
    StoreConfig,
)
from brainage.config.groups.split import (
    FixedSplitConfig,
    KFoldSplitConfig,
    LeaveSiteOutSplitConfig,
    RandomSplitConfig,
    RepeatedKFoldSplitConfig,
    SplitConfig,
)
from brainage.config.groups.trainer import OptimizerRules, RecipeConfig, SchedulerRules, TrainerConfig, TrainerRules
from brainage.config.rules import BatchSize, Bounds, Count, PathText, Permutations, checked, choice, require

OBJECTIVES = ("val/mse", "val/mae", "val/rmse", "val/r2", "val/pearson_r")
HARMONIZE = ("none", "center", "combat")
GAP_CORRECTIONS = ("linear", "cole", "crossfit", "in_sample", "none")


@checked()
@dataclass
class Config:
    """One run, composed.

    Parameters
    ----------
    modality : ModalityConfig
        Which time series: channels, time points, repetition time.
    cohort : CohortConfig
        The participants, and where their files are.
    split : SplitConfig
        Training, validation and test participants.
    model : ModelConfig or dict
        The network or the baseline.
    optimizer : dict
        The optimizer: a class by ``_target_``, and its arguments.
    scheduler : dict or None
        How the learning rate changes: a class by ``_target_``, and its arguments.
    trainer : TrainerConfig
        Arguments of Lightning's Trainer.
    logger : dict or None
        Loggers besides ``metrics.csv``: one class by ``_target_`` each, and its arguments.
    recipe : RecipeConfig
        How the network is trained: augmentation, averaging, epochs.
    store, outputs, associations, intervals, groups, report
        See `StoreConfig`, `OutputsConfig`, `AssociationsConfig`, `IntervalsConfig`, `GroupsConfig` and `ReportConfig`.
    seed : int
        Governs initialisation, batch order and dropout. It is less than 2**63, as torch's generators need.
    batch_size : int or "auto"
        Participants a batch, 2 or more, which batch normalisation needs. ``auto`` is the largest power of two, at most
        128, of which an epoch has 8 whole batches or more.
    patience : int
        Training stops after this many epochs in which the validation loss did not fall.
    objective : str
        The metric of the best epoch's weights that a run returns, and that a sweep optimises.
    harmonize : {"none", "center", "combat"}
        How the features of a baseline are harmonised between sites: not, by subtracting the difference of each site's
        mean, or by ComBat. Fitted on training participants.
    evaluate : bool
        Whether the test set is predicted and reported. A trial of a sweep does not.
    confounds : str or None
        A table with a column of ids; partial correlations are adjusted for all its other columns too.
    gap_correction : {"linear", "cole", "crossfit", "in_sample", "none"}
        How the brain-age gap is corrected for age: with a line fitted to the gap of validation participants, with
        Cole's line fitted to their predictions, with lines fitted to the gap of other held-out participants, with a
        line fitted to the analysed rows themselves, or not.
    permutations : int
        Number of permutations of the test of predictions against chance; 0 is none.
    resume : str or None
        The folder of a run to resume.
    code : str, list of str, or None
        Your own Python code, a file, an importable module or a list of these; from the command line only.
    """

    modality: ModalityConfig = MISSING
    cohort: Any = MISSING
    split: Any = MISSING
    model: Any = MISSING
    optimizer: Any = MISSING
    scheduler: Any = MISSING
    trainer: TrainerRules = MISSING
    logger: Any = MISSING
    recipe: RecipeConfig = field(default_factory=RecipeConfig)
    store: StoreConfig = field(default_factory=StoreConfig)
    outputs: OutputsConfig = field(default_factory=OutputsConfig)
    seed: Annotated[int, Bounds(ge=0, le=2**63 - 1)] = 43
    batch_size: BatchSize = 128
    patience: Count = 15
    objective: Annotated[str, choice(*OBJECTIVES)] = OBJECTIVES[0]
    harmonize: Annotated[str, choice(*HARMONIZE)] = HARMONIZE[0]
    evaluate: bool = True
    gap_correction: Annotated[str, choice(*GAP_CORRECTIONS)] = GAP_CORRECTIONS[0]
    confounds: PathText | None = None
    associations: AssociationsConfig = field(default_factory=AssociationsConfig)
    intervals: IntervalsConfig = field(default_factory=IntervalsConfig)
    groups: GroupsConfig = field(default_factory=GroupsConfig)
    report: ReportConfig = field(default_factory=ReportConfig)
    permutations: Permutations = 0
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
        OptimizerRules(lr=self.optimizer.get("lr"), weight_decay=self.optimizer.get("weight_decay", 0.0))
        SchedulerRules(T_max=(self.scheduler or {}).get("T_max", 1))
        for key, derived in (("in_channels", self.modality.n_channels), ("n_times", self.modality.n_times)):
            given = self.network_arguments.get(key, derived)
            require(given == derived, f"model.{key}", f"{derived}, as the modality has", given, "Leave it out.")
        for path, node in SCHEMAS.items():
            group, _, name = path.partition("/")
            chosen = getattr(self, group)
            if name and type(chosen) is node:
                require(chosen.name == name, f"{group}.name", repr(name), chosen.name, f"Use {group}=NAME.")
        if isinstance(self.model, dict):
            ModelConfig(name=self.model.get("name", ""), output_bias=self.model.get("output_bias", "mean_age"))

    @property
    def network_arguments(self) -> dict[str, Any]:
        """Arguments of the network's constructor: the model's config without what every model has."""
        items = self.model if isinstance(self.model, dict) else vars(self.model)
        return {key: value for key, value in items.items() if key not in ModelConfig.__dataclass_fields__}

    @property
    def shuffle_seed(self) -> int | None:
        """Seed of the shuffled time points that the network sees; None where they are in order."""
        return self.seed if self.recipe.shuffle_time else None

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
    "split/repeated_kfold": RepeatedKFoldSplitConfig,
    "split/leave_site_out": LeaveSiteOutSplitConfig,
    "split/fixed": FixedSplitConfig,
    "cohort/simulated": SimulatedCohortConfig,
    "cohort/ukb": UkbCohortConfig,
    "cohort/bids": BidsCohortConfig,
    "cohort/abide": AbideCohortConfig,
    **{f"model/{name}": node for name, node in NETWORKS.items()},
}
