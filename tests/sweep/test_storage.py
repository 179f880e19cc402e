"""Studies in storages: opened by the same command, refused for another one, created by several processes at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import optuna
import pytest

from brainage.errors import SweepError
from brainage.sweep.recovery import n_counted
from brainage.sweep.storage import StudyTerms, dashboard_command, open_storage, open_study, shown_url
from tests.sweep.test_recovery import SPACE, TERMS, opened, started, suggested


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'new' / 'study.db'}"


def test_the_same_command_opens_the_same_study(url: str) -> None:
    study, _ = opened(url)
    study.tell(suggested(study), 1.0)
    assert n_counted(opened(url)[0]) == 1


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        (StudyTerms(TERMS.space, ["maximize"], TERMS.fixed), r"has the direction minimize, but now it is maximize\."),
        (
            StudyTerms(TERMS.space, ["minimize"] * 2, TERMS.fixed),
            r"has the direction minimize, .*minimize, minimize",
        ),
        (
            StudyTerms({**TERMS.space, "c": "{}"}, ["minimize"], TERMS.fixed),
            r"searches `c` as nothing, .*is {}",
        ),
        (
            StudyTerms({"a": TERMS.space["a"]}, ["minimize"], TERMS.fixed),
            r"searches `b` as .*Float.*, .* nothing",
        ),
        (StudyTerms(TERMS.space, ["minimize"], {"batch_size": "16"}), r"has `batch_size` as 8, but now it is 16\."),
    ],
)
def test_a_study_with_other_terms_is_refused(url: str, terms: StudyTerms, message: str) -> None:
    opened(url)
    with pytest.raises(SweepError, match=rf"`hydra.sweeper.study_name=name` {message}.*choose another"):
        open_study(open_storage(url), "name", terms)


def test_a_key_that_a_later_version_added_may_be_null(url: str) -> None:
    study, _ = opened(url)
    later = StudyTerms(TERMS.space, ["minimize"], {**TERMS.fixed, "code": "null"})
    assert open_study(open_storage(url), "name", later).study_name == study.study_name
    other = StudyTerms(TERMS.space, ["minimize"], {**TERMS.fixed, "code": '"mine.py"'})
    with pytest.raises(SweepError, match="has `code` as nothing"):
        open_study(open_storage(url), "name", other)


def test_a_study_created_by_another_program_is_refused(url: str) -> None:
    study = optuna.create_study(storage=open_storage(url), study_name="name")
    study.tell(started(study), 1.0)
    with pytest.raises(SweepError, match=r"`hydra.sweeper.study_name=name` was created by another program\. Trials"):
        opened(url)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", r"`hydra.sweeper.storage` must be an address like sqlite:///FILE or postgresql.*cannot be read"),
        ("oracle://u:sesame@h/d", r"`hydra.sweeper.storage=oracle://u:\*\*\*@h/d` needs a driver that is not inst"),
        ("nosuch://u:sesame@h/d", r"`hydra.sweeper.storage=nosuch://u:\*\*\*@h/d` cannot be reached \(NoSuchModule"),
        ("postgresql://u:sesame@127.0.0.1:1/d", r"//u:\*\*\*@127.0.0.1:1/d` cannot be reached \(Operational"),
        (
            "sqlite:////proc/nowhere/study.db",
            r"`hydra.sweeper.storage=sqlite:////proc/nowhere/study.db` cannot be used .No such file",
        ),
        ("postgresql://127.0.0.1:1/d?user=u&password=sesame", r"1/d\?password=\*\*\*&user=u` cannot be reached \(Op"),
    ],
)
def test_a_storage_that_cannot_be_reached_is_one_message_without_the_password(url: str, message: str) -> None:
    with pytest.raises(SweepError, match=message) as raised:
        open_storage(url)
    assert "sesame" not in str(raised.value)
    assert raised.value.__suppress_context__
    assert "sesame" not in shown_url(url)


def test_the_dashboard_command_names_the_driver_and_hides_the_password() -> None:
    command = dashboard_command("postgresql://u:sesame@h/d")
    assert "postgresql+psycopg://u:***@h/d" in command and "sesame" not in command
    command = dashboard_command("postgresql://h/d?sslpassword=open&password=sesame&passfile=.pgpass")
    assert "sesame" not in command and "=open" not in command
    assert "password=***" in command and "passfile=.pgpass" in command and "(your password in place of ***)" in command
    assert dashboard_command("sqlite:////x/study.db").startswith("optuna-dashboard sqlite:////x/study.db (pip")


@pytest.mark.more
def test_several_processes_may_create_one_study_at_the_same_moment(tmp_path: Path) -> None:
    code = (
        "import sys; from brainage.sweep.storage import StudyTerms, open_storage, open_study\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "open_study(open_storage(sys.argv[1]), 'name', StudyTerms({}, ['minimize'], {}))"
    )
    words = [sys.executable, "-c", code, f"sqlite:///{tmp_path / 'study.db'}"]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(3)]
    assert [process.stdout.readline() for process in processes if process.stdout] == ["ready\n"] * 3
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    errors = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 3, errors


def test_a_space_is_described_by_the_same_text_in_any_order() -> None:
    assert list(SPACE.described()) == sorted(SPACE.distributions)
