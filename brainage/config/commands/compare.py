"""Schema of ``compare``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from omegaconf import MISSING

from brainage.config.commands.shared import AnyCommandConfig, require_folders
from brainage.config.rules import Checked, checked, choice


def _named(ensemble: object) -> object:
    """Return the name of what earlier versions said with a boolean, which is text after composing."""
    return {"true": "mean", "false": "none"}.get(str(ensemble).lower(), ensemble)


@checked()
@dataclass
class CompareCommandConfig(AnyCommandConfig):
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
    """

    runs: Any = MISSING
    ensemble: Annotated[str, Checked(_named, "before"), choice("none", "mean", "stack")] = "none"

    def __post_init__(self) -> None:
        """Check that there are folders."""
        require_folders("runs", self.runs)
