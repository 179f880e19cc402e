"""What commands answer before anything else."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT, Command


@pytest.mark.parametrize("name", ["compare", "report", "predict", "explain"])
def test_a_commands_help_has_every_key_of_its_config(name: str, command: Command) -> None:
    ended = command(f"{name}.py", "--help")
    assert ended.code == 0 and not ended.err
    keys = set(yaml.safe_load((ROOT / "configs" / f"{name}.yaml").read_text())) - {"defaults", "hydra"}
    assert all(f"\n  {key}:" in ended.out for key in keys)
    assert f"python {name}.py " in ended.out and f"outputs/{name}/" in ended.out
    assert ("  bids " in ended.out) == (name in ("predict", "explain"))


@pytest.mark.parametrize("script", ["train.py", "compare.py", "report.py", "predict.py", "explain.py"])
def test_a_folder_without_a_key_is_answered_with_an_example(script: str, command: Command) -> None:
    ended = command(script, "outputs/first")
    assert ended.code == 2
    assert f"`outputs/first` must be KEY=VALUE, but has no `=`. For example: python {script} " in ended.err


def test_words_of_flags_and_deletions_need_no_value(command: Command) -> None:
    flags = ("--config-dir", str(ROOT / "configs"), "--cfg", "job", "--package", "optimizer")
    ended = command("train.py", *flags, "optimizer.lr=0.25", "~scheduler")
    assert ended.code == 0, ended.text
    assert yaml.safe_load(ended.out)["lr"] == 0.25


@pytest.mark.parametrize("logging", ["none", "disabled", "stdout"])
@pytest.mark.parametrize("script", ["train.py", "report.py"])
@pytest.mark.more
def test_hydras_own_choices_of_logging_work(script: str, logging: str, command: Command, tmp_path: Path) -> None:
    wrong = {"train.py": "optimizer.lr=-1", "report.py": "predictions=~/müller[1].csv"}[script]
    ended = command(script, f"hydra/job_logging={logging}", wrong, "hydra.run.dir=2024_01_15")
    assert ended.code == 2 and ended.err.startswith("error: ") and "Traceback" not in ended.text
    expected = "`optimizer.lr` must be a number above 0" if script == "train.py" else f"{Path.home()}/müller[1].csv"
    assert expected in ended.err
    assert not list(tmp_path.rglob("*.log"))
