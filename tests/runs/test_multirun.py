"""A repeated grid: finished jobs are kept, an interrupted one is resumed, another grid is refused."""

from __future__ import annotations

import csv
import errno
import json
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
from filelock import FileLock, Timeout
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import JobReturn
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from brainage.errors import OutputError, ResumeError
from brainage.runs import job as jobs
from brainage.runs import multirun
from brainage.runs.multirun import JobFolders, PreviousJob, previous_job, repeat_command
from brainage.runs.multirun_table import chosen_alone, collect, varied_overrides
from brainage.system import files
from brainage.system.session import OutputFolder
from tests.conftest import FAST, ROOT, Ended, Started, files_of_at_most, run_command, wait_until

SMALL = (*FAST, "evaluate=false")
GRID = ("train.py", "--multirun", "model.depth=1,2,9", *SMALL, "hydra.sweep.dir=grid")


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended]:
    folder = tmp_path_factory.mktemp("grid")
    return folder, run_command(folder, *GRID)


@pytest.fixture
def copied(grid: tuple[Path, Ended], tmp_path: Path) -> Path:
    shutil.copytree(grid[0], tmp_path, dirs_exist_ok=True, copy_function=shutil.copy2)
    return tmp_path


def results(job: Path) -> dict[str, int]:
    """Return when each result of a job was written; Hydra rewrites the same overrides in `.hydra`."""
    files = (path for path in job.rglob("*") if path.is_file() and ".hydra" not in path.parts)
    return {str(path.relative_to(job)): path.stat().st_mtime_ns for path in files}


def read_table(folder: Path) -> list[dict[str, str]]:
    with (folder / "summary.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.more
def test_a_finished_grid_that_is_started_again_keeps_every_job(grid: tuple[Path, Ended], copied: Path) -> None:
    assert grid[1].code == 0, grid[1].text
    before = [results(copied / "grid" / str(job)) for job in range(2)]
    table = read_table(copied / "grid")
    ended = run_command(copied, *GRID)
    assert ended.code == 0, ended.text
    assert [results(copied / "grid" / str(job)) for job in range(2)] == before
    again = read_table(copied / "grid")
    for row in (table[2], again[2]):  # an infeasible job is checked again
        row.pop("seconds")
    assert again == table
    assert [row["status"] for row in table] == ["finished", "finished", "impossible"]


@pytest.mark.more
def test_a_job_that_was_killed_before_its_report_gets_it(tmp_path: Path) -> None:
    words = ("train.py", "--multirun", "seed=1,2", *FAST, "hydra.sweep.dir=a grid")
    first = run_command(tmp_path, *words)
    assert f"If this is killed, continue with: {shlex.join(['python', *words])}\n" in first.text
    job, other = tmp_path / "a grid" / "0", results(tmp_path / "a grid" / "1")
    saved, epochs = json.loads((job / "summary.json").read_text()), (job / "metrics.csv").read_text()
    for name in ("report.html", "findings.json", "training.json"):
        (job / name).unlink()
    ended = run_command(tmp_path, *words)
    assert ended.code == 0, ended.text
    assert all((job / name).is_file() for name in ("report.html", "findings.json", "training.json"))
    again = json.loads((job / "summary.json").read_text())
    assert [again[key] for key in ("metrics", "epochs", "best_epoch")] == [
        saved[key] for key in ("metrics", "epochs", "best_epoch")
    ]
    assert (job / "metrics.csv").read_text() == epochs
    assert results(tmp_path / "a grid" / "1") == other


@pytest.mark.more
def test_an_interrupted_grid_keeps_what_is_finished_and_resumes_the_rest(tmp_path: Path) -> None:
    words = ("--multirun", "seed=1,2,3", *SMALL, "trainer.max_epochs=12", "patience=12", "hydra.sweep.dir=grid")
    started = Started(tmp_path, str(ROOT / "train.py"), *words)
    # Until the second job trains.
    wait_until(lambda: (tmp_path / "grid" / "1" / "checkpoints" / "last.ckpt").exists())
    started.send_signal(signal.SIGINT)
    stopped = started.wait(120)
    assert stopped.code == 130
    assert f"python train.py {' '.join(words)}" in stopped.err
    first, interrupted = tmp_path / "grid" / "0", tmp_path / "grid" / "1"
    assert json.loads((interrupted / "summary.json").read_text())["status"] == "interrupted"
    before = results(first)
    ended = run_command(tmp_path, "train.py", *words)
    assert ended.code == 0, ended.text
    assert "Resuming after epoch" in ended.out
    assert results(first) == before
    table = read_table(tmp_path / "grid")
    assert [(row["job"], row["status"], row["epochs"]) for row in table] == [
        (str(job), "finished", "12") for job in range(3)
    ]
    epochs = [row.split(",")[0] for row in (interrupted / "metrics.csv").read_text().splitlines()[1:]]
    assert epochs == [str(epoch) for epoch in range(12)]


@pytest.mark.parametrize(
    "words",
    [("model.depth=1,2,3", *SMALL), ("model.depth=1,2", *SMALL), ("model.depth=1,2,9", *SMALL, "seed=1")],
    ids=["another value", "fewer jobs", "another seed"],
)
def test_another_grid_in_the_same_folder_is_refused(words: tuple[str, ...], copied: Path) -> None:
    before = {path: path.read_bytes() for path in (copied / "grid").rglob("*") if path.is_file()}
    ended = run_command(copied, "train.py", "--multirun", *words, "hydra.sweep.dir=grid")
    assert ended.code == 2
    assert ended.err.startswith("error: `hydra.sweep.dir=grid` contains another grid: model.depth=1,2,9 ")
    assert {path: path.read_bytes() for path in (copied / "grid").rglob("*") if path.is_file()} == before


def test_a_grid_whose_config_has_changed_is_refused_at_its_first_job(copied: Path) -> None:
    saved = copied / "grid" / "0" / "config.yaml"
    saved.write_text(saved.read_text().replace("patience: 20", "patience: 14"))
    ended = run_command(copied, *GRID)
    assert ended.code == 2
    assert ended.err.count("error: ") == 1 and "`patience=14`, but got 20" in ended.err


def test_a_grids_folder_belongs_to_one_process_at_a_time(copied: Path) -> None:
    with FileLock(copied / "grid" / ".lock"):
        ended = run_command(copied, *GRID)
    assert ended.code == 2
    assert "`hydra.sweep.dir=grid` must belong to one process at a time" in ended.err


# --- Another process in the same folder ---


def test_a_process_that_finds_a_folder_locked_writes_nothing_there(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with FileLock(tmp_path / "run" / ".lock"):
        ended = run_command(tmp_path, "train.py", *SMALL, "hydra.run.dir=run")
    assert ended.code == 2, ended.text
    assert "`hydra.run.dir=run` must belong to one process at a time" in ended.err
    assert {path.name for path in (tmp_path / "run").iterdir()} == {".lock"}


def finished_meanwhile(folder: Path, config: DictConfig, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    """Start a command whose folder gets a finished run after the folder was created and before it is locked."""
    locked = multirun.lock_folder if mode == "sweep" else multirun.reserve

    def held_up(path: Path, *name: str) -> object:
        (folder / "0" if mode == "sweep" else folder).joinpath("metrics.csv").write_text("of the other process")
        return locked(path, *name)

    (folder / "0").mkdir(parents=True)
    monkeypatch.setattr(multirun, locked.__name__, held_up)
    with pytest.raises(SystemExit, match="2"):
        getattr(JobFolders(), "on_multirun_start" if mode == "sweep" else "on_run_start")(config)


@pytest.mark.parametrize("mode", ["run", "sweep"])
def test_a_process_held_up_before_it_locks_a_folder_looks_again(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "folder"
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(ROOT / "configs"), version_base="1.3"):
        config = compose("train", [f"hydra.{mode}.dir={folder}"], return_hydra_config=True)
        finished_meanwhile(folder, config, monkeypatch, mode)
    assert "must be a folder without a run, but it contains `" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("verb", "words", "start"),
    [
        ("train", (), JobFolders().on_run_start),
        ("train", (), JobFolders().on_multirun_start),
        ("compare", ("runs=[a,b]",), OutputFolder().on_run_start),
    ],
    ids=["run", "multirun", "compare"],
)
def test_a_group_may_read_outputs_that_are_made_for_it(
    verb: str, words: tuple[str, ...], start: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "outputs" / "folder"
    places = [f"hydra.run.dir={folder}", f"hydra.sweep.dir={folder}"]
    monkeypatch.setattr(files, "_state", {})
    umask = os.umask(0o077)
    try:
        GlobalHydra.instance().clear()
        with initialize_config_dir(str(ROOT / "configs"), version_base="1.3"):
            start(compose(verb, [*words, *places, "outputs.mode=group"], return_hydra_config=True))
        (folder / "0").mkdir()
    finally:
        os.umask(umask)
    assert [path.stat().st_mode & 0o777 for path in (folder, folder / "0", folder.parent)] == [0o750, 0o750, 0o700]


def test_a_resumed_run_is_read_after_its_folder_is_locked(
    composed: Callable[..., DictConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = composed(f"resume={tmp_path / 'run0'}")

    def look(folder: Path, asked: object) -> dict[str, object]:
        with pytest.raises(Timeout):
            FileLock(folder / ".lock").acquire(timeout=0)
        return {"status": "finished", "objective": {"value": 7.5}}

    monkeypatch.setattr(jobs, "finished_summary", look)
    monkeypatch.setattr(jobs, "show_summary", lambda summary, folder: None)
    assert jobs.run_job(config) == 7.5


# --- A full disk ---


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), OutputError("`folder` cannot be written: No space left.")],
    ids=["of a library", "of a table"],
)
def test_a_table_that_cannot_be_written_ends_a_multirun_with_one_message(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def finish(folder: Path) -> None:
        raise error

    monkeypatch.setattr(multirun, "finish_multirun", finish)
    config = OmegaConf.create({"hydra": {"sweeper": {}, "sweep": {"dir": str(tmp_path / "folder")}}})
    with pytest.raises(SystemExit, match="2"):
        JobFolders().on_multirun_end(config)
    said = capsys.readouterr().err
    assert "folder` cannot be written: No space left" in said
    assert said.startswith("error: ") and said.count("\n") == 1


@pytest.mark.parametrize(("mode", "ends"), [(RunMode.MULTIRUN, True), (RunMode.RUN, False)])
def test_a_grid_ends_before_hydra_writes_the_next_job_to_a_full_disk(
    mode: RunMode, ends: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = OmegaConf.create({"hydra": {"mode": mode, "sweeper": {}, "sweep": {"dir": str(tmp_path)}}})
    JobFolders().on_job_end(config, JobReturn())
    with files_of_at_most(900), pytest.raises(SystemExit, match="2") if ends else nullcontext():
        JobFolders().on_job_end(config, JobReturn())
    assert ("cannot be written: File too large" in capsys.readouterr().err) == ends


# --- One job ---


@pytest.fixture
def job(composed: Callable[..., DictConfig], tmp_path: Path) -> tuple[Path, DictConfig]:
    config = composed("model.depth=2", "seed=7")
    folder = tmp_path / "job"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.yaml").write_text(OmegaConf.to_yaml(config, resolve=True))
    (folder / "report.html").touch()
    return folder, config


FINISHED = {"status": "finished", "reason": None, "objective": {"value": 41.5}}
DIVERGED_RUN = {
    "status": "failed",
    "error": "DivergedError",
    "reason": "Training diverged: the loss is NaN",
    "objective": {"value": None},
}

DIVERGED_IN_0_1 = {key: value for key, value in DIVERGED_RUN.items() if key != "error"}


@pytest.mark.parametrize(
    ("summary", "has_checkpoint", "expected"),
    [
        (FINISHED, True, PreviousJob(FINISHED)),
        (DIVERGED_RUN, True, PreviousJob(DIVERGED_RUN)),
        (DIVERGED_IN_0_1, True, PreviousJob(DIVERGED_IN_0_1)),
        ({"status": "failed", "reason": "out of memory"}, True, PreviousJob(resumable=True)),
        ({"status": "failed", "reason": "out of memory"}, False, PreviousJob()),
        ({"status": "interrupted", "reason": "SIGINT"}, True, PreviousJob(resumable=True)),
        ({"status": "interrupted", "reason": "SIGINT"}, False, PreviousJob()),
        (None, True, PreviousJob(resumable=True)),
        (None, False, PreviousJob()),
    ],
)
def test_a_job_that_ended_is_kept_one_with_a_checkpoint_is_resumed_any_other_starts_again(
    summary: dict[str, object] | None, has_checkpoint: bool, expected: PreviousJob, job: tuple[Path, DictConfig]
) -> None:
    folder, config = job
    if summary is not None:
        (folder / "summary.json").write_text(json.dumps(summary))
    if has_checkpoint:
        (folder / "checkpoints" / "last.ckpt").touch()
    assert previous_job(folder, config) == expected


def test_the_objective_of_a_kept_job_is_that_of_its_summary() -> None:
    assert PreviousJob(FINISHED).objective == 41.5
    assert PreviousJob(DIVERGED_RUN).objective is None


def test_a_job_with_another_config_is_refused_with_the_key_and_both_values(job: tuple[Path, DictConfig]) -> None:
    folder, config = job
    config.model.depth = 3
    with pytest.raises(ResumeError, match=r"`model\.depth=2`, but got 3"):
        previous_job(folder, config)


def test_other_loggers_do_not_make_another_config(job: tuple[Path, DictConfig]) -> None:
    folder, config = job
    config.logger = {"csv": {"_target_": "pytorch_lightning.loggers.CSVLogger", "save_dir": "elsewhere"}}
    assert previous_job(folder, config) == PreviousJob()


def test_the_command_that_continues_names_its_folder_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py", "--multirun", "seed=1,2"])
    assert repeat_command(Path("out/grid")) == "python train.py --multirun seed=1,2 hydra.sweep.dir=out/grid"
    monkeypatch.setattr(sys, "argv", ["train.py", "-m", "hydra.sweep.dir=mine", "seed=1,2"])
    assert repeat_command(Path("mine")) == "python train.py -m hydra.sweep.dir=mine seed=1,2"
    monkeypatch.setattr(sys, "argv", ["train.py", "-m", "code=my nets.py", "seed=1,2"])
    words = ["-m", "code=my nets.py", "seed=1,2", "hydra.sweep.dir='my out'"]
    assert shlex.split(repeat_command(Path("my out"))) == ["python", "train.py", *words]


# --- The table ---


def test_the_table_has_a_row_for_every_job_in_numerical_order_even_without_a_summary(tmp_path: Path) -> None:
    for job in (10, 2, 1):
        (tmp_path / str(job) / ".hydra").mkdir(parents=True)
        (tmp_path / str(job) / ".hydra" / "overrides.yaml").write_text(f"- seed={job}\n- batch_size=8\n")
    (tmp_path / "2" / ".hydra" / "overrides.yaml").write_bytes(b"\xff\xfe\x00")  # killed while it was written
    (tmp_path / "10" / "summary.json").write_text(json.dumps({"status": "finished", "epochs": 3}))
    rows = collect(tmp_path)
    assert [row["job"] for row in rows] == ["1", "2", "10"]
    assert [row["status"] for row in rows] == ["failed", "failed", "finished"]
    assert rows[0]["overrides"] == ["seed=1", "batch_size=8"] and rows[1]["overrides"] == []
    assert rows[2]["epochs"] == 3 and rows[2]["test/mae"] is None


def test_overrides_are_separated_into_shared_and_varied() -> None:
    rows = [{"overrides": [f"seed={seed}", "batch_size=8"]} for seed in (1, 2)]
    assert varied_overrides(rows) == (["seed=1", "seed=2"], ["batch_size=8"])
    assert varied_overrides(rows[:1]) == (["seed=1 batch_size=8"], [])


def cell(overrides: str, val: float | None, test: float) -> dict[str, object]:
    return {"overrides": overrides.split(), "val/mse": val, "test/mae": test}


@pytest.mark.parametrize(
    ("rows", "shown"),
    [
        ([cell("a=1", 30.0, 4.0), cell("a=2", 20.0, 5.0), cell("a=3", None, 3.0)], [None, 5.0, None]),
        # The cell with the lowest mean is chosen, not that of the luckiest seed.
        (
            [cell(f"a={a} seed={seed}", val, 4.0) for a, seed, val in [(1, 1, 10), (1, 2, 40), (2, 1, 20), (2, 2, 22)]],
            [None, None, 4.0, 4.0],
        ),
        ([cell(f"a=1 split.fold={fold}", 30.0, 4.0) for fold in range(2)], [4.0, 4.0]),
        ([cell("a=1", None, 4.0), cell("a=2", None, 4.0)], [None, None]),
    ],
    ids=["cells", "seeds", "folds", "few validation participants"],
)
def test_a_grid_shows_test_errors_of_its_chosen_cell_only(
    rows: list[dict[str, object]], shown: list[float | None]
) -> None:
    assert [row["test/mae"] for row in chosen_alone(rows)] == shown
