"""Interrupted runs whose files are wrong."""

# ruff: noqa: E501 (the tables have a case a line)

from __future__ import annotations

import re
from pathlib import Path

import pytest
from filelock import FileLock

from tests.commands.bad_inputs.cases import (
    BIDS,
    IDS,
    SERIES,
    Case,
    Marker,
    both,
    changed_checkpoint,
    cut,
    edit,
    folder_instead,
    gone,
    last_ckpt,
    put,
    scans,
)
from tests.commands.bad_inputs.conftest import Answer, Run
from tests.conftest import every_third

RESUME = ("resume=run",)
COSINE = """\
scheduler:
  _target_: torch.optim.lr_scheduler.CosineAnnealingLR
  _partial_: true
  T_max: 2
  eta_min: 0.0
"""
NO_CHECKPOINT = r"`/.*run/checkpoints/last.ckpt` must be a checkpoint that contains tensors and plain values only, but cannot be read"
NO_CONFIG = r"`run/config.yaml` must be the config of a run of this version, but cannot be read as one: "
CHECKPOINTS = [
    Case("half a checkpoint", NO_CHECKPOINT, RESUME, cut("run/checkpoints/last.ckpt", 1000)),
    Case("an empty checkpoint", NO_CHECKPOINT, RESUME, cut("run/checkpoints/last.ckpt", 0)),
    Case("a folder for a checkpoint", NO_CHECKPOINT, RESUME, folder_instead("run/checkpoints/last.ckpt")),
    Case("a checkpoint that runs code", NO_CHECKPOINT, RESUME, last_ckpt({"state_dict": Marker(), "epoch": 1})),
    Case("a list for a checkpoint", r"`/.*run/checkpoints/last.ckpt` must be a checkpoint, but has no `state_dict`", RESUME, last_ckpt([1])),
    Case("another project's checkpoint", r"`/.*run/checkpoints/last.ckpt` must be a checkpoint of this version of brainage", RESUME, last_ckpt({"state_dict": {}, "epoch": 1})),
    Case("a progress of no numbers", r"`/.*run/checkpoints/last.ckpt` must be a checkpoint of this version of brainage", RESUME, changed_checkpoint(lambda c: c["brainage"].update(epochs="many"))),
    Case("weights of no tensors", r"`/.*run/checkpoints/last.ckpt` must be a checkpoint, but its `state_dict` names no weights", RESUME, changed_checkpoint(lambda c: c.update(state_dict=[1, 2]))),
    Case("no state of the optimizer", r"`/.*run/checkpoints/last.ckpt` must be a checkpoint", RESUME, changed_checkpoint(lambda c: c.pop("optimizer_states"))),
    Case("another network's weights", r"`network.encoder.0.weight` has the shape \(2, 21, 3\) there, and \(4, 21, 3\)", RESUME, edit("run/config.yaml", "start_out: 2", "start_out: 4")),
    Case("half of the best checkpoint", r"`/.*run/checkpoints/best.ckpt` must be a checkpoint that contains tensors", RESUME, both(changed_checkpoint(lambda c: c["brainage"].update(best_epoch=7)), cut("run/checkpoints/best.ckpt", 500))),
    Case("no best checkpoint", r"`/.*run/checkpoints/best.ckpt` must exist, but does not", RESUME, both(changed_checkpoint(lambda c: c["brainage"].update(best_epoch=7)), gone("run/checkpoints/best.ckpt"))),
    Case("other series", r"`/.*run/checkpoints/last.ckpt` must be resumed with the data that it was trained on", RESUME, scans(SERIES.replace(b"\n", b"\n\n").replace(b"1", b"2"), people=IDS[4:5])),
    Case("other ages", r"`/.*run/checkpoints/last.ckpt` must be resumed with the data that it was trained on", RESUME, edit("tree/participants.tsv", "\t55\t", "\t56\t")),
    Case("no participants any more", r"`cohort.root` must be a folder, but `tree` is none", RESUME, gone("tree")),
    Case("no participants any more, where it had ended", r"`cohort.root` must be a folder, but `tree` is none", RESUME, both(gone("tree"), put("run/summary.json", '{"status": "interrupted"}'))),
    Case("no run", r"`resume=run` must be the folder of a run.* but it does not exist", RESUME, gone("run")),
    Case("a folder of no run", r"`resume=run` must be the folder of a run.* but it has none", RESUME, gone("run/config.yaml")),
    Case("a file for a run", r"`resume=ukb.csv` must be the folder of a run", ("resume=ukb.csv",)),
    Case("a config that is no YAML", NO_CONFIG, RESUME, put("run/config.yaml", "modality: [")),
    Case("an empty config", NO_CONFIG, RESUME, put("run/config.yaml", "")),
    Case("a list for a config", NO_CONFIG + "it has no keys", RESUME, put("run/config.yaml", "- 1\n")),
    Case("half a config", NO_CONFIG, RESUME, cut("run/config.yaml", 150)),
    Case("a config with an unknown key", NO_CONFIG + "Key 'n_eggs' not in", RESUME, edit("run/config.yaml", "n_times:", "n_eggs:")),
    Case("a config with words for numbers", NO_CONFIG + "Value 'many'", RESUME, edit("run/config.yaml", "patience: ", "patience: many # ")),
    Case("a config with text for a group", r"`scheduler` must be one of its choices, but got 3", RESUME, edit("run/config.yaml", COSINE, "scheduler: 3\n")),
    Case("a config with a value out of range", r"`batch_size` must be 2 or more, or auto, but got 0", RESUME, edit("run/config.yaml", "batch_size: 4", "batch_size: 0")),
    Case("a config with an unset variable", r"`run/config.yaml` must contain values, as a run writes them, but one refers to something else", RESUME, edit("run/config.yaml", "root: tree", "root: ${oc.env:NO_SUCH_VARIABLE}")),
    Case("a config that names a command", r"`run/config.yaml` must name nothing but .* names 'os.system'", RESUME, edit("run/config.yaml", "torch.optim.AdamW", "os.system")),
    Case("a config that names a callback", r"`trainer.callbacks` in `run/config.yaml` .*subprocess.run", RESUME, edit("run/config.yaml", "callbacks: []", "callbacks: [{_target_: subprocess.run, args: [touch, marker]}]")),
    Case("a config that names what a trusted module imports", r"names 'torch.optim.optimizer.functools.partial'", RESUME, edit("run/config.yaml", "torch.optim.AdamW", "torch.optim.optimizer.functools.partial")),
    Case("other values with it", r"`resume=run` .*own config.* but got `seed=3`", (*RESUME, "seed=3")),
    Case("many at once", r"`resume=run` .*one run, but got --multirun", (*RESUME, "--multirun")),
    Case("no number of epochs", r"`trainer.max_epochs` must be a number .*but got None", (*RESUME, "trainer.max_epochs=null")),
    Case("fewer epochs than there are", r"`trainer.max_epochs` must be 2 or more, the epochs that are finished, but got 1", (*RESUME, "trainer.max_epochs=1")),
    Case("a config of an unknown cohort", r"`cohort.name` got 'ants'.*simulated, ukb, bids or abide", RESUME, edit("run/config.yaml", "name: bids", "name: ants")),
    Case("a config of an unknown network", r"`model.name` got 'cnn'. Choose one of", RESUME, edit("run/config.yaml", "name: variable1dcnn", "name: cnn")),
    Case("a config without a modality", NO_CONFIG, RESUME, edit("run/config.yaml", "modality:\n", "modality: null\nmodality_:\n")),
    Case("a config with a number for a logger", r"`logger.mine` in `run/config.yaml` .* but it is 3\.", RESUME, edit("run/config.yaml", "logger: {}", "logger: {mine: 3}")),
    Case("a config of another optimizer", r"`/.*run/checkpoints/last.ckpt` must be a checkpoint of a run with this config, but cannot be restored", RESUME, edit("run/config.yaml", "torch.optim.AdamW", "torch.optim.SGD")),
    Case("a config without an optimizer's values", r"`optimizer.lr` must be a number above 0, but got None", RESUME, edit("run/config.yaml", "  lr: 0.002\n", "")),
    Case("a folder in use", r"`.*run` must be a folder without a run, but it contains `metrics.csv`", (*BIDS, "hydra.run.dir=run")),
    Case("a multirun's folder in use", r"`.*` must be a folder without a run, but it contains `run/metrics.csv`", ("--multirun", *BIDS, "hydra.sweep.dir=.")),
]  # fmt: skip


@pytest.mark.parametrize("case", every_third(CHECKPOINTS), ids=lambda case: case.name)
def test_a_run_that_cannot_be_resumed_is_one_message(case: Case, answer_resumed: Answer) -> None:
    ended = answer_resumed(case)
    assert ended.code == case.code, ended.text
    assert re.search(case.message, ended.err), ended.text


def test_a_run_that_another_process_trains_is_not_resumed(answer_resumed: Answer) -> None:
    locks: list[FileLock] = []

    def lock(folder: Path) -> None:
        locks.append(FileLock(folder / "run" / ".lock"))
        locks[0].acquire()

    ended = answer_resumed(Case("", "", RESUME, lock))
    locks[0].release()
    assert ended.code == 2
    assert "must belong to one process at a time" in ended.err


def test_an_interrupted_run_is_resumed(interrupted: Path, run_in: Run) -> None:
    ended = run_in(interrupted, "train.py", *RESUME)
    assert (ended.code, ended.err) == (0, "")
