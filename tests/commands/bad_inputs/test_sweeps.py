"""Sweeps that cannot be started."""

# ruff: noqa: E501 (the tables have a case a line)

from __future__ import annotations

import re
from pathlib import Path

import optuna
import pytest

from tests.commands.bad_inputs.cases import TINY, Case, put
from tests.commands.bad_inputs.conftest import Answer
from tests.conftest import every

SWEEP = ("--multirun", "sweep=variable1dcnn", *TINY)


def other_study(folder: Path) -> None:
    """Begin a study of the name that the sweep would have, with another direction."""
    path = folder / "outputs" / "sweeps" / "variable1dcnn-ica25" / "study.db"
    path.parent.mkdir(parents=True)
    optuna.create_study(study_name="variable1dcnn-ica25", storage=f"sqlite:///{path}", direction="maximize")


SWEEPS = [
    Case("a sweep in one run", r"`sweep=variable1dcnn` .* needs --multirun. The command is: python train.py --multirun sweep=variable1dcnn model.depth=2", ("sweep=variable1dcnn", "model.depth=2")),
    Case("a sweep's experiment in one run", r"The command is: python train.py --multirun experiment=hyperparameter_sweep/ica25_good seed=1\n", ("experiment=hyperparameter_sweep/ica25_good", "hydra.mode=RUN", "seed=1")),
    Case("an experiment that is none", r"error: `experiment=manual_search/dept` does not exist. Choose one of .*demo.*ica100_all.* Did you mean `manual_search/depth`\?", ("experiment=manual_search/dept",)),
    Case("a sweep that is none", r"Could not find 'sweep/variable'\s+Available options[^/]*variable1dcnn", ("--multirun", "sweep=variable"), code=1),
    Case("a sampler that is none", r"Could not find 'hydra/sweeper/sampler/nothing'\s+Available options[\s\S]*\ttpe", (*SWEEP, "hydra/sweeper/sampler=nothing"), code=1),
    Case("a pruner that is none", r"Could not find 'hydra/sweeper/pruner/nothing'\s+Available options[\s\S]*\thyperband", (*SWEEP, "hydra/sweeper/pruner=nothing"), code=1),
    Case("a sampler of single values", r"`hydra.sweeper.sampler.multivariate` must be true, .* but is false", (*SWEEP, "hydra.sweeper.sampler.multivariate=false")),
    Case("a sampler of another library", r"`hydra.sweeper.sampler` must be one of Optuna's, but got dict", (*SWEEP, "hydra.sweeper.sampler={_target_: builtins.dict}")),
    Case("a pruner that cannot be made", r"`hydra.sweeper.pruner` names 'optuna.pruners.MedianPruner', which cannot be made: .*speed", (*SWEEP, "+hydra.sweeper.pruner.speed=3")),
    Case("a parameter that no config has", r"`model.kernal_size` must be a key of the config to be searched.*Did you mean `model.kernel_size`\?", (*SWEEP, "model.kernal_size=range(2,4)")),
    Case("an inverted range", r"`model.stride` must be a range with a value, but got range\(5,2,1\)", (*SWEEP, "model.stride=range(5,2)")),
    Case("a log range from 0", r"`optimizer.lr` must be above 0 to be searched logarithmically", (*SWEEP, "optimizer.lr=tag(log,interval(0,1))")),
    Case("a value that no config takes", r"`model.conv_dropout` must be in \[0, 1\), but got 1.5", (*SWEEP, "model.conv_dropout=choice(0.1,1.5)")),
    Case("a value of no type in a sweep", r"`hydra.sweeper.params` must have values that the config accepts, but at .*'many'", (*SWEEP, "patience=choice(8,many)")),
    Case("a choice that is none in a sweep", r"`hydra.sweeper.params` must have values that the config accepts, but at .*Could not find 'optimizer/nothing'", (*SWEEP, "optimizer=choice(adamw,nothing)")),
    Case("a space in which nothing can exist", r"no network can be built from any of [\d,]+ combinations. For example: `model.depth=1` is impossible", (*SWEEP, "model.kernel_size=range(300,310)")),
    Case("no trials", r"`hydra.sweeper.n_trials` must be a whole number from 1, but got 0", (*SWEEP, "hydra.sweeper.n_trials=0")),
    Case("half a worker", r"`hydra.sweeper.n_workers` must be a whole number from 1, but got 0.5", (*SWEEP, "hydra.sweeper.n_workers=0.5")),
    Case("a direction that is none", r"`hydra.sweeper.direction` must be minimize or maximize, but got 'down'", (*SWEEP, "hydra.sweeper.direction=down")),
    Case("two directions for one objective", r"`hydra.sweeper.direction` must name one direction an objective \(objective\), but got 2", (*SWEEP, "hydra.sweeper.direction=[minimize,minimize]")),
    Case("an objective that is none", r"`hydra.sweeper.objectives` must be of objective, parameters, each once, but got 'mae'", (*SWEEP, "hydra.sweeper.objectives=[mae]")),
    Case("a study's name that is no folder's", r"`hydra.sweeper.study_name` must be made of letters, .* but got '../a'", (*SWEEP, "hydra.sweeper.study_name=../a")),
    Case("a storage that does not answer", r"`hydra.sweeper.storage=postgresql://u:\*\*\*@127.0.0.1:1/d` cannot be reached", (*SWEEP, "hydra.sweeper.storage='postgresql://u:sesame@127.0.0.1:1/d'")),
    Case("a study of another direction", r"`hydra.sweeper.study_name=variable1dcnn-ica25` has the direction maximize, but now it is minimize", SWEEP, other_study),
    Case("a file in the sweep's place", r"outputs/sweeps/variable1dcnn-ica25` cannot be written", SWEEP, put("outputs/sweeps/variable1dcnn-ica25", "")),
    Case("a setting that no sweeper has", r"Could not override 'hydra.sweeper.trials'", (*SWEEP, "hydra.sweeper.trials=3"), code=1),
]  # fmt: skip


@pytest.mark.parametrize("case", every(5, SWEEPS), ids=lambda case: case.name)
def test_a_wrong_sweep_is_one_message(case: Case, answer: Answer) -> None:
    ended = answer(case)
    assert ended.code == case.code, ended.text
    assert re.search(case.message, ended.err), ended.text
