"""Nested search: each outer fold is searched by itself, and the tuned networks are pooled."""

from __future__ import annotations

import csv
import io
import json
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml
from omegaconf import DictConfig, OmegaConf

from brainage.runs.tuned_on import warn_of_other_split
from brainage.sweep.nested import NestedSweep, outer_folds
from brainage.sweep.settings import SweepSettings
from tests.conftest import run_command

WORDS = ("sweep=own", "model=ridge_connectivity", "model.kind=correlation,partial correlation")
NESTED = ("train.py", "--multirun", *WORDS, "split=kfold", "split.fold=0,1", "split.n_folds=2")


def read(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text())))


@pytest.mark.parametrize(
    ("words", "folds", "shared"),
    [
        (["a=1,2", "split.fold=0,1"], [("split.fold=0",), ("split.fold=1",)], ("a=1,2",)),
        (["split.fold=range(2)"], [("split.fold=0",), ("split.fold=1",)], ()),
        (["split.site=NYU,'a b'"], [("split.site=NYU",), ("split.site='a b'",)], ()),
        (
            ["split.repeat=0,1", "split.fold=2,3"],
            [(f"split.repeat={repeat}", f"split.fold={fold}") for repeat in (0, 1) for fold in (2, 3)],
            (),
        ),
        (["split.fold=1", "split=kfold", "a=choice("], [], ("split.fold=1", "split=kfold", "a=choice(")),
    ],
)
def test_listed_folds_are_outer_ones_and_never_parameters(
    words: list[str], folds: list[tuple[str, ...]], shared: tuple[str, ...]
) -> None:
    assert outer_folds(words) == (folds, shared)


@pytest.mark.more
def test_each_outer_fold_is_searched_by_itself_and_the_tuned_networks_are_pooled(tmp_path: Path) -> None:
    words = (*NESTED, "cohort.n_participants=60", "hydra.sweeper.n_trials=2", "hydra.sweep.dir=nested")
    ended = run_command(tmp_path, *words)
    assert ended.code == 0, ended.text
    folder = tmp_path / "nested"
    tuned = folder / "tuned"
    assert sorted(path.name for path in folder.iterdir()) == ["fold-0", "fold-1", "tuned"]
    chosen = read(tuned / "chosen.csv")
    assert [(row["job"], row["split.fold"]) for row in chosen] == [("0", "0"), ("1", "1")]
    for number, row in enumerate(chosen):
        config = yaml.safe_load((tuned / str(number) / "config.yaml").read_text())
        assert (config["split"]["fold"], config["model"]["kind"]) == (number, row["model.kind"])
        parts = {one["participant_id"]: one["split"] for one in read(tuned / row["job"] / "splits.csv")}
        trial = folder / f"fold-{number}" / "trials" / row["trial"]
        assert not (trial / "predictions.csv").exists()  # no trial looks at the outer test participants
        best = json.loads((trial / "summary.json").read_text())
        again = json.loads((tuned / str(number) / "summary.json").read_text())
        assert again["objective"] == best["objective"]
        assert sorted(parts.values()).count("test") == 30
    page = (tuned / "report.html").read_text()
    assert "What each fold chose" in page and all(f">{row['model.kind']}</td>" in page for row in chosen)
    pooled = read(tuned / "pooled_predictions.csv")
    assert len({row["participant_id"] for row in pooled}) == len(pooled) == 60
    again = run_command(tmp_path, *words)
    assert again.code == 0, again.text
    assert again.text.count("nothing is left to do") == again.text.count("has ended before; it is kept") == 2


def test_time_is_divided_between_outer_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    timeouts = []

    def made(context: object, task: object, config: object, settings: SweepSettings, words: object) -> SimpleNamespace:
        timeouts.append(settings.timeout)
        return SimpleNamespace(url="")

    monkeypatch.setattr("brainage.sweep.nested.Sweep", made)
    config = OmegaConf.create({"hydra": {"sweep": {"dir": "a"}, "overrides": {"hydra": []}}})
    settings = SweepSettings(9, "minimize", "name", None, {}, None, timeout="1h")
    context, folds = cast(Any, None), [("split.fold=0",), ("split.fold=1",)]
    NestedSweep(context, context, config, settings, folds, ())
    assert timeouts == [1800.0, 1800.0]


def composed(
    folder: Path, split: str, cohort: str = "name: simulated\nseed: 43", over: str | None = None
) -> DictConfig:
    """Return what Hydra composes with the experiment of a sweep in `folder` that was tuned on a random split."""
    (folder / "experiment").mkdir()
    (folder / "experiment" / "best.yaml").write_text("# @package _global_\n")
    swept = {
        "hydra": {"sweeper": {"over": over}},
        "cohort": {"name": "simulated", "seed": 43},
        "split": {"name": "random", "seed": 43},
    }
    (folder / "multirun.yaml").write_text(yaml.safe_dump({**swept, "split": {**swept["split"], "n_train": None}}))
    runtime = {
        "choices": {"experiment": "best"},
        "config_sources": [{"path": str(folder), "schema": "file"}, {"path": "brainage", "schema": "pkg"}],
    }
    own = {"cohort": yaml.safe_load(cohort), "split": yaml.safe_load(split), "hydra": {"runtime": runtime}}
    return OmegaConf.create(own)


@pytest.mark.parametrize(
    ("split", "cohort", "warned"),
    [
        ("name: kfold\nseed: 43\nfold: ???", "name: simulated\nseed: 43", True),
        ("name: random\nseed: 44", "name: simulated\nseed: 43", True),
        ("name: random\nseed: 43", "name: simulated\nseed: 43", False),
        ("name: kfold\nseed: 43\nfold: 0", "name: simulated\nseed: 44", False),
    ],
    ids=["folds", "another seed", "the same split", "another cohort"],
)
def test_an_experiment_that_was_tuned_on_another_split_is_warned_of(
    split: str, cohort: str, warned: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "brainage")
    warn_of_other_split(composed(tmp_path, split, cohort))
    assert ("was tuned by a sweep on another split (split=random split.seed=43)" in caplog.text) == warned


def test_an_experiment_that_was_tuned_over_several_splits_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "brainage")
    warn_of_other_split(composed(tmp_path, "name: random\nseed: 43", over="split.seed=43,44"))
    assert "was tuned by a sweep on another split" in caplog.text
