"""A query that names somebody is refused, however it comes in, and is in nothing that is left or said."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from brainage.commands.simulate import main
from tests.conftest import Command, every, every_third

QUERY = "eid != 7654321"

EXPERIMENTS = {
    "query": f"""\
# @package _global_
cohort:
  include: "{QUERY}"
""",
    "grid": f"""\
# @package _global_
hydra:
  mode: MULTIRUN
  sweeper:
    params:
      cohort.include: "'{QUERY}'"
""",
}


@pytest.mark.parametrize(
    ("words", "code"),
    every(
        5,
        [
            ((f"cohort.include={QUERY}",), 2),
            ((f"++cohort.include='{QUERY}'",), 2),
            ((f"cohort={{include: '{QUERY}'}}",), 2),
            (("sweep=variable1dcnn", f"cohort.include={QUERY}"), 2),
            (("resume=run", f"cohort.include={QUERY}"), 2),
            (("--multirun", "seed=1,2", f"cohort.include={QUERY}"), 2),
            (("--multirun", "sweep=variable1dcnn", f"cohort.include={QUERY}"), 2),
            (("--config-dir", "mine", "experiment=query"), 2),
            (("--config-dir", "mine", "experiment=grid"), 2),
            (("--config-dir", "mine", "--multirun", "experiment=query,demo", "trainer.max_epochs=0"), 1),
        ],
    ),
)
def test_it_is_nowhere(words: tuple[str, ...], code: int, command: Command, tmp_path: Path) -> None:
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    for name, text in EXPERIMENTS.items():
        (tmp_path / "mine" / "experiment" / f"{name}.yaml").write_text(text)
    ended = command("train.py", *words, "trainer=cpu")
    assert ended.code == code, ended.text
    assert "`cohort.include` must not name participants or families" in ended.text
    assert "7654321" not in ended.text
    left = [path for path in tmp_path.rglob("*") if path.is_file() and tmp_path / "mine" not in path.parents]
    assert not [path for path in left if b"7654321" in path.read_bytes()]


SECOND = "IID != 7654321"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree with a second column of ids."""
    folder = tmp_path_factory.mktemp("tree")
    assert main(["--layout", "bids", "--out", str(folder), "--participants", "24"]) == 0
    table = pd.read_csv(folder / "participants.tsv", sep="\t", dtype="str")
    table["IID"] = [str(7654321 + 31 * number) for number in range(len(table))]
    table.to_csv(folder / "participants.tsv", sep="\t", index=False)
    return folder


@pytest.mark.parametrize(
    ("words", "code"),
    every_third(
        [
            (("train.py", f"cohort.include={SECOND}", "logger=tensorboard"), 2),
            (("train.py", "--multirun", "seed=1,2", f"cohort.include={SECOND}"), 2),
            (("train.py", "--multirun", "sweep=variable1dcnn", f"cohort.include={SECOND}"), 2),
            (("train.py", "--multirun", f"cohort.include='age > 0','{SECOND}'", "trainer.max_epochs=1"), 2),
            (("predict.py", "bundle=bundle", f"cohort.include={SECOND}"), 2),
            (("-m", "brainage", "study", "--out", "study", f"cohort.include={SECOND}"), 2),
        ]
    ),
    ids=["train", "grid", "sweep", "one job of a grid", "predict", "study"],
)
def test_a_second_id_is_nowhere(
    words: tuple[str, ...], code: int, tree: Path, command: Command, tmp_path: Path
) -> None:
    place = ("cohort=bids", f"cohort.root={tree}")
    if words[0] == "predict.py":
        made = command("train.py", *place, "trainer=cpu", "batch_size=8", "trainer.max_epochs=1", "hydra.run.dir=run")
        assert made.code == 0, made.text
        words = tuple(word.replace("bundle=bundle", "run=run") for word in words)
    ended = command(
        *words, *place, *([] if words[0] == "predict.py" or "study" in words else ["trainer=cpu", "batch_size=8"])
    )
    assert ended.code == code, ended.text
    assert "`cohort.include` must not name participants, but compares column `IID`" in ended.text
    assert "7654321" not in ended.text
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in left if b"7654321" in path.read_bytes()]
