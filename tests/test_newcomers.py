"""What newcomers copy from the front page and from the page on Python, run in an empty folder."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainage.commands.simulate import main as simulate
from tests.conftest import ROOT, run_command
from tests.test_docs import commands, fenced

# Sizes that a test can afford, for each command of the front page.
SMALL = {
    "train": ["cohort.n_participants=60", "trainer.max_epochs=1", "batch_size=16", "report.n_resamples=100"],
    "predict": ["report.n_resamples=100"],
    "check": [],
}


def widened(tree: Path) -> Path:
    """Write 100 components in place of 25 into the files of a simulated tree."""
    for file in tree.rglob("*_timeseries.tsv"):
        series = np.loadtxt(file, skiprows=int("c" in file.read_text()[:40]))
        noise = np.random.default_rng(0).normal(size=series.shape)
        np.savetxt(file, np.hstack([series + shift * noise for shift in range(4)]), delimiter="\t")
    return tree


@pytest.mark.more
def test_the_three_commands_of_the_front_page(tmp_path: Path) -> None:
    for layout in ("bids", "xcpd"):
        assert simulate(["--layout", layout, "--out", str(tmp_path / layout), "--participants", "40"]) == 0
    places = {"/data/other": str(widened(tmp_path / "bids")), "/data/xcpd": str(tmp_path / "xcpd")}
    first = {}
    for words in commands(ROOT / "README.md"):
        first.setdefault(words[0], words)
    folder = tmp_path / "empty"
    folder.mkdir()
    run = ""
    for name in ("train", "predict", "check"):
        words = [re.sub(r"outputs/train/\S+", run, word) for word in first[name]]
        for old, new in places.items():
            words = [word.replace(old, new) for word in words]
        ended = run_command(folder, "-m", "brainage", *words, *SMALL[name])
        assert ended.code == 0, ended.text
        if name == "train":
            run = str(next(folder.glob("outputs/train/*/*/report.html")).parent)
            assert str(Path(run).relative_to(folder)) in ended.out.splitlines()[-1]
    assert len(pd.read_csv(next(folder.glob("outputs/predict/**/predictions.csv")))) == 40
    own = ("-m", "brainage", "train", "--config-dir", "my_study", "experiment=mine", "hydra.run.dir=mine")
    ended = run_command(folder, *own, "trainer.max_epochs=1")
    assert ended.code == 0, ended.text
    assert (folder / "mine" / "report.html").is_file()


# What a reader has before each block of the page, in a notebook with files of their own.
BEFORE = {
    "A run": "",
    "New participants": """
import numpy as np, subprocess, sys
export = ["-m", "brainage", "bundle", "export", "--run", run.folder, "--out", "brain-age-ica25"]
subprocess.run([sys.executable, *export], check=True)
rng = np.random.default_rng(0)
series, ages = [rng.normal(500, 20, (600, 25)) for _ in range(4)], [50.0, 61.0, 67.0, 72.0]
""",
    "Any table of predictions": """
import pandas as pd
table = pd.DataFrame({"age": rng.uniform(45, 80, 80), "sex": ["M", "F"] * 40, "grip_strength": rng.normal(size=80)})
table["predicted_age"] = 20 + 0.7 * table["age"] + table["grip_strength"] + rng.normal(size=80)
table["diagnosis"] = ["case"] * 20 + ["control"] * 60
run.predictions.to_csv("predictions.csv", index=False)
pd.DataFrame({"participant_id": "sub-" + run.predictions["participant_id"], "group": "a"}).to_csv(
    "participants.tsv", sep="\\t", index=False)
""",
    "scikit-learn": """
X, y = rng.normal(size=(40, 4, 60)), rng.uniform(45, 80, 40)
""",
}
AFTER = """
assert len(bundle.predict(series, ages=ages, t_r=0.735)) == 4
assert found.associations.table.set_index("variable").loc["grip_strength", "r"] > 0.2
merged = participants.merge(ba.read_predictions("predictions.csv", ids="bids"), on="participant_id")
assert len(merged) == len(run.predictions) == 200
"""


@pytest.mark.more
def test_the_page_on_python_runs_as_a_script(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    sections = {part.partition("\n")[0]: part for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]}
    assert set(sections) == set(BEFORE)
    script = ""
    for name, section in sections.items():
        blocks = re.findall(r"^```python\n(.*?)^```$", section, flags=re.DOTALL | re.MULTILINE)
        script += BEFORE[name] + "".join(blocks).replace("max_epochs=50", "max_epochs=2")
    assert len(fenced("python.md", "python")) == 5
    (tmp_path / "notebook.py").write_text(script + AFTER)
    ended = run_command(tmp_path, "notebook.py", PYTHONPATH=str(ROOT))
    assert ended.code == 0, ended.text
    assert "Traceback" not in ended.err
