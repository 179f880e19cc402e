"""Folders from strangers that a command continues: they give values, and decide nothing else."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
import yaml

from brainage.runs.job import run_job
from tests.conftest import every, every_third, run_command, run_here

WORDS = ("cohort.n_participants=40", "batch_size=8", "model.depth=2", "model.start_out=4", "trainer.max_epochs=1")
LIGHTNING = "pytorch_lightning"
# Aliases that stand for 9**39 values.
LAUGHS = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 40))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of one epoch, in a folder that is the working directory of the command that made it."""
    folder = tmp_path_factory.mktemp("stranger")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("brainage.reporting.figure._saved", lambda canvas, kind, dpi: b"")
        words = ("trainer=cpu", *WORDS, "logger=tensorboard")
        assert run_here(run_job, "train", folder / "run", *words) == 0
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undrawn: None) -> Path:
    """A copy of the run in the user's working directory, to be harmed."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained / "outputs", tmp_path / "outputs")
    return Path(shutil.copytree(trained / "run", tmp_path / "run"))


def change(run: Path, key: str, value: Any) -> None:
    path = run / "config.yaml"
    config = yaml.safe_load(path.read_text())
    *parents, last = key.split(".")
    inner = config
    for name in parents:
        inner = inner[name]
    inner[last] = value
    path.write_text(yaml.safe_dump(config))


def resume(run: Path, *words: str) -> int:
    return run_here(run_job, "train", run, f"resume={run}", "trainer.max_epochs=2", *words)


def content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


def test_an_unharmed_run_is_resumed_with_its_logger(run: Path) -> None:
    assert resume(run) == 0
    assert len(list((run / "tensorboard").glob("events.*"))) == 2


WANDB = {
    "_target_": f"{LIGHTNING}.loggers.WandbLogger",
    "project": "theirs",
    "name": "a/b",
    "save_dir": "/elsewhere",
    "mode": "offline",
    "settings": {"_target_": "wandb.Settings", "console": "off", "silent": True, "finish_timeout": 600},
}


@pytest.mark.parametrize(
    ("key", "value", "facts"),
    every_third(
        [
            (
                "trainer.callbacks",
                [{"_target_": f"{LIGHTNING}.callbacks.ModelCheckpoint", "dirpath": "/elsewhere", "save_top_k": 0}],
                ("`trainer.callbacks`", "ModelCheckpoint", "trainer.callbacks=[] to go on"),
            ),
            ("trainer.plugins", {"_target_": f"{LIGHTNING}.plugins.MixedPrecision"}, ("`trainer.plugins`", "=null")),
            (
                "trainer.profiler",
                {"_target_": f"{LIGHTNING}.profilers.SimpleProfiler", "dirpath": "elsewhere", "filename": "x"},
                ("`trainer.profiler`", "SimpleProfiler", "trainer.profiler=null"),
            ),
            ("trainer.profiler", "pytorch", ("`trainer.profiler`", "'pytorch'")),
            ("trainer.strategy", {"_target_": f"{LIGHTNING}.strategies.DDPStrategy"}, ("`trainer.strategy`", "=auto")),
            ("trainer.model_registry", "me/model", ("`trainer.model_registry`", "'me/model'")),
            ("trainer.precision", {"_target_": "torch.optim.SGD"}, ("`trainer.precision`", "torch.optim.SGD")),
            (
                "store.root",
                "elsewhere",
                ("`store.root`", "'elsewhere'", "store.root=... if it is yours", "outputs/store"),
            ),
            (
                "logger",
                {"own": {"_target_": f"{LIGHTNING}.loggers.CSVLogger", "save_dir": "elsewhere"}},
                ("`logger.own`", "CSVLogger", "logger=none", "--config-dir"),
            ),
            ("logger.tensorboard._target_", f"{LIGHTNING}.loggers.CSVLogger", ("`logger.tensorboard._target_`",)),
            ("logger.tensorboard.sub_dir", "../elsewhere", ("`logger.tensorboard.sub_dir`", "../elsewhere")),
            ("logger.tensorboard.name", "../elsewhere", ("`logger.tensorboard.name`", "../elsewhere")),
            ("logger.tensorboard.version", "/elsewhere", ("`logger.tensorboard.version`", "/elsewhere")),
            ("logger", {"../x": {}}, ("`logger.../x`",)),
            (
                "logger",
                {"wandb": {**WANDB, "settings": {**WANDB["settings"], "base_url": "http://localhost:1"}}},  # type: ignore[dict-item]
                (
                    "`logger.wandb.settings.base_url`",
                    "http://localhost:1",
                    "logger=wandb logger.wandb.settings.base_url=",
                ),
            ),
            ("logger", {"wandb": {**WANDB, "entity": "theirs"}}, ("`logger.wandb.entity`", "'theirs'")),
            ("logger", {"wandb": {**WANDB, "mode": "online"}}, ("`logger.wandb.mode`", "logger.wandb.mode=online")),
            (
                "logger",
                {"mlflow": {"_target_": f"{LIGHTNING}.loggers.MLFlowLogger", "tracking_uri": "http://localhost:1"}},
                ("`logger.mlflow.tracking_uri`", "http://localhost:1"),
            ),
            (
                "logger",
                {"mlflow": {"_target_": f"{LIGHTNING}.loggers.MLFlowLogger", "tags": {"run": "../x"}}},
                ("`logger.mlflow.tags.run`", "../x"),
            ),
            (
                "optimizer",
                {"_target_": "torch.load", "lr": 0.1, "f": "x"},
                ("`optimizer`", "'torch.load'", "code=FILE"),
            ),
            (
                "optimizer",
                {"_target_": f"{LIGHTNING}.Trainer", "lr": 0.1},
                ("`optimizer`", f"'{LIGHTNING}.Trainer'"),
            ),
            (
                "scheduler.T_max",
                {"_target_": f"{LIGHTNING}.loggers.CSVLogger", "save_dir": "elsewhere"},
                ("scheduler.T_max",),
            ),
            ("cohort.include", "${oc.env:HOME}", ("refers to something else",)),
        ]
    ),
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_folder_may_not_decide_is_refused_by_name(
    key: str, value: Any, facts: tuple[str, ...], run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(run, key, value)
    before = content(tmp_path)
    assert resume(run) == 2
    error = capsys.readouterr().err
    assert all(fact in error for fact in facts), error
    assert error.startswith("error: ") and error.count("\n") == 1
    assert content(tmp_path) == before


def test_what_the_command_line_gives_is_taken_from_there(run: Path, tmp_path: Path) -> None:
    """Nothing of what the folder says is left, and the printed advice works."""
    change(run, "trainer.callbacks", [{"_target_": "os.mkdir", "path": "executed"}])
    change(run, "trainer.profiler", {"_target_": "os.mkdir", "path": "executed"})
    change(run, "store.root", "elsewhere")
    change(run, "outputs", {"mode": "group"})
    change(run, "logger", {"mine": {"_target_": "os.mkdir", "path": "executed"}})
    monitor = "trainer.callbacks=[{_target_: pytorch_lightning.callbacks.Timer}]"
    words = (monitor, "trainer.profiler=null", "store.root=own", "logger=tensorboard", "logger.tensorboard.name=mine")
    assert resume(run, *words) == 0
    assert not (tmp_path / "executed").exists() and not (tmp_path / "elsewhere").exists()
    assert (tmp_path / "own").is_dir()
    assert list((run / "mine").glob("events.*"))
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["trainer"]["callbacks"] == [{"_target_": f"{LIGHTNING}.callbacks.Timer"}]
    assert list(config["logger"]) == ["tensorboard"]
    assert config["outputs"] == {"mode": "private"}  # of this machine, without a word


def test_this_project_s_own_callbacks_are_no_reason_to_refuse(run: Path, tmp_path: Path) -> None:
    target = "brainage.training.callbacks.EpochTable"
    change(run, "trainer.callbacks", [{"_target_": target, "path": str(tmp_path / "elsewhere.csv")}])
    assert resume(run) == 0
    assert not (tmp_path / "elsewhere.csv").exists()


def test_a_logger_is_this_machine_s_with_the_folder_s_labels(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[dict[str, Any]] = []

    def make(key: str, value: Any) -> Any:
        if key.startswith("logger."):
            opened.append(value)
            raise SystemExit(7)
        return make_instance(key, value)

    from brainage.config import instantiate

    make_instance = instantiate.instance
    monkeypatch.setattr(instantiate, "instance", make)
    change(run, "logger", {"wandb": {**WANDB, "tags": ["a"], "id": "0123456789ab"}})
    assert resume(run) == 7
    (entry,) = opened
    assert (entry["project"], entry["name"], entry["tags"], entry["id"]) == ("theirs", "a/b", ["a"], "0123456789ab")
    assert entry["save_dir"] == str(run)
    assert entry["mode"] == "offline" and entry["log_model"] is False
    assert entry["settings"] == WANDB["settings"]


def test_what_a_checkpoint_says_of_callbacks_is_not_acted_on(
    run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Lightning's ModelCheckpoint removes what its state names as worse checkpoints."""
    precious = tmp_path / "precious"
    precious.mkdir()
    path = run / "checkpoints" / "last.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    state = {
        "monitor": "val/loss",
        "best_model_score": torch.tensor(1e9),
        "best_model_path": str(precious),
        "current_score": torch.tensor(1e9),
        "dirpath": str(run / "own"),
        "best_k_models": {str(precious): torch.tensor(1e9)},
        "kth_best_model_path": str(precious),
        "kth_value": torch.tensor(1e9),
        "last_model_path": str(precious),
    }
    key = (
        "ModelCheckpoint{'monitor': 'val/loss', 'mode': 'min', 'every_n_train_steps': 0, 'every_n_epochs': 1, "
        "'train_time_interval': None}"
    )
    checkpoint["callbacks"][key] = state
    torch.save(checkpoint, path)
    callback = f"_target_: {LIGHTNING}.callbacks.ModelCheckpoint, dirpath: {run / 'own'}, monitor: val/loss"
    assert resume(run, f"trainer.callbacks=[{{{callback}}}]") == 0
    assert precious.is_dir()
    assert "The states of ModelCheckpoint" in caplog.text
    assert list((run / "own").glob("*.ckpt"))


@pytest.mark.more
def test_a_logger_of_one_s_own_is_found_where_the_command_line_says(run: Path, tmp_path: Path) -> None:
    own = tmp_path / "mine" / "logger" / "own.yaml"
    own.parent.mkdir(parents=True)
    own.write_text(f"own:\n  _target_: {LIGHTNING}.loggers.CSVLogger\n  save_dir: ${{hydra:runtime.output_dir}}\n")
    change(run, "logger", {"own": {"_target_": f"{LIGHTNING}.loggers.CSVLogger", "save_dir": "x", "name": "theirs"}})
    words = ("train.py", "resume=run", "trainer.max_epochs=2")
    refused = run_command(tmp_path, *words)
    assert refused.code == 2 and "`logger.own`" in refused.err
    resumed = run_command(tmp_path, *words, "--config-dir", "mine")
    assert resumed.code == 0, resumed.text
    assert list((run / "theirs").rglob("hparams.yaml"))


# What a run opens by names that everybody knows: through a link it would write elsewhere.
LINKS = ("train.log", ".hydra", "checkpoints", "wandb", "tensorboard", ".hydra/config.yaml", "checkpoints/own.ckpt")
HARMLESS = (".config.yaml.partial", ".metrics.csv.partial", "metrics.csv", "config.yaml", "splits.csv", "summary.json")


def planted(folder: Path, name: str, target: Path) -> None:
    """Put a link in place of a file or folder."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        path.rename(folder / "moved")
    path.unlink(missing_ok=True)
    path.symlink_to(target)


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    """A file that the user's shell executes."""
    path = tmp_path / "profile"
    path.write_text("umask 022\n")
    return path


@pytest.mark.parametrize("name", every(6, LINKS))
def test_a_run_writes_nothing_through_a_link(name: str, run: Path, tmp_path: Path, profile: Path) -> None:
    target = tmp_path / "target" if (run / name).is_dir() or "." not in name else profile
    planted(run, name, target)
    if target != profile:
        target.mkdir()
    resumed = run_command(tmp_path, "train.py", "resume=run", "trainer.max_epochs=2")
    new = tmp_path / "shared"
    planted(new, name, target)
    logger = f"logger={'wandb' if name == 'wandb' else 'tensorboard'}"
    started = run_command(tmp_path, "train.py", "trainer=cpu", *WORDS, logger, "hydra.run.dir=shared")
    assert profile.read_text() == "umask 022\n"
    assert target == profile or list(target.iterdir()) == []
    for ended in (resumed, started):
        if name != "wandb" or ended is started:  # the resumed run has no W&B
            assert ended.code == 2, ended.text
            assert "link" in ended.err and Path(name).name in ended.err and "Traceback" not in ended.text


@pytest.mark.parametrize("name", every_third(HARMLESS))
def test_files_of_known_names_are_replaced_and_not_followed(
    name: str, tmp_path: Path, profile: Path, run: Path
) -> None:
    new = tmp_path / "shared"
    planted(new, name, profile if name.endswith("partial") else tmp_path / "absent")
    assert run_here(run_job, "train", new, "trainer=cpu", *WORDS) == 0
    assert profile.read_text() == "umask 022\n"
    assert not (tmp_path / "absent").exists()
    assert name.endswith("partial") or not (new / name).is_symlink()


@pytest.mark.more
def test_a_sweep_writes_nothing_through_a_link(tmp_path: Path, profile: Path) -> None:
    words = ("--multirun", "sweep=variable1dcnn", "hydra.sweeper.n_trials=1", "trainer=cpu", *WORDS)
    for name in ("study.db", "study.db-journal", "trials/0"):
        folder = tmp_path / name.replace("/", "-")
        planted(folder, name, profile)
        ended = run_command(tmp_path, "train.py", *words, f"hydra.sweep.dir={folder}")
        assert ended.code == 2 and "is a link to" in ended.err, ended.text
    assert profile.read_text() == "umask 022\n"


def test_a_grid_writes_nothing_through_a_link(tmp_path: Path, profile: Path) -> None:
    words = ("--multirun", "seed=1,2", "trainer=cpu", *WORDS)
    for name in ("multirun.yaml", "0/train.log"):
        folder = tmp_path / name.replace("/", "-")
        planted(folder, name, profile)
        ended = run_command(tmp_path, "train.py", *words, f"hydra.sweep.dir={folder}")
        assert ended.code == 2 and "is a link to" in ended.err, ended.text
    assert profile.read_text() == "umask 022\n"


def test_a_lock_is_not_opened_through_a_link(run: Path, profile: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planted(run, ".lock", profile)
    assert resume(run) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert profile.read_text() == "umask 022\n"


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def numbers_without_bytes(path: Path) -> None:
    content = torch.load(path, weights_only=True)
    content["other"] = torch.zeros(1).expand(2**29)
    torch.save(content, path)


@pytest.mark.parametrize(
    ("name", "harm", "fact"),
    every_third(
        [
            ("config.yaml", lambda path: path.write_text(f"l0: &l0 [1]\n{LAUGHS}"), "20,000 values"),
            ("config.yaml", lambda path: path.write_text("[" * 10**5), "more than 50 levels"),
            ("config.yaml", lambda path: os.truncate(path, 3 * 2**30), "3,221,225,472 bytes"),
            ("config.yaml", pipe, "no regular file"),
            ("checkpoints/last.ckpt", numbers_without_bytes, "more numbers than the file"),
            ("checkpoints/last.ckpt", lambda path: os.truncate(path, 3 * 2**30), "BadZipFile"),
            ("checkpoints/last.ckpt", pipe, "no regular file"),
            ("metrics.csv", pipe, "metrics.csv"),
            ("metrics.csv", lambda path: os.truncate(path, 3 * 2**30), "metrics.csv"),
        ]
    ),
    ids=["aliases", "deep", "sparse", "pipe", "numbers", "sparse weights", "pipe of weights", "pipe of rows", "rows"],
)
def test_a_resumed_run_reads_no_more_than_a_run_has(
    name: str, harm: Any, fact: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    harm(run / name)
    assert resume(run) == 2
    error = capsys.readouterr().err
    assert fact in error and error.startswith("error: ") and error.count("\n") == 1, error


@pytest.mark.parametrize("size", [("depth", 10**8), ("start_out", 10**9), ("max_parameters", 10**30)])
def test_a_resumed_run_builds_no_network_beyond_all_limits(
    size: tuple[str, int], run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(run, f"model.{size[0]}", size[1])
    assert resume(run) == 2
    assert f"{size[0]}={size[1]}" in capsys.readouterr().err or size[0] == "max_parameters"


@pytest.mark.more
def test_a_continued_grid_reads_no_more_than_it_has(tmp_path: Path) -> None:
    words = ("train.py", "--multirun", "seed=1", "trainer=cpu", *WORDS, "evaluate=false", "hydra.sweep.dir=grid")
    ended = run_command(tmp_path, *words)
    assert ended.code == 0, ended.text
    for name in ("multirun.yaml", "0/.hydra/overrides.yaml"):
        path = tmp_path / "grid" / name
        text = path.read_text()
        path.write_text(f"l0: &l0 [1]\n{LAUGHS}")
        ended = run_command(tmp_path, *words)
        assert "Traceback" not in ended.text
        assert ended.code == (2 if name == "multirun.yaml" else 0), ended.text
        path.write_text(text)


SWEEP = ("--multirun", "sweep=variable1dcnn", "hydra.sweeper.n_trials=1", "hydra.sweep.dir=sweep", "trainer=cpu")
FREE = ("cohort.n_participants=40", "batch_size=8", "trainer.max_epochs=1")


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working directory of a finished sweep of one trial."""
    folder = tmp_path_factory.mktemp("swept")
    ended = run_command(folder, "train.py", *SWEEP, *FREE)
    assert ended.code == 0, ended.text
    return folder


def theirs(value: str) -> str:
    return json.dumps({"name": "CategoricalDistribution", "attributes": {"choices": [value]}})


@pytest.mark.more
@pytest.mark.parametrize(
    ("change", "fact"),
    [
        (
            f"INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json) "
            f"VALUES (1, 'optimizer._target_', 0, '{theirs('torch.load')}')",
            "`optimizer._target_=torch.load`",
        ),
        ("UPDATE trial_params SET param_value=1e8 WHERE param_name='model.depth'", "`model.depth=100000000`"),
        ("UPDATE trial_params SET distribution_json='{}'", "trials that cannot be read"),
        ("UPDATE study_user_attributes SET value_json='[]'", "was created by another program"),
    ],
    ids=["another name", "outside", "no distribution", "no terms"],
)
def test_a_study_gives_values_of_the_search_space_only(change: str, fact: str, swept: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(swept, tmp_path / "theirs"))
    before = content(folder / "sweep")
    with sqlite3.connect(folder / "sweep" / "study.db") as study:
        assert study.execute(change).rowcount > 0
    ended = run_command(folder, "train.py", *SWEEP, *FREE)
    assert ended.code == 2 and fact in ended.err and "hydra.sweeper.study_name=NAME" in ended.err, ended.text
    assert ended.err.count("error: ") == 1 and "Traceback" not in ended.text
    after = content(folder / "sweep")
    assert {path.name for path in after if after[path] != before[path]} <= {"study.db"}


@pytest.mark.more
def test_a_point_that_a_study_asks_to_repeat_is_of_the_search_space(swept: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(swept, tmp_path / "theirs"))
    storage = f"sqlite:///{folder / 'sweep' / 'study.db'}"
    study = optuna.load_study(study_name="variable1dcnn-ica25", storage=storage)
    point = {**study.trials[0].params, "model.depth": 100}
    study.enqueue_trial(point, user_attrs={"point": point})
    ended = run_command(folder, "train.py", *SWEEP, *FREE, "hydra.sweeper.n_trials=2")
    assert ended.code == 2 and "`model.depth=100`" in ended.err, ended.text
    assert not (folder / "sweep" / "trials" / "1").exists()


EVIL = "{_target_: os.mkdir, path: executed}"
GLOBAL = "# @package _global_\n"
MULTIRUN = ("--multirun", "experiment=x")
HANDLER = "hydra: {job_logging: {handlers: {a: {(): os.mkdir, path: executed}}}}"

FOLDERS: dict[str, tuple[dict[str, str], tuple[str, ...], tuple[str, ...]]] = {
    "an optimizer": ({"experiment/x": f"optimizer: {EVIL}"}, (), ("`optimizer` names 'os.mkdir'", "code=", "theirs")),
    "a default": ({"local/default": f"optimizer: {EVIL}", "experiment/x": "seed: 1"}, (), ("`optimizer`", "os.mkdir")),
    "a callback": (
        {"experiment/x": f"trainer: {{callbacks: [{EVIL}]}}"},
        (),
        ("`trainer.callbacks.0` names 'os.mkdir'",),
    ),
    "a logger": (
        {"experiment/x": f"logger: {{a: {{_target_: {LIGHTNING}.loggers.CSVLogger, save_dir: executed}}}}"},
        (),
        ("`logger.a.save_dir` must not be set", "write elsewhere"),
    ),
    "the class of a logger": (
        {"experiment/x": f"logger: {{a: {{_target_: {LIGHTNING}.loggers.CometLogger, name: a}}}}"},
        (),
        ("`logger.a`", "CometLogger", "code=pytorch_lightning"),
    ),
    "another server of a logger": (
        {"experiment/x": "defaults: [override /logger: mlflow]\nlogger: {mlflow: {tracking_uri: 'http://a'}}"},
        (),
        ("`logger.mlflow.tracking_uri` must not be set",),
    ),
    "a name of a logger": (
        {"experiment/x": "defaults: [override /logger: csv]\nlogger: {csv: {name: ../executed}}"},
        (),
        ("`logger.csv.name` must not be set",),
    ),
    "the server of a logger": (
        {"experiment/x": "defaults: [override /logger: wandb]\nlogger: {wandb: {settings: {base_url: 'http://a'}}}"},
        (),
        ("`logger.wandb.settings.base_url` must not be set",),
    ),
    "a download": (
        {"experiment/x": "defaults: [override /cohort: abide]\ncohort: {root: x, download: true, url: 'http://a'}"},
        (),
        ("`cohort.download` must not be set", "command line"),
    ),
    "a function of this project": (
        {"experiment/x": "optimizer: {_target_: brainage.config.instantiate.instance, key: a, value: {}}"},
        (),
        ("`optimizer`", "brainage.config.instantiate.instance"),
    ),
    "a reference": (
        {"experiment/x": "optimizer: {_target_: '${objective}', path: executed}\nobjective: os.mkdir"},
        (),
        ("`optimizer` names 'os.mkdir'",),
    ),
    "a text that becomes a target": (
        {"experiment/x": "scheduler: \"${oc.create:'{_target_: os.mkdir, path: executed}'}\""},
        (),
        ("`scheduler` names 'os.mkdir'",),
    ),
    "a text that becomes one when a job runs": (
        {"experiment/x": "logger: {a: \"${oc.create:'{_target_: os.mkdir, path: ${hydra:job.name}}'}\"}"},
        (),
        ("`logger.a` names 'os.mkdir'",),
    ),
    "code": ({"experiment/x": "code: x.py"}, (), ("`code` must be given on the command line", "x.py")),
    "code of jobs": (
        {"experiment/x": "hydra: {sweeper: {params: {code: x.py}}}"},
        MULTIRUN,
        ("`code` must be given on the command line", "x.py"),
    ),
    "targets of jobs": (
        {"experiment/x": "hydra: {sweeper: {params: {optimizer._target_: 'os.mkdir,os.rmdir'}}}"},
        MULTIRUN,
        ("`optimizer` names 'os.mkdir'",),
    ),
    "Hydra's callbacks": (
        {"experiment/x": f"hydra: {{callbacks: {{a: {EVIL}}}}}"},
        (),
        ("`hydra.callbacks.a` names 'os.mkdir'",),
    ),
    "Hydra's callbacks as text": (
        {"experiment/x": "hydra: {callbacks: {a: \"${oc.create:'{_target_: os.mkdir, path: ${hydra:job.name}}'}\"}}"},
        (),
        ("`hydra.callbacks.a` names", "oc.create"),
    ),
    "Hydra's callbacks by a list of defaults": (
        {"experiment/x": "defaults: [/a@hydra.callbacks: b]", "a/b": f"c: {EVIL}"},
        (),
        ("`hydra.callbacks.c` names 'os.mkdir'",),
    ),
    "Hydra's callbacks of the second job": (
        {"experiment/x": "seed: 1", "experiment/y": f"hydra: {{callbacks: {{a: {EVIL}}}}}"},
        ("--multirun", "experiment=x,y"),
        ("`hydra.callbacks.a` names 'os.mkdir'",),
    ),
    "handlers": ({"experiment/x": HANDLER}, (), ("`hydra.job_logging.handlers.a.()` must not be set", "'os.mkdir'")),
    "handlers of Hydra's own": (
        {"experiment/x": HANDLER.replace("job_", "hydra_")},
        (),
        ("`hydra.hydra_logging.handlers.a.()` must not be set", "'os.mkdir'"),
    ),
    "the environment": (
        {"experiment/x": "hydra: {job: {env_set: {LD_PRELOAD: b}}}"},
        (),
        ("`hydra.job.env_set.LD_PRELOAD` must not be set", "LD_PRELOAD"),
    ),
    "the name of the log": ({"experiment/x": "hydra: {job: {name: ../x}}"}, (), ("`hydra.job.name`", "../x")),
    "a sampler": (
        {"experiment/x": f"defaults: [override /sweep: variable1dcnn]\nhydra: {{sweeper: {{sampler: {EVIL}}}}}"},
        MULTIRUN,
        ("`hydra.sweeper.sampler` names 'os.mkdir'",),
    ),
    "a primary config": (
        {"mine": "defaults: [train, _self_]\nhydra: {searchpath: ['pkg://theirs']}"},
        ("--config-name=mine",),
        ("`hydra.searchpath` must be given on the command line",),
    ),
    "aliases": ({"experiment/x": f"l0: &l0 [1]\n{LAUGHS}"}, (), ("experiment/x.yaml", "20,000 values")),
    "deep YAML": ({"experiment/x": "[" * 10**4}, (), ("experiment/x.yaml", "more than 50 levels")),
    "what is no YAML": ({"experiment/x": "a: b: c"}, (), ("experiment/x.yaml", "line 2", "cannot be read")),
    "what refers to itself": (
        {"experiment/x": "scheduler: {a: {b: '${scheduler.c}'}, c: {d: '${scheduler.a}'}}"},
        (),
        ("`scheduler.", "at most 50 levels", "refers to itself"),
    ),
}


@pytest.mark.parametrize("name", every(6, FOLDERS))
def test_a_folder_of_configs_loads_no_code(name: str, tmp_path: Path) -> None:
    files, words, facts = FOLDERS[name]
    for file, text in files.items():
        path = tmp_path / "theirs" / f"{file}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if "/b" in file or file == "mine" else f"{GLOBAL}{text}\n")
    (tmp_path / "x.py").write_text("import os\nos.mkdir('executed')\n")
    chosen = words or ("experiment=x",)
    for given in ("--config-dir=theirs", f"hydra.searchpath=[file://{tmp_path}/theirs]"):
        if name in ("an optimizer", "Hydra's callbacks", "aliases") or given.startswith("--"):
            ended = run_command(tmp_path, "train.py", *chosen[:-1], given, chosen[-1], "trainer=cpu", *WORDS[1:])
            assert not (tmp_path / "executed").exists()
            assert ended.code == 2, ended.text
            assert all(fact in ended.err for fact in facts), ended.text
            assert ended.err.count("\n") == 1 and ended.err.startswith("error: "), ended.text
            assert not list(tmp_path.glob("outputs/train/*/*/config.yaml"))


@pytest.mark.more
def test_values_and_this_project_s_and_torch_s_classes_in_a_folder_of_configs_work_at_once(tmp_path: Path) -> None:
    path = tmp_path / "mine" / "experiment" / "x.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(
        f"{GLOBAL}batch_size: 8\noptimizer: {{_target_: torch.optim.SGD, momentum: 0.5}}\n"
        "hydra: {run: {dir: new}, callbacks: {own: {_target_: brainage.system.session.OutputFolder}}}\n"
    )
    monitor = "trainer.callbacks=[{_target_: pytorch_lightning.callbacks.Timer}]"  # the user's, who types it
    words = ("--config-dir", "mine", "experiment=x", "trainer=cpu", "evaluate=false", monitor, "logger=tensorboard")
    ended = run_command(tmp_path, "train.py", *words, "optimizer.weight_decay=0", *WORDS)
    assert ended.code == 0, ended.text
    config = yaml.safe_load((tmp_path / "new" / "config.yaml").read_text())
    assert (config["optimizer"]["_target_"], config["batch_size"]) == ("torch.optim.SGD", 8)
    mine = ("--config-dir", "mine", "logger=wandb", "logger.wandb.settings.silent=false")
    assert run_command(tmp_path, "train.py", *mine, "--cfg", "job").code == 0


@pytest.mark.more
def test_a_folder_s_classes_are_loaded_with_code_on_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "mine" / "experiment" / "x.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(
        f"{GLOBAL}trainer: {{callbacks: [{{_target_: mine_of_test_hostile.Mine}}]}}\n"
        "hydra: {callbacks: {own: {_target_: mine_of_test_hostile.Started}}}\n"
    )
    (tmp_path / "mine" / "mine_of_test_hostile.py").write_text(
        "from pathlib import Path\nfrom hydra.experimental.callback import Callback\nimport pytorch_lightning\n"
        "class Mine(pytorch_lightning.Callback):\n"
        "    def on_fit_end(self, trainer, module):\n        Path('fitted').touch()\n"
        "class Started(Callback):\n"
        "    def on_run_start(self, config, **kwargs):\n        Path('started').touch()\n"
    )
    words = ("train.py", "--config-dir", "mine", "experiment=x", "trainer=cpu", "evaluate=false", *WORDS)
    refused = run_command(tmp_path, *words)
    assert refused.code == 2 and "code=mine_of_test_hostile" in refused.err, refused.text
    assert not (tmp_path / "started").exists()
    ended = run_command(tmp_path, *words, "code=mine/mine_of_test_hostile.py")
    assert ended.code == 0, ended.text
    assert (tmp_path / "started").exists() and (tmp_path / "fitted").exists()


ESCAPE = "\x1b]0;theirs\x07"


@pytest.mark.more
@pytest.mark.parametrize(
    "words",
    [
        (f"{ESCAPE}word",),
        (f"experiment=a{ESCAPE}",),
        (f"'experiment=a{ESCAPE}'",),
        (f"model={ESCAPE}",),
        (f"{ESCAPE}=1",),
        (f"trainer.max_epochs={ESCAPE}",),
        ("--config-dir=theirs", "experiment=x"),
        ("--config-dir=theirs", "experiment=y"),
        (f"--config-dir={ESCAPE}",),
        (f"--{ESCAPE}",),
    ],
    ids=[
        "word",
        "experiment",
        "quoted",
        "choice",
        "key",
        "value",
        "their key",
        "their interpolation",
        "folder",
        "flag",
    ],
)
def test_no_message_has_escape_sequences(words: tuple[str, ...], tmp_path: Path) -> None:
    for name, text in {"x": '"\\e]0;theirs": 1', "y": 'batch_size: "${a\\e]0;theirs}"'}.items():
        path = tmp_path / "theirs" / "experiment" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{GLOBAL}{text}\n")
    ended = run_command(tmp_path, "train.py", *words)
    assert ended.code in (1, 2) and ended.err
    assert "\x1b" not in ended.text and "\x07" not in ended.text


def test_a_traceback_and_a_warning_have_no_escape_sequences(tmp_path: Path) -> None:
    script = (
        "import warnings\nfrom brainage.system.output import protect_output\nprotect_output()\n"
        f"warnings.warn({ESCAPE!r})\nraise ValueError({ESCAPE!r})\n"
    )
    (tmp_path / "script.py").write_text(script)
    ended = run_command(tmp_path, "script.py")
    assert ended.code == 1 and "ValueError: ?]0;theirs?" in ended.err and "\x1b" not in ended.err
