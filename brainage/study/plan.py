"""The stages of the published study and their steps, at each size; steps of a panel are of the same kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from brainage.config.machine import of_this_machine
from brainage.config.overrides import as_overrides, quoted
from brainage.runs.folder import read_summary

# The experiments of each stage.
STAGES = {
    "manual_search": ("learning_rate", "kernel_size", "depth", "components"),
    "hyperparameter_sweep": ("ica25_good", "ica25_all", "ica100_good", "ica100_all"),
    "final_models": ("ica25", "ica100"),
}

_SWEEPS = "hyperparameter_sweep"

# The file with the results of a step; that of a grid is the multirun's table.
_GRID = "summary.csv"
_RESULTS = {
    _SWEEPS: "trials.csv",
    "final_models": "summary.json",
    "comparison": "differences.csv",
}


@dataclass(frozen=True)
class Size:
    """Participants of a simulated cohort (other cohorts are used whole), and overrides by stage."""

    n_participants: int
    overrides: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def description(self, name: str) -> str:
        """Return what is smaller than in the published study."""
        reduced = [
            f"stage {number} with {' '.join(self.overrides[stage])}"
            for number, stage in enumerate(STAGES, start=1)
            if stage in self.overrides
        ]
        cohort = f"Size {name}: {self.n_participants:,} participants, if simulated and no other number is given"
        return f"{cohort}; {'; '.join(reduced) or 'the published size otherwise'}."


SIZES = {
    "small": Size(
        600,
        {
            "manual_search": ("trainer.max_epochs=12", "batch_size=32"),
            "hyperparameter_sweep": (
                *("hydra.sweeper.n_trials=4", "trainer.max_epochs=6", "batch_size=32"),
                *("model.start_out=choice(8,16)", "model.max_parameters=100000"),
            ),
            "final_models": ("trainer.max_epochs=20", "batch_size=32"),
        },
    ),
    "full": Size(5902),
}


@dataclass(frozen=True)
class Step:
    """One command of the study: `words` are its name and overrides, without the folder of its results.

    Jobs of a grid that ended with an error of one of the classes in `accepted` are results.
    """

    stage: str
    name: str
    folder: Path
    words: tuple[str, ...]
    accepted: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Stage and name."""
        return f"{self.stage}/{self.name}"

    @property
    def result(self) -> Path:
        """The file with the step's results."""
        return self.folder / _RESULTS.get(self.stage, _GRID)

    @property
    def is_grid(self) -> bool:
        """Whether it trains a grid, whose jobs have results each."""
        return self.result.name == _GRID

    @property
    def _checkpoint(self) -> Path:
        return self.folder / "checkpoints" / "last.ckpt"

    def has_result(self) -> bool:
        """Return whether there are results; of a final model, whether its training finished."""
        if self.stage == "final_models":
            return (read_summary(self.folder) or {}).get("status") == "finished"
        return self.result.is_file()

    def can_continue(self) -> bool:
        """Return whether `command` continues what the folder contains; that of a grid or a sweep always does."""
        return "--multirun" in self.words or self._checkpoint.is_file()

    def command(self) -> list[str]:
        """Return the command that starts the step, or continues it."""
        if self._checkpoint.is_file():
            return ["train", *as_overrides({"resume": str(self.folder)}), *filter(of_this_machine, self.words)]
        kind = "sweep" if "--multirun" in self.words else "run"
        return [*self.words, *as_overrides({f"hydra.{kind}.dir": str(self.folder)})]


def study_steps(size: str, out: Path, overrides: Sequence[str]) -> list[Step]:
    """Return the steps of a study in order; `overrides` are added to every training."""
    chosen = SIZES[size]
    simulated = not any(word.startswith("cohort=") and word != "cohort=simulated" for word in overrides)
    given = any(word.startswith("cohort.n_participants=") for word in overrides)
    shared = [f"cohort.n_participants={chosen.n_participants}"] if simulated and not given else []
    steps = []
    for stage, names in STAGES.items():
        flags = () if stage == "final_models" else ("--multirun",)
        for name in names:
            own = chosen.overrides.get(stage, ())
            own_words = [word for word in overrides if stage == _SWEEPS or not word.startswith("hydra.sweeper.")]
            words = ("train", *flags, f"experiment={stage}/{name}", *own, *shared, *own_words)
            steps.append(Step(stage, name, out / stage / name, words))
    runs = ",".join(quoted(str(step.folder)) for step in steps if step.stage == "final_models")
    modes = [word for word in overrides if word.startswith("outputs.")]
    return [*steps, Step("comparison", "ica25_ica100", out / "comparison", ("compare", f"runs=[{runs}]", *modes))]
