"""The steps of the published study, and how much of it is done at which size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from brainage.config.overrides import as_overrides, quoted
from brainage.runs.folder import read_summary

GRIDS = ("learning_rate", "kernel_size", "depth", "components")
SWEEPS = ("ica25_good", "ica25_all", "ica100_good", "ica100_all")
FINALS = ("ica25", "ica100")

# The file with the results of a stage's step, and the key of the folder that it is in.
_RESULTS = {
    "manual_search": ("summary.csv", "hydra.sweep.dir"),
    "hyperparameter_sweep": ("trials.csv", "hydra.sweep.dir"),
    "final_models": ("summary.json", "hydra.run.dir"),
    "comparison": ("differences.csv", "hydra.run.dir"),
}


@dataclass(frozen=True)
class Size:
    """Participants of a simulated cohort (other cohorts are used whole), and overrides of each stage."""

    n_participants: int
    grids: tuple[str, ...] = ()
    sweeps: tuple[str, ...] = ()
    finals: tuple[str, ...] = ()

    def description(self, name: str) -> str:
        """Return what is smaller than in the published study."""
        stages = enumerate((self.grids, self.sweeps, self.finals), start=1)
        reduced = [f"stage {number} with {' '.join(words)}" for number, words in stages if words]
        cohort = f"Size {name}: {self.n_participants:,} participants, if simulated and no other number is given"
        return f"{cohort}; {'; '.join(reduced) or 'the published size otherwise'}."


SIZES = {
    "small": Size(
        600,
        grids=("trainer.max_epochs=12", "batch_size=32"),
        sweeps=(
            *("hydra.sweeper.n_trials=4", "trainer.max_epochs=6", "batch_size=32"),
            *("model.start_out=choice(8,16)", "model.max_parameters=100000"),
        ),
        finals=("trainer.max_epochs=20", "batch_size=32"),
    ),
    "full": Size(5902),
}


@dataclass(frozen=True)
class Step:
    """One command of the study: `words` are its name and overrides, without the folder of its results."""

    stage: str
    name: str
    folder: Path
    words: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Stage and name."""
        return f"{self.stage}/{self.name}"

    @property
    def result(self) -> Path:
        """The file with the step's results."""
        return self.folder / _RESULTS[self.stage][0]

    def has_result(self) -> bool:
        """Return whether there are results; of a final model, whether its training finished."""
        if self.stage == "final_models":
            return (read_summary(self.folder) or {}).get("status") == "finished"
        return self.result.is_file()

    def can_continue(self) -> bool:
        """Return whether the folder has something to continue; grids and sweeps continue by themselves."""
        checkpoint = self.folder / "checkpoints" / "last.ckpt"
        return "--multirun" in self.words or (self.stage == "final_models" and checkpoint.is_file())

    def command(self) -> list[str]:
        """Return the command that starts the step, or continues it."""
        if self.stage == "final_models" and self.can_continue():
            return ["train", *as_overrides({"resume": str(self.folder)})]
        return [*self.words, *as_overrides({_RESULTS[self.stage][1]: str(self.folder)})]


def study_steps(size: str, out: Path, overrides: Sequence[str]) -> list[Step]:
    """Return the steps of a study in order; `overrides` are added to every training."""
    chosen = SIZES[size]
    simulated = not any(word.startswith("cohort=") and word != "cohort=simulated" for word in overrides)
    given = any(word.startswith("cohort.n_participants=") for word in overrides)
    shared = [f"cohort.n_participants={chosen.n_participants}"] if simulated and not given else []
    shared += overrides

    def trainings(stage: str, names: Sequence[str], own: Sequence[str], *flags: str) -> list[Step]:
        words = {name: ("train", *flags, f"experiment={stage}/{name}", *own, *shared) for name in names}
        return [Step(stage, name, out / stage / name, words[name]) for name in names]

    finals = trainings("final_models", FINALS, chosen.finals)
    runs = ",".join(quoted(str(final.folder)) for final in finals)
    return [
        *trainings("manual_search", GRIDS, chosen.grids, "--multirun"),
        *trainings("hyperparameter_sweep", SWEEPS, chosen.sweeps, "--multirun"),
        *finals,
        Step("comparison", "ica25_ica100", out / "comparison", ("compare", f"runs=[{runs}]")),
    ]
