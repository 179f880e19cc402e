"""What configs of several commands have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from brainage.config.groups.cohort import CohortConfig, own_cohort
from brainage.config.groups.output import OutputsConfig, ReportConfig
from brainage.config.rules import Count, PathText, Seed, checked, require
from brainage.errors import ConfigError

DEFAULT_STORE = "outputs/store"
COHORT_STEP = "Use cohort=bids cohort.root=DIR, cohort=ukb, or cohort=simulated."


def require_one(config: object, steps: dict[str, str]) -> None:
    """Raise unless one of some values is given."""
    given = [f"{key}={getattr(config, key)}" for key in steps if getattr(config, key) is not None]
    if len(given) != 1:
        keys = [f"`{key}`" for key in steps]
        raise ConfigError(
            f"{' or '.join(keys)} must be given, one of them, but got {', '.join(given) or 'none'}. Use "
            f"{', '.join(steps.values())}."
        )


def require_folders(key: str, value: Any) -> None:
    """Raise unless a value names folders of runs, or a multirun's."""
    folders = isinstance(value, str) or (isinstance(value, list) and all(isinstance(run, str) for run in value))
    require(folders, key, "a list of runs' folders, or one multirun's folder", value, f"Use {key}=[A,B].")


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
class AnyCommandConfig:
    """What all commands that write a page have in common.

    Parameters
    ----------
    seed : int
        Governs what is drawn at random, bootstrap resamples included.
    report, outputs, code
        See `Config`.
    """

    report: ReportConfig = field(default_factory=ReportConfig)
    outputs: OutputsConfig = field(default_factory=OutputsConfig)
    seed: Seed = 43
    code: Any = None


@checked()
@dataclass
class NewParticipantsConfig(AnyCommandConfig):
    """What commands that predict other participants than those of the run have in common.

    Parameters
    ----------
    cohort : CohortConfig
        The participants.
    resample : bool
        Whether series of another repetition time are resampled to that of the network.
    device : str
        A device of torch, such as ``cpu`` or ``cuda:1``; ``auto`` uses a GPU if there is one.
    batch_size : int
        Participants a batch.
    associations, store
        See `Config`.
    """

    cohort: Any = None
    associations: PredictAssociationsConfig = field(default_factory=PredictAssociationsConfig)
    resample: bool = False
    device: str = "auto"
    batch_size: Count = 250
    store: StoreRootConfig = field(default_factory=StoreRootConfig)

    def __post_init__(self) -> None:
        """Check that there is a cohort."""
        self.cohort = own_cohort(self.cohort)
        require(isinstance(self.cohort, CohortConfig), "cohort", "given: the participants", self.cohort, COHORT_STEP)
