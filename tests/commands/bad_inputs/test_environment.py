"""Folders, devices and loggers that cannot be used, and wrong arguments of commands without Hydra."""

# ruff: noqa: E501 (the tables have a case a line)

from __future__ import annotations

import re

import pytest
import torch

from tests.commands.bad_inputs.cases import BIDS, IDS, Case, put
from tests.commands.bad_inputs.conftest import Answer
from tests.conftest import every_third

ENVIRONMENT = [
    Case("a file where runs go", r"`hydra.run.dir=.*outputs/train.*` cannot be written: Not a directory.*hydra.run.dir=DIR", BIDS, put("outputs", "")),
    Case("a file where this run goes", r"`hydra.run.dir=.*here` cannot be written: .*hydra.run.dir=DIR", (*BIDS, "hydra.run.dir=here"), put("here", "")),
    Case("a variable of the run's folder", r"`hydra.run.dir`.*Environment variable 'NO_SUCH_VARIABLE' not found", (*BIDS, "hydra.run.dir=${oc.env:NO_SUCH_VARIABLE}")),
    Case("a file where stores go", r"`store.root=here` cannot be written: .*store.root=DIR", (*BIDS, "store.root=here"), put("here", "")),
    Case("a file where a logger writes", r"`logger.tensorboard` cannot be opened: .*or leave it out", (*BIDS, "logger=tensorboard", "hydra.run.dir=here"), put("here/tensorboard", "")),
    Case("a logger that is none", r"`logger.mine` names 'no.such.Logger', which cannot be made", (*BIDS, "+logger.mine._target_=no.such.Logger")),
    Case("a logger that takes checkpoints away", r"`logger.wandb.log_model` must be false, but got True", (*BIDS, "logger=wandb", "logger.wandb.log_model=true")),
    pytest.param(
        Case("a GPU that is not here", r"`trainer.accelerator` must be hardware that this machine has, but got 'gpu'", (*BIDS, "trainer=gpu")),
        marks=pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU"),
    ),
]  # fmt: skip

STORE = ("-m", "brainage.data.store")
SIMULATED = ("-m", "brainage.data.simulated", "--layout", "bids", "--participants", "2", "--out")
COMMANDS = [
    Case("stores that are not there", r"`--root nowhere` must be an existing folder", (*STORE, "verify", "--root", "nowhere")),
    Case("a file for stores", r"`--root ukb.csv` must be an existing folder", (*STORE, "list", "--root", "ukb.csv")),
    Case("a verb that is none", r"argument list\|verify\|purge: invalid choice: 'remove'", (*STORE, "remove")),
    Case("a purge without ids", r"the following arguments are required: --ids", (*STORE, "purge")),
    Case("a purge without its list", r"The list of ids `gone.txt` cannot be read: No such file", (*STORE, "purge", "--ids", "gone.txt")),
    Case("a purge of two ids a line", r"Line 1 of `gone.txt` is not one id", (*STORE, "purge", "--ids", "gone.txt"), put("gone.txt", f"{IDS[0]},{IDS[1]}\n")),
    Case("a purge by bytes", r"The list of ids `gone.txt` is not UTF-8 text", (*STORE, "purge", "--ids", "gone.txt"), put("gone.txt", bytes(range(128, 256)))),
    Case("a purge of runs that are not there", r"`--outputs nowhere` must be an existing folder", (*STORE, "purge", "--ids", "gone.txt", "--outputs", "nowhere"), put("gone.txt", "1\n")),
    Case("a file to simulate into", r"`--out ukb.csv` cannot be made into a folder: File exists", (*SIMULATED, "ukb.csv")),
    Case("a full folder to simulate into", r"`--out full` must be a new or an empty folder, but it has files", (*SIMULATED, "full"), put("full/notes.txt", "")),
    Case("a simulation without participants", r"`--participants` must be at least 1, but got 0", (*SIMULATED, "new", "--participants", "0")),
    Case("a simulation of no layout", r"the following arguments are required: --layout", ("-m", "brainage.data.simulated", "--out", "new", "--participants", "3")),
]  # fmt: skip


@pytest.mark.parametrize("case", every_third([*ENVIRONMENT, *COMMANDS]), ids=lambda case: case.name)
def test_a_wrong_argument_or_folder_is_one_message(case: Case, answer: Answer) -> None:
    ended = answer(case)
    assert ended.code == case.code, ended.text
    assert re.search(case.message, ended.err), ended.text
