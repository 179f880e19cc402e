"""Bundles of runs: exported with a user's own network, and read with the dependencies of prediction only."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from brainage.commands.bundle import main
from brainage.config import code
from brainage.trained.load import read_trained
from tests.conftest import FAST, ROOT, run_command, train_here

BLOCKED = ("pytorch_lightning", "lightning_fabric", "optuna", "wandb", "captum")

PREDICT = f"""
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {BLOCKED!r}:
            raise ImportError(f"blocked: {{name}}")

sys.meta_path.insert(0, Blocker())
sys.argv = ["brainage", "predict", *sys.argv[1:]]
from brainage.__main__ import main
sys.exit(main())
"""


@pytest.mark.more
def test_a_bundle_predicts_without_lightning_optuna_wandb_or_captum(tmp_path: Path) -> None:
    bundle = ROOT / "tests" / "written_at_2a22c97" / "bundles" / "finished"
    words = (f"bundle={bundle}", "cohort=simulated", "cohort.n_participants=6", "hydra.run.dir=new")
    ended = run_command(tmp_path, "-c", PREDICT, *words, PYTHONPATH=str(ROOT))
    assert ended.code == 0, ended.text
    with (tmp_path / "new" / "predictions.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 6


OWN = """
import torch

class OwnNetworkOfATest(torch.nn.Module):
    def __init__(self, in_channels, n_times):
        super().__init__()
        self.last = torch.nn.Linear(in_channels * n_times, 1)

    def forward(self, series):
        return self.last(series.flatten(1))
"""


@pytest.mark.more
def test_a_users_own_network_is_exported_with_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "own_network_of_a_test.py"
    file.write_text(OWN)
    monkeypatch.setattr(code, "_LOADED", [])
    code.load_code(str(file), [f"code={file}"])
    model = "+model={name: OwnNetworkOfATest, output_bias: zero, in_channels: 21, n_times: 490}"
    run = train_here(tmp_path / "run", *FAST, "~model", model)

    monkeypatch.setattr(code, "_LOADED", [])
    export = ["export", "--run", str(run), "--out", str(tmp_path / "bundle")]
    assert main(export) == 2
    assert "code=FILE" in capsys.readouterr().err
    assert main([*export, f"code={file}"]) == 0
    network = read_trained(tmp_path / "bundle", "bundle").network()
    assert type(network).__name__ == "OwnNetworkOfATest"

    words = ("-m", "brainage", "predict", "bundle=bundle", "cohort=simulated", "cohort.n_participants=12")
    refused = run_command(tmp_path, *words, "match_ids=false")
    assert refused.code == 2 and "OwnNetworkOfATest" in refused.err and "code=FILE" in refused.err, refused.text
    predicted = run_command(tmp_path, *words, "match_ids=false", f"code={file}")
    assert predicted.code == 0, predicted.text


def test_a_word_that_is_not_code_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["export", "--run", "run", "--out", "bundle", "mine.py"])
    assert "code=mine.py" in capsys.readouterr().err
