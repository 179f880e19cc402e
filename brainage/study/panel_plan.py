"""The plan of a panel: which models, of which size, and the grid of splits and seeds that each one trains."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from yaml import YAMLError

from brainage import models
from brainage.config.again import key_of
from brainage.config.code import load_code
from brainage.errors import ConfigError, MissingPathError, StudyError, nearest
from brainage.study.overrides import Reserved, checked_overrides, composed, composing, mistakes_of
from brainage.study.plan import Size, Step
from brainage.sweep.query import refuse_query
from brainage.system.files import CONFIGS
from brainage.system.reading import read_yaml

SIZES = {
    "small": Size(300, {"models": ("trainer.max_epochs=5", "batch_size=16", "report.n_resamples=100")}),
    "full": Size(2000),
}

# Random splits, and seeds of a network.
N_SPLITS = {"small": 5, "full": 10}
N_SEEDS = {"small": 1, "full": 2}

# Seed of the first training of a network; that of `configs/train.yaml`.
_SEED = 43

# Splits and networks of the test whether order is used.
ORDER_SPLITS, ORDER_MODELS = 5, 2

# Errors that say that a model cannot be fitted to this cohort or modality, such as head motion without the column.
_UNSUITABLE = ("CohortError", "ConfigError")

_GRID = r"resume|sweep|evaluate|seed|split|split[./](?!stratify|\w+_fraction).*|hydra.*"
_OF_ALL = Reserved(
    rf"{_GRID}|experiment|model|model[./].*",
    "a panel",
    "its models set their own, and its splits and seeds are those of its page (--splits, --seeds). Remove it, or give "
    "it to one model in a file (--panel FILE).",
)
_OF_ONE = Reserved(
    rf"{_GRID}|cohort|cohort[./].*|store[./].*",
    "one model of a panel",
    "all of them are compared on the same participants and splits. Remove it there; it may be given for all.",
)


@dataclass
class Panel:
    """A panel.

    Parameters
    ----------
    models : dict of str to tuple of str
        Overrides by model, the reference first.
    size : str
        One of `SIZES`.
    n_splits, n_seeds : int
        Random splits, and trainings of a network in each.
    overrides : sequence of str
        Of every training.
    config_dir : Path or None
        A folder with the user's own choices.

    Raises
    ------
    ConfigError, StudyError
        An override cannot be given to all trainings.
    """

    models: Mapping[str, tuple[str, ...]]
    size: str
    n_splits: int
    n_seeds: int
    overrides: Sequence[str]
    config_dir: Path | None = None

    def __post_init__(self) -> None:
        """Check and quote the overrides, and that the folder exists."""
        self.overrides = checked_overrides(self.overrides, _OF_ALL)
        if self.config_dir is not None:
            if not self.config_dir.is_dir():
                raise MissingPathError(f"`--config-dir {self.config_dir}` must be a folder, but does not exist.")
            self.config_dir = self.config_dir.absolute()

    @property
    def reference(self) -> str:
        """The model that all others are compared with."""
        return next(iter(self.models))

    def steps(self, out: Path) -> list[Step]:
        """Compose and check the config of every model; return a step for each."""
        steps: list[Step] = []
        with composing():
            for name in self.models:
                with mistakes_of(f"model {name}"):
                    config = composed([*self._searchpath(), *self.words(name)])
                    load_code(config.code, self.words(name))
                    n_seeds = 1 if models.is_baseline(config.model_value("name")) else self.n_seeds
                    if not steps:
                        refuse_query(config.cohort, config.modality)
                steps.append(self._step("models", name, out, self.n_splits, n_seeds))
        return steps

    def described(self) -> str:
        """Return what the size means."""
        size = SIZES[self.size]
        shared = " ".join(size.overrides.get("models", ())) or "nothing is reduced"
        return (
            f"{self.size}: {size.n_participants:,} participants, if simulated and no other number is given; {shared}; "
            f"{self.n_splits} splits, and {self.n_seeds} seeds of a network in each."
        )

    def words(self, name: str, *more: str) -> list[str]:
        """Return the overrides of a model's trainings; later ones replace earlier ones of the same key."""
        size = SIZES[self.size]
        simulated = not any(word.startswith("cohort=") and word != "cohort=simulated" for word in self.overrides)
        shared = [f"cohort.n_participants={size.n_participants}"] if simulated else []
        words = (*size.overrides.get("models", ()), *shared, *self.overrides, *self.models[name], *more)
        return list({key_of(word): word for word in words}.values())

    def order_step(self, name: str, out: Path) -> Step:
        """Return the step that trains a network on shuffled series."""
        return self._step("order", name, out, min(self.n_splits, ORDER_SPLITS), 1, "recipe.shuffle_time=true")

    def _step(self, stage: str, name: str, out: Path, n_splits: int, n_seeds: int, *more: str) -> Step:
        own = () if self.config_dir is None else ("--config-dir", str(self.config_dir))
        seeds = (f"split.seed=range({n_splits})", f"seed=range({_SEED},{_SEED + n_seeds})")
        accepted = () if name == self.reference else _UNSUITABLE
        words = ("train", "--multirun", *own, *self.words(name, *more), *seeds)
        return Step(stage, name, out / stage / name, words, accepted)

    def _searchpath(self) -> list[str]:
        return [] if self.config_dir is None else [f"hydra.searchpath=['file://{self.config_dir}']"]


def plan_panel(
    chosen: Mapping[str, tuple[str, ...]],
    size: str,
    n_splits: int | None,
    n_seeds: int | None,
    overrides: Sequence[str],
    config_dir: Path | None = None,
) -> Panel:
    """Return a panel whose numbers of splits and seeds are those of its size, unless they are given."""
    return Panel(chosen, size, n_splits or N_SPLITS[size], n_seeds or N_SEEDS[size], overrides, config_dir)


def read_models(path: Path = CONFIGS / "panel.yaml") -> dict[str, tuple[str, ...]]:
    """Read the models of a file: names and their overrides, as on a command line."""
    form = f"`{path}` must have one line a model, NAME: model=... KEY=VALUE ..."
    try:
        entries = read_yaml(path, follow=True)
    except FileNotFoundError:
        raise MissingPathError(f"`--panel {path}` must be a file with models, but does not exist.") from None
    except (OSError, ValueError, YAMLError) as error:
        raise ConfigError(f"{form}, but cannot be read: {' '.join(str(error).split())}.") from None
    if not isinstance(entries, dict) or not entries:
        raise ConfigError(f"{form}, but has none.")
    found = {}
    for name, text in entries.items():
        if not re.fullmatch(r"[A-Za-z]\w*", str(name)) or not isinstance(text, str):
            raise ConfigError(f"{form}, whose name has letters, digits and _ only, but has {name!r}: {text!r}.")
        with mistakes_of(f"model {name}"):
            found[str(name)] = tuple(checked_overrides(_words(text), _OF_ONE))
    return found


def _words(text: str) -> list[str]:
    """Return the words of a command line."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise ConfigError(f"`{text}` must be words of a command line, but has: {error}. Correct the quotes.") from None


def choose_models(names: str | None, file: Path | None, reference: str) -> dict[str, tuple[str, ...]]:
    """Return the models of a list of names, or all, with the reference first; `file` has further models.

    Raises
    ------
    StudyError, ConfigError
        There is no model of such a name, or the file cannot be used.
    """
    known = {**read_models(), **({} if file is None else read_models(file))}
    chosen = list(known) if names is None else names.split(",")
    for key, name in (("--reference", reference), *(("--models", name) for name in chosen)):
        if name not in known:
            raise StudyError(f"`{key}` got {name!r}. {nearest(name, known)} Others are added with --panel FILE.")
    return {name: known[name] for name in dict.fromkeys([reference, *chosen])}
