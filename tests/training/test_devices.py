"""Runs whose batches two processes share, over gloo: the same as of one process."""

from __future__ import annotations

import csv
import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from brainage.config.saved import read_config
from brainage.models.variable1dcnn import Variable1DCNN
from brainage.training.devices import warn_of_few_cores
from brainage.training.module import AgeRegressor
from brainage.training.predict import mean_over_windows
from brainage.training.trainer import check_trainer
from tests.conftest import ROOT, Started, train_here, wait_until
from tests.runs.test_resume import same_bits

TRAIN = str(ROOT / "train.py")
TWO = ("trainer.devices=2", "trainer.strategy=ddp")
# 32 training participants in batches of 7, 7, 7, 7 and 4: uneven shares. 4 validation participants, of 7 a batch.
PLAIN = (
    "cohort.n_participants=40", "trainer=cpu", "batch_size=7", "model.depth=2", "model.start_out=4",
    "model.batch_norm=false", "model.conv_dropout=0", "model.final_dropout=0",
)  # fmt: skip
WORDS = (
    *PLAIN, "recipe.circular_shift=true", "recipe.cutmix=1", "recipe.weight_averaging=0.9", "scheduler=plateau",
    "scheduler.patience=0",
)  # fmt: skip


def numbers(run: Path) -> list[list[float]]:
    with (run / "metrics.csv").open(newline="") as file:
        return [[float(value) for value in list(row.values())[:-1]] for row in csv.DictReader(file)]


def same_weights(one: Path, other: Path, name: str) -> None:
    first, second = (torch.load(run / "checkpoints" / name, weights_only=True) for run in (one, other))
    assert first["epoch"] == second["epoch"]
    for key, weight in first["state_dict"].items():
        torch.testing.assert_close(second["state_dict"][key], weight, rtol=1e-3, atol=1e-5)


def partners(pid: int | None) -> list[int]:
    """Return the processes that a process has started to share its run."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def test_an_empty_share_of_a_batch_has_no_gradient() -> None:
    network = Variable1DCNN(in_channels=3, kernel_size=3, depth=2, start_out=4, stride=2, n_times=30)
    module = AgeRegressor(network, optimizer=torch.optim.SGD)
    loss = module._step((torch.zeros(0, 3, 30), torch.zeros(0)), module.train_error)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0 and module.train_error.mse is None
    assert all(parameter.grad is not None and not parameter.grad.any() for parameter in network.parameters())
    none = torch.zeros(0, dtype=torch.int64)
    assert len(mean_over_windows(torch.zeros(0), none, none)) == 0


def test_batch_normalisation_is_refused_on_cpus_before_anything_is_written(
    run_job: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        run_job(*WORDS, *TWO, "model.batch_norm=true")
    assert "without batch normalisation on CPUs" in (said := capsys.readouterr().err)
    assert "trainer.devices=1 trainer.strategy=auto" in said
    assert not list(tmp_path.glob("run0/*.csv"))


def test_more_processes_than_cores_are_warned_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    trainers = [check_trainer({"accelerator": "cpu", "devices": n, "strategy": "ddp"}) for n in (3, 4)]
    monkeypatch.setattr("brainage.training.devices.count_cores", lambda: 3)
    for trainer in trainers:
        warn_of_few_cores(trainer)
    assert caplog.messages == ["`trainer.devices=4` is more than the 3 cores here: processes wait for each other."]


@pytest.mark.more
def test_two_processes_train_as_one(run_job: Any, tmp_path: Path) -> None:
    words = (*WORDS, "trainer.max_epochs=2")
    run_job(*words)
    run_job(*words, *TWO)
    one, two = tmp_path / "run0", tmp_path / "run1"
    np.testing.assert_allclose(numbers(two), numbers(one), rtol=1e-5)
    assert {path.name for path in two.rglob("*")} == {path.name for path in one.rglob("*")}
    same_weights(one, two, "last.ckpt")
    assert not torch.distributed.is_initialized()
    # The folder's config says how many devices there were, and does not name anything that is loaded.
    config = read_config(two / "config.yaml")
    assert OmegaConf.select(config, "trainer.devices") == 2
    train_here(two, f"resume={two}", "trainer.max_epochs=3")
    assert len(numbers(two)) == 3 and not partners(os.getpid())


@pytest.mark.more
@pytest.mark.parametrize(
    ("words", "n_devices"),
    [
        (("recipe=modern",), 2),
        (("recipe=cutmix", "batch_size=7"), 2),
        # Shares of 4, 3 and 3, and of the last 2 participants: one of the three has none.
        (("batch_size=10",), 3),
    ],
    ids=["modern", "cutmix", "three"],
)
def test_the_first_epoch_is_that_of_one_process(
    words: tuple[str, ...], n_devices: int, run_job: Any, tmp_path: Path
) -> None:
    words = (*PLAIN, "evaluate=false", *words, "trainer.max_epochs=1")
    run_job(*words)
    run_job(*words, f"trainer.devices={n_devices}", "trainer.strategy=ddp")
    np.testing.assert_allclose(numbers(tmp_path / "run1"), numbers(tmp_path / "run0"), rtol=1e-3)
    same_weights(tmp_path / "run0", tmp_path / "run1", "best.ckpt")


@pytest.mark.more
def test_all_processes_stop_at_the_epoch_at_which_one_does(run_job: Any, tmp_path: Path) -> None:
    words = (*PLAIN, "evaluate=false", "patience=2", "trainer.max_epochs=40", "optimizer.lr=0.02")
    one, two = run_job(*words), run_job(*words, *TWO)
    assert one["epochs"] == two["epochs"] < 40 and one["best_epoch"] == two["best_epoch"] == one["epochs"] - 3
    same_weights(tmp_path / "run0", tmp_path / "run1", "best.ckpt")
    # What one of them alone decides.
    ended = run_job(*words, *TWO, "trainer.max_time=00:00:00:00")
    assert (ended["epochs"], ended["stopped_by"]) == (1, "max_time")


@pytest.mark.more
def test_a_training_that_diverges_is_one_message_as_of_one_process(
    run_job: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def ended(*words: str) -> tuple[object, str]:
        with pytest.raises(SystemExit) as end:
            run_job(*PLAIN, "evaluate=false", "optimizer.lr=1e30", "patience=2", *words)
        return end.value.code, capsys.readouterr().err

    one, two = ended(), ended(*TWO)
    assert one == two
    assert one[0] == 1 and one[1].count("Training diverged") == 1
    summaries = [json.loads((tmp_path / run / "summary.json").read_text()) for run in ("run0", "run1")]
    assert summaries[0]["reason"] == summaries[1]["reason"]
    assert not partners(os.getpid())


OWN = """
import torch
from pytorch_lightning import Callback

class OwnNetworkOfDevices(torch.nn.Module):
    def __init__(self, in_channels):
        super().__init__()
        self.last = torch.nn.Linear(in_channels, 1)

    def forward(self, series):
        return self.last(series.std(2))

class Halved(Callback):
    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        batch[0].mul_(0.5)
"""


@pytest.mark.more
def test_processes_train_a_users_own_network_with_a_users_own_callback(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "own_of_test_devices.py").write_text(OWN)
    model = "+model={name: OwnNetworkOfDevices, output_bias: mean_age, in_channels: 21}"
    words = (
        "cohort.n_participants=40", "trainer=cpu", "batch_size=7", "code=own/own_of_test_devices.py", "~model", model,
        "trainer.callbacks=[{_target_: own_of_test_devices.Halved}]", "evaluate=false", "trainer.max_epochs=2",
    )  # fmt: skip
    for name, devices in (("one", ()), ("two", TWO)):
        ended = Started(tmp_path, TRAIN, *words, *devices, f"hydra.run.dir={name}").wait()
        assert ended.code == 0, ended.text
    np.testing.assert_allclose(numbers(tmp_path / "two"), numbers(tmp_path / "one"), rtol=1e-3)
    same_weights(tmp_path / "one", tmp_path / "two", "best.ckpt")


@pytest.mark.slow
def test_an_interrupted_run_of_two_processes_resumes_to_the_same_bits(tmp_path: Path) -> None:
    def command(name: str, *words: str) -> list[str]:
        return [TRAIN, *WORDS, *TWO, "model.conv_dropout=0.2", f"hydra.run.dir={name}", *words]

    plain = Started(tmp_path, *command("plain", "trainer.max_epochs=60", "patience=100")).wait()
    assert plain.code == 0, plain.err
    run = Started(tmp_path, *command("run", "trainer.max_epochs=60", "patience=100"))
    wait_until(lambda: (tmp_path / "run" / "checkpoints" / "last.ckpt").is_file())
    (partner,) = partners(run.process.pid)
    os.kill(partner, signal.SIGUSR2)  # SLURM sends it to all processes of a job; the first one stops the others
    epochs = len(numbers(tmp_path / "run"))
    wait_until(lambda: len(numbers(tmp_path / "run")) > epochs + 1)
    run.send_signal(signal.SIGTERM)
    ended = run.wait()
    assert ended.code == 143 and f"resume={tmp_path / 'run'} " in ended.err
    assert not Path(f"/proc/{partner}").exists()
    resumed = Started(tmp_path, TRAIN, "resume=run").wait()
    assert resumed.code == 0 and "Resuming after epoch" in resumed.text, resumed.err
    assert same_bits(tmp_path / "plain", tmp_path / "run")


@pytest.mark.slow
@pytest.mark.parametrize("which", ["partner", "first"])
def test_no_process_is_left_when_one_is_killed(which: str, tmp_path: Path) -> None:
    run = Started(tmp_path, TRAIN, *WORDS, *TWO, "hydra.run.dir=run", "trainer.max_epochs=5000", "patience=5000")
    wait_until(lambda: (tmp_path / "run" / "checkpoints" / "last.ckpt").is_file())
    (partner,) = partners(run.process.pid)
    if which == "partner":
        os.kill(partner, signal.SIGKILL)
        ended = run.wait(60)
        assert ended.code == 1 and "Another process of this run ended. It was killed" in ended.text
    else:
        run.send_signal(signal.SIGKILL)
        assert run.wait(60).code == -signal.SIGKILL
    wait_until(lambda: not Path(f"/proc/{partner}").exists(), 10)
