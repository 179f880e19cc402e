"""What the study consists of, and how much of it at which size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from brainage.runs.folder import read_summary

# The participants of the published study.
N_PUBLISHED = 5902


@dataclass(frozen=True)
class Size:
    """How much is done.

    Parameters
    ----------
    n_participants : int
        Of a simulated cohort; others are taken whole.
    grids, sweeps, finals : tuple of str
        Overrides of each stage.
    """

    n_participants: int
    grids: tuple[str, ...] = ()
    sweeps: tuple[str, ...] = ()
    finals: tuple[str, ...] = ()

    def told(self, name: str) -> str:
        """Return what is reduced, as the index says it."""
        stages = enumerate((self.grids, self.sweeps, self.finals), start=1)
        reduced = [f"stage {number} with {' '.join(words)}" for number, words in stages if words]
        people = (
            f"Size {name}: {self.n_participants:,} participants, where they are simulated and no other number is given"
        )
        return f"{people}; {'; '.join(reduced) or 'as published, in size'}."


SIZES = {
    "small": Size(
        600,
        grids=("trainer.max_epochs=12", "batch_size=32"),
        sweeps=(
            "hydra.sweeper.n_trials=4",
            "trainer.max_epochs=6",
            "batch_size=32",
            "model.start_out=choice(8,16)",
            "model.max_parameters=100000",
        ),
        finals=("trainer.max_epochs=20", "batch_size=32"),
    ),
    "full": Size(N_PUBLISHED),
}

GRIDS = ("learning_rate", "kernel_size", "depth", "components")
SWEEPS = ("ica25_good", "ica25_all", "ica100_good", "ica100_all")
FINALS = ("ica25", "ica100")


# What a stage's steps end with.
_RESULTS = {
    "manual_search": "summary.csv",
    "hyperparameter_sweep": "trials.csv",
    "final_models": "summary.json",
    "comparison": "differences.csv",
}


@dataclass(frozen=True)
class Step:
    """One command of the study.

    Parameters
    ----------
    stage : {"manual_search", "hyperparameter_sweep", "final_models", "comparison"}
        Which part of the study.
    name : str
        Its name there.
    folder : Path
        Where its results go.
    words : tuple of str
        The command: a script and its arguments, without the folder.
    """

    stage: str
    name: str
    folder: Path
    words: tuple[str, ...] = field(default=())

    @property
    def label(self) -> str:
        """What it is called."""
        return f"{self.stage}/{self.name}"

    @property
    def result(self) -> Path:
        """The file that tells what came out."""
        return self.folder / _RESULTS[self.stage]

    def has_result(self) -> bool:
        """Tell whether something came out; of a final model, a finished training."""
        if self.stage == "final_models":
            return (read_summary(self.folder) or {}).get("status") == "finished"
        return self.result.is_file()


def steps(size: str, out: Path, overrides: Sequence[str]) -> list[Step]:
    """Return the steps of a study, in order.

    Parameters
    ----------
    size : str
        A key of `SIZES`.
    out : Path
        The study's folder.
    overrides : sequence of str
        Added to every training, such as the cohort's.
    """
    chosen = SIZES[size]
    simulated = not any(word.startswith("cohort=") and word != "cohort=simulated" for word in overrides)
    named = any(word.startswith("cohort.n_participants=") for word in overrides)
    people = (f"cohort.n_participants={chosen.n_participants}",) if simulated and not named else ()
    more = (*people, *overrides)
    found = [_training("manual_search", name, out, ("--multirun",), (*chosen.grids, *more)) for name in GRIDS]
    found += [_training("hyperparameter_sweep", name, out, ("--multirun",), (*chosen.sweeps, *more)) for name in SWEEPS]
    finals = [_training("final_models", name, out, (), (*chosen.finals, *more)) for name in FINALS]
    runs = ",".join(quoted(final.folder) for final in finals)
    comparison = Step("comparison", "ica25_ica100", out / "comparison", ("compare.py", f"runs=[{runs}]"))
    return [*found, *finals, comparison]


def _training(stage: str, name: str, out: Path, flags: tuple[str, ...], overrides: tuple[str, ...]) -> Step:
    return Step(stage, name, out / stage / name, ("train.py", *flags, f"experiment={stage}/{name}", *overrides))


def quoted(path: Path) -> str:
    """Return a path as Hydra's grammar wants it."""
    return '"' + str(path).replace('"', '\\"') + '"'
