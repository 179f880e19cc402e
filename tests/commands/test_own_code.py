"""A network and a cohort of the user's own, from a folder outside the clone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Ended, run_command

NETWORK = """
from torch import nn


class Averaged(nn.Module):
    def __init__(self, *, in_channels, width):
        super().__init__()
        self.last = nn.Sequential(nn.Linear(in_channels, width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, series):
        return self.last(series.abs().mean(dim=2))
"""
READER = """
from brainage.data.cohorts.simulated import SimulatedCohort


class Mine:
    label = "my table"

    def __init__(self, *, people):
        self._cohort = SimulatedCohort(n_participants=people)

    def read_table(self, columns=()):
        return self._cohort.read_table(columns)

    def phenotype_names(self):
        return self._cohort.phenotype_names()

    def find_scans(self, participant_ids, dimension):
        return self._cohort.find_scans(participant_ids, dimension)
"""
FILES = {
    "my_study/networks.py": NETWORK,
    "my_study/readers.py": READER,
    "my_study/model/averaged.yaml": "name: Averaged\noutput_bias: zero\nin_channels: ${modality.n_channels}\nwidth: 3",
    "my_study/cohort/mine.yaml": "name: Mine\npeople: 40\n",
    "my_study/experiment/mine.yaml": (
        "# @package _global_\ndefaults:\n  - override /model: averaged\n  - override /cohort: mine\nbatch_size: 8\n"
    ),
    "my_study/experiment/sly.yaml": "# @package _global_\ncode: my_study/networks.py\n",
}
OWN = ("--config-dir", "my_study", "experiment=mine")
CODE = "code=[my_study/networks.py,my_study/readers.py]"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A user's folder."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def brainage(folder: Path, *words: str) -> Ended:
    return run_command(folder, "-m", "brainage", *words)


@pytest.mark.more
def test_own_code_trains_and_predicts_and_resumes(study: Path) -> None:
    ended = brainage(study, "train", *OWN, CODE, "trainer=cpu", "trainer.max_epochs=1", "hydra.run.dir=run")
    assert ended.code == 0, ended.text
    summary = json.loads((study / "run" / "summary.json").read_text())
    assert (summary["model"]["name"], summary["model"]["parameters"]) == ("Averaged", 21 * 3 + 3 + 3 + 1)
    assert summary["cohort"]["n_participants"] == 40

    words = (
        "predict",
        "--config-dir",
        "my_study",
        "run=run",
        "cohort=mine",
        "cohort.people=12",
        "hydra.run.dir=predicted",
    )
    ended = brainage(study, *words)
    assert ended.code == 2 and "code=FILE" in ended.err  # a run's folder loads no code
    ended = brainage(study, *words, CODE)
    assert ended.code == 0, ended.text
    assert len((study / "predicted" / "predictions.csv").read_text().splitlines()) == 13

    ended = brainage(study, "train", "resume=run", "trainer.max_epochs=2")
    assert ended.code == 2 and "code=FILE" in ended.err
    ended = brainage(study, "train", "resume=run", "trainer.max_epochs=2", CODE)
    assert ended.code == 0, ended.text
    assert json.loads((study / "run" / "summary.json").read_text())["epochs"] == 2


def test_a_config_cannot_load_code(study: Path) -> None:
    ended = brainage(study, "train", "--config-dir", "my_study", "experiment=sly")
    assert ended.code == 2
    assert "`code` must be given on the command line" in ended.err
    assert "my_study/networks.py" in ended.err


@pytest.mark.more
@pytest.mark.parametrize(
    ("code", "facts"),
    [
        ("code=absent.py", ("`code`", "absent.py")),
        ("code=no_such_module", ("`code=no_such_module`", "ModuleNotFoundError")),
        ("code=broken.py", ("`code=broken.py`", "NameError", "x")),
        ("code=torch.py", ("`code=torch.py`", "Rename")),
    ],
)
def test_code_that_cannot_be_loaded_is_one_message(code: str, facts: tuple[str, ...], study: Path) -> None:
    (study / "broken.py").write_text("x\n")
    (study / "torch.py").write_text("x = 1\n")
    # As the installed script: the folder is not on the path, and `torch` is the real one.
    start = "import sys; sys.path.pop(0); from brainage.__main__ import main; sys.exit(main(sys.argv[1:]))"
    ended = run_command(study, "-c", start, "train", code)
    assert ended.code == 2 and "Traceback" not in ended.text
    assert all(fact in ended.err for fact in facts), ended.err
    assert ended.err.count("error:") == 1
