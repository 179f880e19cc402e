"""The study as ``make study`` runs it: one page, kept steps, and going on after it was stopped."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from html import escape
from pathlib import Path

import psutil
import pytest
import yaml
from hydra.core.hydra_config import HydraConfig

from brainage.errors import ConfigError, StudyError, StudyStepError
from brainage.study import processes as commands
from brainage.study import resuming as taking_up
from brainage.study import runner as running
from brainage.study.__main__ import main
from brainage.study.index import write_index
from brainage.study.overrides import check_composes, checked_overrides
from brainage.study.plan import Plan
from brainage.study.resuming import grid_jobs
from brainage.study.stages import FINALS, GRIDS, SWEEPS, steps
from tests.conftest import ROOT, Command

# The smallest that goes through every stage.
TINY = ("cohort.n_participants=100", "trainer.max_epochs=3", "trainer=cpu", "report.n_resamples=100", "seed=1")


def noted(job: Path) -> list[str]:
    words: list[str] = yaml.safe_load((job / ".hydra" / "overrides.yaml").read_text())
    return words


def test_every_experiment_of_the_three_stages_is_a_step() -> None:
    for stage, names in (("manual_search", GRIDS), ("hyperparameter_sweep", SWEEPS), ("final_models", FINALS)):
        assert {path.stem for path in (ROOT / "experiments" / stage).glob("*.yaml")} == set(names)


def test_another_cohort_is_taken_whole(tmp_path: Path) -> None:
    def people(*overrides: str) -> list[str]:
        return [word for word in steps("full", tmp_path, overrides)[0].words if word.startswith("cohort")]

    assert people() == ["cohort.n_participants=5902"]
    assert people("cohort.n_participants=70") == ["cohort.n_participants=70"]
    assert people("cohort=bids", "cohort.root=x") == ["cohort=bids", "cohort.root=x"]


def test_a_grid_has_the_jobs_that_hydra_would_make() -> None:
    words = ("train.py", "--multirun", "experiment=manual_search/depth")
    given = ["experiment=manual_search/depth", "seed=1"]
    assert grid_jobs([*words, "seed=1"]) == [[f"model.depth={depth}", *given] for depth in (2, 3, 5, 6, 8)]
    # As with Hydra, the command line's values stand in place of the grid's; the last one of a key holds.
    assert grid_jobs([*words, "model.depth=3", "seed=1", "seed=2"]) == [["model.depth=3", given[0], "seed=2"]]


def test_depths_6_and_8_come_out_as_impossible(command: Command, tmp_path: Path) -> None:
    ended = command("train.py", "--multirun", "experiment=manual_search/depth", "model.depth=6,8", *TINY)
    assert ended.code == 0, ended.text
    (folder,) = (tmp_path / "outputs" / "multirun").glob("*/*")
    assert f"Report: {folder.relative_to(tmp_path)}/report.html" in ended.out
    html = (folder / "report.html").read_text()
    assert html.count("<td>impossible</td>") == 2
    for number, depth in enumerate((6, 8)):
        assert noted(folder / str(number))[0] == f"model.depth={depth}"
        assert f"<td>model.depth={depth}</td>" in html
        reason = json.loads((folder / str(number) / "summary.json").read_text())["reason"]
        assert reason and f"Job {number}: {escape(reason)}" in html


def test_another_size_or_other_overrides_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "study"
    out.mkdir()
    plan = {"size": "small", "overrides": ["seed=3"], "seconds": {}, "done": {"manual_search/depth": "abc"}}
    (out / "study.json").write_text(json.dumps(plan))
    before = (out / "study.json").read_bytes()
    assert main(["seed=3", "--out", str(out), "--size", "full"]) == 2
    assert "holds a study of size small with seed=3, but got size full with seed=3." in capsys.readouterr().err
    assert main(["--out", str(out)]) == 2
    assert "but got size small with no overrides. Repeat the first" in capsys.readouterr().err
    assert (out / "study.json").read_bytes() == before
    (out / "study.json").write_text("{")
    assert main(["--out", str(out)]) == 2
    assert "must tell what was begun, but cannot be read" in capsys.readouterr().err


def test_what_was_wrong_may_be_mended_while_nothing_was_trained(tmp_path: Path) -> None:
    todo = steps("small", tmp_path, ())
    Plan("small", ["cohort.root=wrong"], {todo[0].label: 2.0}).write(tmp_path)
    (todo[0].folder / "0").mkdir(parents=True)
    (todo[0].folder / "multirun.yaml").touch()
    mended = Plan("small", ["cohort.root=right"])
    mended.take_up(tmp_path, todo)
    assert not todo[0].folder.exists() and mended.seconds == {}
    assert json.loads((tmp_path / "study.json").read_text())["overrides"] == ["cohort.root=right"]
    (todo[0].folder / "0").mkdir(parents=True)
    (todo[0].folder / "0" / "metrics.csv").touch()
    with pytest.raises(StudyError, match="holds a study of size small with cohort.root=right"):
        Plan("small", ["cohort.root=other"]).take_up(tmp_path, todo)
    assert todo[0].folder.exists()


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "comparison").mkdir()
    (tmp_path / "comparison" / "mine.txt").write_text("x")
    assert main(["--out", str(tmp_path)]) == 2
    assert "has no study.json, and holds `comparison`" in capsys.readouterr().err
    assert (tmp_path / "comparison" / "mine.txt").read_text() == "x"


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("cohort.include=participant_id != 'planted07'", "`cohort.include` must not name participants or families"),
        ("++cohort.include=eid > 'planted07'", "`cohort.include` must not name participants or families"),
        ("cohort={include: 'eid > 7'}", "`cohort.include` must not name participants or families"),
        ("seed=1,2", "`seed=1,2` must have one value"),
        ("batch_size=range(8,10)", "must have one value"),
        ("modality=ica100", "those of its experiments"),
        ("optimizer.lr=1e-3", "those of its experiments"),
        ("model.depth=8", "those of its experiments"),
        ("objective=val/r2", "those of its experiments"),
        ("cohort.n_participant=100", "Could not override 'cohort.n_participant'"),
        ("seed=-3", "step manual_search/learning_rate: `seed` must be 0 or more, but got -3."),
        ("cohort=ukb", "`cohort.phenotypes`, `cohort.root` must be given"),
        ("hydra.sweeper.n_trials=9", "those of its experiments"),
        ("experiment=demo", "those of its experiments"),
        ("nonsense", "`nonsense` must be an override, KEY=VALUE"),
    ],
)
def test_what_no_training_could_be_given_is_refused_before_it_is_noted(
    word: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--out", str(tmp_path / "study"), word]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize("logger", ["tensorboard", "wandb", "[wandb,tensorboard]"])
def test_loggers_may_be_given(logger: str, tmp_path: Path) -> None:
    check_composes(steps("full", tmp_path, checked_overrides([f"logger={logger}"])))
    assert HydraConfig.instance().cfg is None  # nothing is left of what was composed


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("~split", "step manual_search/learning_rate: `split` must be given"),
        ("modality.n_times=20", "step final_models/ica100: "),
    ],
)
def test_what_some_training_could_not_do_is_said_before_any_is_begun(word: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        check_composes(steps("full", tmp_path, checked_overrides([word])))


def test_a_study_of_the_version_before_is_taken_up(tmp_path: Path) -> None:
    todo = steps("small", tmp_path, ())
    todo[0].folder.mkdir(parents=True)
    todo[0].result.write_text("overrides,status,val/mse,val/mae,test/mae\n")
    label = todo[0].label
    (tmp_path / "study.json").write_text(json.dumps({"size": "small", "overrides": [], "done": {label: 7.5}}))
    plan = Plan("small", [])
    plan.take_up(tmp_path, todo)
    assert plan.done == {label: None} and plan.seconds == {label: 7.5}


def test_queries_may_stand_as_a_shell_leaves_them() -> None:
    assert checked_overrides(["cohort.include=age < 70", "seed=1"]) == ["cohort.include='age < 70'", "seed=1"]


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put another train.py in the place of the project's."""
    for module in (commands, running):
        monkeypatch.setattr(module, "ROOT", folder)
    (folder / "train.py").write_text(script)


@pytest.mark.parametrize("code", [2, 3])
def test_a_step_that_fails_is_named_with_its_log(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(tmp_path, monkeypatch, f"import sys; print('no such table', file=sys.stderr); sys.exit({code})")
    assert main(["--out", str(tmp_path / "out")]) == 1
    note = tmp_path / "out" / "logs" / "manual_search-learning_rate.log"
    said = capsys.readouterr().err
    assert f"step manual_search/learning_rate: train.py ended with {code}" in said
    assert f"`{note}`, the last are: no such table Mend what they name" in said
    assert "no such table" in note.read_text()
    noted = json.loads((tmp_path / "out" / "study.json").read_text())
    assert noted["done"] == {} and set(noted["seconds"]) == {"manual_search/learning_rate"}


# Writes a summary, as a training that was asked for something that diverges, cannot exist, or is well.
_STAND_IN = """
import json, pathlib, sys
words = dict(word.removeprefix("--").partition("=")[::2] for word in sys.argv[1:])
folder = pathlib.Path((words.get("hydra.run.dir") or words["resume"]).strip('"'))
folder.mkdir(parents=True, exist_ok=True)
said = json.loads(pathlib.Path(__file__).with_name("said.json").read_text())
(folder / "summary.json").write_text(json.dumps(said["summary"]))
(folder / "asked").write_text(sys.argv[1])
sys.exit(said["code"])
"""

FINISHED = {"status": "finished", "reason": None}
DIVERGED = {"status": "failed", "reason": "Training diverged: the validation loss was never a finite number."}
IMPOSSIBLE = {"status": "impossible", "reason": "The sequence runs out."}
FAILED = {"status": "failed", "reason": "`cohort.root=x` does not exist."}
INTERRUPTED = {"status": "interrupted", "reason": "interrupted by SIGINT"}


def before(folder: Path, summary: dict[str, str | None] | None, *, trained: bool) -> None:
    """Leave what an earlier process left of a run."""
    (folder / "checkpoints").mkdir(parents=True)
    if summary is not None:
        (folder / "summary.json").write_text(json.dumps(summary))
    if trained:
        (folder / "checkpoints" / "last.ckpt").touch()
    (folder / "left").touch()


@pytest.mark.parametrize(
    ("left", "trained", "asked"),
    [
        (FINISHED, True, None),
        (DIVERGED, True, None),
        (IMPOSSIBLE, False, None),
        (FAILED, False, "anew"),
        (FAILED, True, "resume"),
        (INTERRUPTED, False, "anew"),
        (INTERRUPTED, True, "resume"),
        (None, True, "resume"),
        (None, False, "anew"),
    ],
)
def test_of_a_grid_that_was_stopped_only_what_is_missing_is_done(
    left: dict[str, str | None] | None,
    trained: bool,
    asked: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (step, *_) = steps("small", tmp_path / "out", ())
    stand_in(tmp_path, monkeypatch, _STAND_IN)
    (tmp_path / "said.json").write_text(json.dumps({"summary": FINISHED, "code": 0}))
    for number in range(5):
        before(step.folder / str(number), left if number == 1 else FINISHED, trained=trained)
    (step.folder / "multirun.yaml").touch()
    taking_up.carry_out(step, commands.Commands("x", tmp_path / "log", tmp_path / "note"))
    assert not any((step.folder / str(number) / "asked").exists() for number in (0, 2, 3, 4))
    job = step.folder / "1"
    if asked is None:
        assert not (job / "asked").exists() and json.loads((job / "summary.json").read_text()) == left
    else:
        said = (job / "asked").read_text()
        assert said == (f'resume="{job}"' if asked == "resume" else "optimizer.lr=0.001")
        assert (job / "left").exists() == (asked == "resume")
    assert (step.folder / "summary.csv").read_text().count("finished") == (
        5 if left not in (DIVERGED, IMPOSSIBLE) else 4
    )


@pytest.mark.parametrize(("summary", "code"), [(DIVERGED, 1), (IMPOSSIBLE, 2)])
def test_a_training_that_gives_nothing_is_a_grids_result_but_ends_a_final_model(
    summary: dict[str, str | None], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    todo = steps("small", tmp_path / "out", ())
    stand_in(tmp_path, monkeypatch, _STAND_IN)
    (tmp_path / "said.json").write_text(json.dumps({"summary": summary, "code": code}))
    grid, final = todo[0], todo[8]
    grid.folder.mkdir(parents=True)
    (grid.folder / "multirun.yaml").touch()
    doing = commands.Commands("x", tmp_path / "log", tmp_path / "note")
    taking_up.carry_out(grid, doing)
    assert (grid.folder / "summary.csv").read_text().count(str(summary["status"])) == 5
    for _ in range(2):  # the second finds the first's summary
        with pytest.raises(StudyStepError, match=f"train.py ended with {code}"):
            taking_up.carry_out(final, doing)
    assert not final.has_result()


def test_a_grid_of_which_a_job_failed_otherwise_ends_with_that_jobs_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (grid, *_) = steps("small", tmp_path / "out", ())
    stand_in(tmp_path, monkeypatch, "import sys\nif '--multirun' not in sys.argv: print('no root')\nsys.exit(1)")
    with pytest.raises(StudyStepError, match="the last are: no root"):
        taking_up.carry_out(grid, commands.Commands("x", tmp_path / "log", tmp_path / "note"))


def test_a_command_whose_study_was_killed_is_stopped_before_its_folder_is_taken_up(tmp_path: Path) -> None:
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    note = tmp_path / "note.json"
    commands._note(note, left.pid)
    other = json.loads(note.read_text())
    commands.stop_left_behind(note)
    assert not psutil.pid_exists(left.pid) and not note.exists()
    left.wait()
    # Another process that has got its number since is none of the study's.
    innocent = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    note.write_text(json.dumps({"pid": innocent.pid, "begun": other["begun"] - 100}))
    commands.stop_left_behind(note)
    assert innocent.poll() is None and not note.exists()
    innocent.kill()
    innocent.wait()
    note.write_text("{")
    commands.stop_left_behind(note)
    assert not note.exists()


def test_steps_whose_results_are_gone_are_done_again_with_what_was_made_of_them(tmp_path: Path) -> None:
    todo = steps("small", tmp_path, ())
    for step in todo:
        step.folder.mkdir(parents=True)
        step.result.write_text('{"status": "finished"}')
    Plan("small", [], {}, dict.fromkeys((step.label for step in todo), "abc")).write(tmp_path)
    todo[8].result.unlink()
    plan = Plan("small", [])
    plan.take_up(tmp_path, todo)
    assert [step.label for step in todo if step.label not in plan.done] == [
        "final_models/ica25",
        "comparison/ica25_ica100",
    ]


def test_the_index_links_every_report_that_is_there(tmp_path: Path) -> None:
    todo = steps("small", tmp_path, ())
    for step in todo[:2]:
        step.folder.mkdir(parents=True)
    first = todo[0]
    (first.folder / "report.html").write_text("x")
    first.result.write_text(
        "overrides,status,val/mse,val/mae,test/mae\noptimizer.lr=<i>1 seed=1,finished,41.5,5.0,5.25\n"
    )
    plan = Plan("small", ["cohort.root=<u>"], {first.label: 60.0}, {first.label: "c0ffee"})
    html = write_index(tmp_path, plan, todo).read_text()
    assert "1 of 11 steps are done, in 1.0 minutes." in html and "Size small: 600 participants" in html
    links = re.findall(r'<li><a href="([^"]+)"', html)
    assert links == ["manual_search/learning_rate/report.html"] and (tmp_path / links[0]).is_file()
    assert "optimizer.lr=&lt;i&gt;1" in html and "41.50" in html and "c0ffee" in html
    assert "cohort.root=&lt;u&gt;" in html and "<u>" not in html


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_study_that_was_stopped_goes_on_and_keeps_what_is_finished(signum: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "brainage.study", "--out", str(tmp_path / "study"), *TINY]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    # In the middle of the second grid.
    second = tmp_path / "study" / "manual_search" / "kernel_size"
    while not (second / "1" / "checkpoints" / "last.ckpt").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(signum)
    said = process.communicate(timeout=120)[1]
    kept = {path: path.read_bytes() for path in (tmp_path / "study").glob("manual_search/learning_rate/*/summary.json")}
    kept[second / "0" / "summary.json"] = (second / "0" / "summary.json").read_bytes()
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 of 11: manual_search/learning_rate: finished, kept" in done.stdout
    assert all(path.read_bytes() == content for path, content in kept.items())
    html = (tmp_path / "study" / "index.html").read_text()
    links = re.findall(r'<li><a href="([^"]+)"', html)
    assert len(links) == 11 and "11 of 11 steps are done" in html
    assert all((tmp_path / "study" / link).is_file() for link in links)
    # The job that was stopped went on, and came to its end.
    assert all(
        json.loads((second / str(number) / "summary.json").read_text())["status"] == "finished" for number in range(5)
    )
    assert "Going on after epoch" in (tmp_path / "study" / "logs" / "manual_search-kernel_size.log").read_text()
    # Jobs of the multirun and those that were run later say alike what varied.
    words = [job[:2] for job in grid_jobs(steps("small", tmp_path, TINY)[1].words)]
    assert [noted(second / str(number))[:2] for number in range(5)] == words
    if signum == signal.SIGKILL:
        assert "A command of an earlier process is still at work here" in done.stdout
    else:
        assert process.returncode == 128 + signum
        assert "the same command goes on, and keeps what is finished." in said
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert again.returncode == 0 and again.stdout.count("finished, kept") == 11
