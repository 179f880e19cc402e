"""``python train.py resume=FOLDER``: killed and interrupted runs end with the same bits as uninterrupted ones."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from filelock import FileLock
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict

from brainage.config.saved import read_config
from brainage.errors import ConfigError, ResumeError
from brainage.runs.job import run_job
from brainage.runs.resume import check_resume
from brainage.system.signals import Interruption
from brainage.training.callbacks import EpochTable
from tests.conftest import ROOT, Started, run_command, wait_until

# Dropout of both kinds, batch normalisation and a scheduler with a state: all that a checkpoint must contain.
WORDS = (
    "cohort.n_participants=40",
    "batch_size=8",
    "trainer=cpu",
    "model.depth=2",
    "model.start_out=4",
    "model.batch_norm=true",
    "model.conv_dropout=0.2",
    "model.final_dropout=0.2",
    "scheduler=plateau",
    "scheduler.patience=0",
    "patience=1000",
)


def metrics(run: Path) -> list[list[str]]:
    """Return the rows of ``metrics.csv`` without the seconds."""
    with (run / "metrics.csv").open(newline="") as file:
        return [row[:-1] for row in csv.reader(file)]


def same_values(first: Any, second: Any) -> bool:
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict):
        return set(first) == set(second) and all(same_values(first[key], second[key]) for key in first)
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(same_values, first, second))
    return bool(first == second)


def same_bits(first: Path, second: Path) -> bool:
    """Compare metrics, predictions, weights, and the states of optimizers and schedulers."""
    assert metrics(first) == metrics(second)
    for name in ("predictions.csv", "splits.csv", "exclusions.csv"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    for name in ("best.ckpt", "last.ckpt"):
        one, two = (torch.load(run / "checkpoints" / name, weights_only=True) for run in (first, second))
        for key in ("state_dict", "optimizer_states", "lr_schedulers", "epoch"):
            assert same_values(one[key], two[key]), key
    numbers = [json.loads((run / "summary.json").read_text()) for run in (first, second)]
    for key in ("status", "metrics", "objective", "epochs", "best_epoch", "n"):
        assert numbers[0][key] == numbers[1][key], key
    return True


def started(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, str(ROOT / "train.py"), *words],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def wait_for_epochs(run: Path, n_more: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until the table has this many more epochs, or the process has ended."""
    path = run / "metrics.csv"
    lines = [count_lines(path)]

    def are_written() -> bool:
        lines.append(count_lines(path))
        return process.poll() is not None or (lines[-1] >= min(lines) + n_more and lines[-1] > n_more)

    wait_until(are_written)


def count_lines(path: Path) -> int:
    return path.read_text().count("\n") if path.exists() else 0


def ended_within(process: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    ended = run_command(folder, "train.py", *WORDS, "trainer.max_epochs=30", "hydra.run.dir=run")
    assert ended.code == 0, ended.text
    return folder


@pytest.mark.parametrize(
    "signum", [signal.SIGKILL, *(pytest.param(s, marks=pytest.mark.slow) for s in (signal.SIGINT, signal.SIGTERM))]
)
def test_a_run_that_was_stopped_ends_with_the_same_bits(signum: int, uninterrupted: Path, tmp_path: Path) -> None:
    command = Started(tmp_path, str(ROOT / "train.py"), *WORDS, "trainer.max_epochs=30", "hydra.run.dir=run")
    wait_until(lambda: count_lines(tmp_path / "run" / "metrics.csv") > 3)
    command.send_signal(signum)
    stopped = command.wait(60)
    if signum == signal.SIGKILL:
        assert not (tmp_path / "run" / "summary.json").exists()
    else:
        assert stopped.code == 128 + signum
        assert json.loads((tmp_path / "run" / "summary.json").read_text())["status"] == "interrupted"
        assert f"python train.py resume={tmp_path / 'run'}" in stopped.err
    assert len(metrics(tmp_path / "run")) < 30
    ended = run_command(tmp_path, "train.py", "resume=run")
    assert ended.code == 0, ended.text
    assert "Resuming after epoch" in ended.out
    assert same_bits(uninterrupted / "run", tmp_path / "run")


@pytest.mark.slow
def test_twenty_kills_at_random_moments_change_nothing(tmp_path: Path) -> None:
    words = (*WORDS, "trainer.max_epochs=600")
    assert run_command(tmp_path, "train.py", *words, "hydra.run.dir=plain").code == 0
    rng = np.random.default_rng(20)
    n_killed = 0
    for number in range(20):
        process = started(tmp_path, *(words if number == 0 else ()), f"{'resume' if number else 'hydra.run.dir'}=run")
        if number % 5 != 1:  # one in five is killed wherever it is, start-up included
            wait_for_epochs(tmp_path / "run", 1, process)
        else:
            ended_within(process, rng.uniform(0, 5))
        ended_within(process, rng.uniform(0, 0.6))
        process.kill()
        process.communicate(timeout=60)
        n_killed += process.returncode == -signal.SIGKILL
        for path in (tmp_path / "run" / "checkpoints").glob("*.ckpt"):
            torch.load(path, weights_only=True)
    assert n_killed == 20
    assert run_command(tmp_path, "train.py", "resume=run").code == 0
    assert same_bits(tmp_path / "plain", tmp_path / "run")
    assert sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]


class Killed(BaseException):
    """Raised instead of ending the process."""


Compose = Callable[..., DictConfig]


@pytest.fixture
def train_in(composed: Compose, tmp_path: Path, undrawn: None) -> Callable[..., Path]:
    """Train inside this process, in a folder; die before the table's row number `die_after`."""

    def run(folder: Path, *overrides: str, die_after: int | None = None) -> Path:
        job = composed(*overrides, f"store.root={tmp_path / 'store'}")
        cfg = HydraConfig.instance().cfg
        assert cfg is not None
        OmegaConf.set_readonly(cfg.hydra, False)
        with open_dict(cfg):
            cfg.hydra.runtime.output_dir = str(folder)
            cfg.hydra.overrides.task = [*overrides, "store.root=store"]
        original, count = EpochTable.on_train_epoch_end, 0

        def dying(self: EpochTable, trainer: Any, pl_module: Any) -> None:
            nonlocal count
            if count == die_after:
                raise Killed
            original(self, trainer, pl_module)
            count += 1

        EpochTable.on_train_epoch_end = dying  # type: ignore[method-assign]
        try:
            run_job(job)
        except Killed:
            pass
        finally:
            EpochTable.on_train_epoch_end = original  # type: ignore[method-assign]
        return folder

    return run


TrainIn = Callable[..., Path]


def scheduler(name: str, **arguments: float) -> list[str]:
    """Name one of torch's schedulers that has no config of its own."""
    keys = {"_target_": f"torch.optim.lr_scheduler.{name}", "_partial_": "true", **arguments}
    return ["scheduler=none", *(f"+scheduler.{key}={value}" for key, value in keys.items())]


@pytest.mark.more
@pytest.mark.parametrize(
    "words",
    [
        ("scheduler=cosine",),
        pytest.param(("scheduler=none", "optimizer=adam"), marks=pytest.mark.slow),
        pytest.param((*scheduler("StepLR", step_size=2, gamma=0.5),), marks=pytest.mark.slow),
        (*scheduler("CosineAnnealingWarmRestarts", T_0=2), "optimizer._target_=torch.optim.RMSprop"),
        ("trainer.check_val_every_n_epoch=2", "trainer.accumulate_grad_batches=2"),
        ("trainer.val_check_interval=0.5", "trainer.precision=bf16-mixed"),
        pytest.param(("model=simple1dcnn", "modality=ica100", "optimizer=adam"), marks=pytest.mark.slow),
    ],
    ids=lambda words: next((word for word in words if "_target_" in word), words[0]).rsplit(".", 1)[-1],
)
@pytest.mark.filterwarnings("ignore:.*bf16.*")
def test_every_scheduler_and_way_to_validate_is_resumed(
    words: tuple[str, ...], train_in: TrainIn, tmp_path: Path
) -> None:
    own = [word for word in WORDS if not (word.startswith(("scheduler", "model")))]
    own += [] if "model=simple1dcnn" in words else [word for word in WORDS if word.startswith("model")]
    own += ["scheduler=plateau"] if not any(word.lstrip("+").startswith("scheduler") for word in words) else []
    command = [*own, *words, "trainer.max_epochs=5"]
    plain = train_in(tmp_path / "plain", *command)
    run = train_in(tmp_path / "run", *command, die_after=2)
    assert not (run / "summary.json").exists()
    train_in(run, f"resume={run}", die_after=1)
    train_in(run, f"resume={run}")
    assert same_bits(plain, run)


@pytest.mark.more
def test_more_epochs_are_as_if_they_had_been_asked_for_at_first(train_in: TrainIn, tmp_path: Path) -> None:
    long = train_in(tmp_path / "long", *WORDS, "trainer.max_epochs=5")
    run = train_in(tmp_path / "run", *WORDS, "trainer.max_epochs=3")
    train_in(run, f"resume={run}", "trainer.max_epochs=5")
    assert same_bits(long, run)
    assert "max_epochs: 5" in (run / "config.yaml").read_text()
    assert "resume: null" in (run / "config.yaml").read_text()


@pytest.mark.more
def test_training_that_had_stopped_early_does_not_go_on(train_in: TrainIn, tmp_path: Path) -> None:
    words = [word for word in WORDS if not word.startswith("patience")]
    words += ["patience=2", "optimizer.lr=1e-12", "trainer.max_epochs=20"]
    plain = train_in(tmp_path / "plain", *words)
    n_epochs = len(metrics(plain)) - 1
    assert n_epochs < 20
    run = shutil.copytree(plain, tmp_path / "run")
    for name in ("summary.json", "predictions.csv"):  # killed after its last epoch
        (run / name).unlink()
    train_in(run, f"resume={run}")
    assert same_bits(plain, run)


@pytest.mark.more
def test_the_best_epoch_is_kept_where_the_process_died_between_two_files(train_in: TrainIn, tmp_path: Path) -> None:
    plain = train_in(tmp_path / "plain", *WORDS, "trainer.max_epochs=4")
    # A first epoch is always the best so far: after it, last.ckpt is there and best.ckpt is not.
    run = train_in(tmp_path / "run", *WORDS, "trainer.max_epochs=4", die_after=1)
    (run / "checkpoints" / "best.ckpt").unlink()
    (run / "checkpoints" / ".last.ckpt.partial").write_bytes(b"half")
    train_in(run, f"resume={run}")
    assert same_bits(plain, run)
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]


@pytest.mark.more
def test_without_hard_links_the_best_is_a_copy(
    train_in: TrainIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = train_in(tmp_path / "plain", *WORDS, "trainer.max_epochs=2")

    def denied(*arguments: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(Path, "hardlink_to", denied)
    assert same_bits(plain, train_in(tmp_path / "copied", *WORDS, "trainer.max_epochs=2"))


@pytest.mark.more
def test_a_run_that_died_before_its_first_epoch_starts_from_the_beginning(train_in: TrainIn, tmp_path: Path) -> None:
    plain = train_in(tmp_path / "plain", *WORDS, "trainer.max_epochs=2")
    run = train_in(tmp_path / "run", *WORDS, "trainer.max_epochs=2", die_after=0)
    assert not (run / "checkpoints").exists()
    train_in(run, f"resume={run}")
    assert same_bits(plain, run)


@pytest.mark.more
def test_loggers_of_a_moved_run_write_where_it_is_now(train_in: TrainIn, tmp_path: Path) -> None:
    run = train_in(tmp_path / "run", *WORDS, "trainer.max_epochs=1", "logger=tensorboard")
    (run / ".hydra").mkdir()
    (run / ".hydra" / "hydra.yaml").write_text(f"hydra: {{runtime: {{output_dir: {run}}}}}")
    moved = run.rename(tmp_path / "moved")
    train_in(moved, f"resume={moved}", "trainer.max_epochs=2")
    assert not run.exists()
    assert len(list((tmp_path / "moved" / "tensorboard").glob("events*"))) == 2


def test_a_finished_run_says_so_and_is_left_alone(uninterrupted: Path) -> None:
    run = uninterrupted / "run"
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file() and path.suffix != ".log"}
    ended = run_command(uninterrupted, "train.py", "resume=run")
    assert ended.code == 0
    assert "This run is finished; nothing is left to do." in ended.out
    assert "test MAE" in ended.out
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_running_run_is_not_resumed(
    train_in: TrainIn, uninterrupted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = uninterrupted / "run"
    with FileLock(run / ".lock"), pytest.raises(SystemExit, match="2"):
        train_in(run, f"resume={run}", "trainer.max_epochs=31")
    assert "must belong to one process at a time" in capsys.readouterr().err


def other_participants(run: Path) -> None:
    path = run / "config.yaml"
    path.write_text(path.read_text().replace("n_participants: 40", "n_participants: 39"))


def spoil(run: Path) -> None:
    path = run / "checkpoints" / "last.ckpt"
    path.write_bytes(path.read_bytes()[:1000])


def of_lightning_alone(run: Path) -> None:
    torch.save({"state_dict": {}, "epoch": 3}, run / "checkpoints" / "last.ckpt")


def a_list(run: Path) -> None:
    torch.save([1, 2], run / "checkpoints" / "last.ckpt")


class Marker:
    """Writes a file when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("marker"),))


def hostile_checkpoint(run: Path) -> None:
    torch.save({"state_dict": Marker(), "epoch": 3}, run / "checkpoints" / "last.ckpt")


def hostile_target(run: Path) -> None:
    path = run / "config.yaml"
    path.write_text(path.read_text().replace("torch.optim.AdamW", "os.system"))


def hidden_target(run: Path) -> None:
    path = run / "config.yaml"
    path.write_text(path.read_text().replace("torch.optim.AdamW", "torch.optim.optimizer.functools.partial"))


def other_network(run: Path) -> None:
    path = run / "config.yaml"
    path.write_text(path.read_text().replace("start_out: 4", "start_out: 8"))


def no_best(run: Path) -> None:
    path = run / "checkpoints" / "last.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    checkpoint["brainage"]["best_epoch"] = 0
    torch.save(checkpoint, path)
    (run / "checkpoints" / "best.ckpt").unlink()


def not_yaml(run: Path) -> None:
    (run / "config.yaml").write_text("modality: [")


def an_unknown_key(run: Path) -> None:
    path = run / "config.yaml"
    path.write_text(path.read_text().replace("n_participants: 40", "n_persons: 40"))


def a_wrong_type(run: Path) -> None:
    path = run / "config.yaml"
    path.write_text(path.read_text().replace("n_participants: 40", "n_participants: many"))


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (
            other_participants,
            "last.ckpt` must be resumed with the data that it was trained on, but 1 of 40 participants are missing",
        ),
        (spoil, "must be a checkpoint that contains tensors and plain values only, but cannot be read as one"),
        (of_lightning_alone, "must be a checkpoint of this version of brainage, but is another one"),
        (a_list, "must be a checkpoint, but has no `state_dict` and `epoch`"),
        (hostile_checkpoint, "must be a checkpoint that contains tensors and plain values only"),
        (hostile_target, "names 'os.system'. If it is yours"),
        (hidden_target, "names 'torch.optim.optimizer.functools.partial'"),
        (
            other_network,
            "the network that the config describes, but `network.encoder.0.weight` has the shape (4,",
        ),
        (no_best, "best.ckpt` must exist, but does not"),
        (not_yaml, "config.yaml` must be the config of a run of this version, but cannot be read as one"),
        (an_unknown_key, "Key 'n_persons' not in 'SimulatedCohortConfig'"),
        (a_wrong_type, "Value 'many' of type 'str' could not be converted to Integer"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_folder_that_cannot_be_resumed_is_refused_and_unchanged(
    harm: Callable[[Path], None],
    message: str,
    uninterrupted: Path,
    train_in: TrainIn,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    run = shutil.copytree(uninterrupted / "run", tmp_path / "run")
    harm(run)

    def kept() -> list[str]:
        names = ("splits.csv", "predictions.csv", "metrics.csv", "config.yaml")
        return [(run / name).read_text().replace("max_epochs: 40", "max_epochs: 30") for name in names]

    before = kept()
    with pytest.raises(SystemExit, match="2"):
        train_in(run, f"resume={run}", "trainer.max_epochs=40")
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert message in err
    assert kept() == before
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("run", "seed=3", "model.depth=3"),
            "only trainer.max_epochs, trainer.max_time, .*cohort.root, .*may be changed, but got `seed=3`, `model",
        ),
        (("run", "cohort.instance=3", "~cohort.root"), "but got `cohort.instance=3`, `~cohort.root`"),
        (("run", "hydra.run.dir=elsewhere"), "but got `hydra.run.dir=elsewhere`"),
        (("nowhere",), "`resume=.*nowhere` must be the folder of a run.*but it does not exist"),
        ((".",), "must be the folder of a run.*but it has none"),
        (("run", "--multirun"), "`resume=.*run` .*one run, but got --multirun"),
    ],
)
def test_other_overrides_and_other_folders_are_refused(words: tuple[str, ...], message: str, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").touch()
    overrides = [f"resume={words[0]}", "code=mine.py", "trainer.max_epochs=3", *words[1:]]
    with pytest.raises(ResumeError, match=message):
        check_resume(tmp_path / words[0], overrides, multirun="--multirun" in words)


def test_the_command_reports_a_refused_resume_and_creates_no_folder(uninterrupted: Path) -> None:
    ended = run_command(uninterrupted, "train.py", "resume=run", "seed=3")
    assert ended.code == 2
    assert "error: `resume=run`" in ended.err and "`seed=3`" in ended.err
    assert sorted(path.name for path in uninterrupted.iterdir()) == ["outputs", "run"]


@pytest.mark.more
def test_nothing_of_a_finished_run_changes_before_its_first_new_epoch_is_done(
    train_in: TrainIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train_in(tmp_path / "run", *WORDS, "trainer.max_epochs=2")

    def state() -> dict[Path, tuple[int, bytes]]:
        files = (path for path in run.rglob("*") if path.is_file() and path.name not in (".lock", "train.log"))
        return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}

    before = state()
    train_in(run, f"resume={run}", "trainer.max_epochs=4", die_after=0)  # SIGKILL
    assert state() == before

    def interrupted(*arguments: object) -> None:
        raise Interruption(2)

    with monkeypatch.context() as patch, pytest.raises(SystemExit, match="130"):
        patch.setattr(EpochTable, "on_train_epoch_start", interrupted)
        train_in(run, f"resume={run}", "trainer.max_epochs=4")
    assert state() == before
    train_in(run, f"resume={run}", "trainer.max_epochs=4", die_after=1)
    assert not (run / "summary.json").exists() and "max_epochs: 4" in (run / "config.yaml").read_text()
    train_in(run, f"resume={run}")
    assert same_bits(train_in(tmp_path / "plain", *WORDS, "trainer.max_epochs=4"), run)


@pytest.mark.more
@pytest.mark.parametrize(
    ("words", "epochs", "stopped_by"),
    [
        (("trainer.max_time=00:00:00:00",), 2, "max_time"),
        (("trainer.max_time=00:01:00:00", "trainer.max_epochs=3"), 3, None),
        (("trainer.max_epochs=9",), 2, "max_time"),
        (("trainer.max_epochs=1",), 1, "max_time"),
        ((), 1, "max_time"),
    ],
)
def test_a_run_that_max_time_ended_is_finished_and_continues_with_another_limit(
    words: tuple[str, ...], epochs: int, stopped_by: str | None, train_in: TrainIn, tmp_path: Path
) -> None:
    run = train_in(tmp_path / "run", *WORDS, "trainer.max_epochs=5", "trainer.max_time=00:00:00:00")

    def summary() -> dict[str, Any]:
        values: dict[str, Any] = json.loads((run / "summary.json").read_text())
        return values

    first = summary()
    assert (first["status"], first["epochs"], first["stopped_by"]) == ("finished", 1, "max_time")
    assert (run / "predictions.csv").exists() and (run / "report.html").exists()
    train_in(run, f"resume={run}", *words)
    assert (summary()["status"], summary()["epochs"], summary()["stopped_by"]) == ("finished", epochs, stopped_by)


def test_a_finished_run_has_nothing_left_for_fewer_epochs(
    train_in: TrainIn, uninterrupted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train_in(uninterrupted / "run", f"resume={uninterrupted / 'run'}", "trainer.max_epochs=3")
    assert "test MAE" in capsys.readouterr().out
    assert len(metrics(uninterrupted / "run")) == 31


def test_fewer_epochs_than_there_are_cannot_be_asked_for(
    train_in: TrainIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train_in(tmp_path / "run", *WORDS, "trainer.max_epochs=5", die_after=4)
    with pytest.raises(SystemExit, match="2"):
        train_in(run, f"resume={run}", "trainer.max_epochs=3")
    assert "`trainer.max_epochs` must be 4 or more, the epochs that are finished, but got 3" in capsys.readouterr().err


def test_a_missing_config_is_a_mistake_of_the_user(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read as one: "):
        read_config(tmp_path / "missing.yaml")
