"""Schema of ``check``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from brainage.config.commands.shared import StoreRootConfig
from brainage.config.groups.cohort import CohortConfig, own_cohort
from brainage.config.groups.output import OutputsConfig
from brainage.config.rules import PathText, checked, choice, require


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
