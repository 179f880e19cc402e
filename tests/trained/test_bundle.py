"""Bundles predict where only the plain dependencies of prediction can be imported."""

from __future__ import annotations

import csv
from pathlib import Path

from tests.conftest import ROOT, run_command

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


def test_a_bundle_predicts_without_lightning_optuna_wandb_or_captum(tmp_path: Path) -> None:
    bundle = ROOT / "tests" / "written_at_2a22c97" / "bundles" / "finished"
    words = (f"bundle={bundle}", "cohort=simulated", "cohort.n_participants=6", "hydra.run.dir=new")
    ended = run_command(tmp_path, "-c", PREDICT, *words, PYTHONPATH=str(ROOT))
    assert ended.code == 0, ended.text
    with (tmp_path / "new" / "predictions.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 6
