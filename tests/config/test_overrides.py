"""Overrides as users type them, for Hydra's grammar."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, QuotedString

from brainage.config.commands.predict import PredictCommandConfig
from brainage.config.groups.split import FixedSplitConfig
from brainage.config.overrides import as_overrides, quote_words
from brainage.runs.read import run_folders

HOME = str(Path.home())


def plain(value: Any) -> Any:
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value.text if isinstance(value, QuotedString) else value


def parsed(word: str, *others: str) -> Any:
    value = OverridesParser.create().parse_override(quote_words([word, *others])[0]).value()
    return tuple(plain(value.list)) if isinstance(value, ChoiceSweep) else plain(value)


@pytest.mark.parametrize(
    "key",
    ["cohort.root", "cohort.phenotypes", "cohort.exclude_ids", "split.file", "store.root", "resume", "run", "bundle",
     "predictions", "hydra.run.dir", "hydra.sweep.dir", "+cohort.folder", "++cohort.root", "code"],
)  # fmt: skip
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("~/data", f"{HOME}/data"),
        ("müller/Größe", "müller/Größe"),
        ("a[1]", "a[1]"),
        ("a (1)/b", "a (1)/b"),
        ("it's", "it's"),
        ("a=b&c", "a=b&c"),
        ("${oc.env:HOME}/ü", "${oc.env:HOME}/ü"),
        ("plain/folder", "plain/folder"),
        ("C:\\data\\ü\\", "C:\\data\\ü\\"),
    ],
)
def test_a_path_is_the_text_that_the_user_typed(key: str, given: str, expected: str) -> None:
    assert parsed(f"{key}={given}") == expected


@pytest.mark.parametrize("given", ["2024_01_15", "1e5", "17", "true", "a,b", "'~/x'", '"~/x"'])
def test_a_path_that_hydra_would_read_as_something_else_is_text(given: str) -> None:
    expected = given.strip("'\"").replace("~", HOME)
    assert parsed(f"hydra.run.dir={given}") == expected
    assert parsed(f"cohort.root={expected}", "--config-dir=x") == expected


def test_commas_separate_paths_in_lists_and_in_multiruns() -> None:
    assert parsed("runs=[~/a,b[1],ü,c]") == [f"{HOME}/a", "b[1]", "ü", "c"]
    assert parsed("cohort.root=~/a,ü", "--multirun") == (f"{HOME}/a", "ü")
    assert parsed("cohort.root=choice(~/a,b[1],null)", "--multirun") == (f"{HOME}/a", "b[1]", None)
    assert parsed("cohort.root=a,b", "-m") == ("a", "b")
    assert parsed("cohort.root=a,b", "experiment=grid") == ("a", "b")
    assert parsed("associations.variables=[Größe,age]") == ["Größe", "age"]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("cohort.include=age < 70", "cohort.include='age < 70'"),
        ("hydra.sweeper.over=split.fold=0,1,2", "hydra.sweeper.over='split.fold=0,1,2'"),
        ("hydra.sweeper.over='seed=1,2'", "hydra.sweeper.over='seed=1,2'"),
        ("hydra.sweeper.over=null", "hydra.sweeper.over=null"),
        ("cohort.pattern=ica{dimension}/{participant_id}.npy", "cohort.pattern='ica{dimension}/{participant_id}.npy'"),
        ("cohort.pattern={participant_id}_{dimension}.txt", "cohort.pattern='{participant_id}_{dimension}.txt'"),
        ("cohort.member=a/{dimension}.txt", "cohort.member='a/{dimension}.txt'"),
        ("cohort.include=site in ['a', 'b'], 3", r"cohort.include='site in [\'a\', \'b\'], 3'"),
        ("model=null", "model='null'"),
        ("optimizer=3", "optimizer='3'"),
    ],
)
def test_texts_that_hydra_cannot_read_are_quoted(word: str, expected: str) -> None:
    assert quote_words([word, "--multirun"]) == [expected, "--multirun"]


@pytest.mark.parametrize(
    "word",
    ["model.kernel_size=3,5", "cohort.root=null", "resume=a/b", "~model", "--config-dir=~/ü", "runs=[a,'b c']",
     "optimizer.lr=tag(log,interval(0", "model.depth=range(1,", "runs=['~ü',ä]", "wrong key=ü", "seed=1",
     'cohort.pattern="{participant_id}.txt"'],
)  # fmt: skip
def test_other_words_are_left_to_hydra(word: str) -> None:
    assert quote_words([word]) == [word]


def test_quoted_words_stay_as_they_are() -> None:
    words = quote_words(["cohort.root=~/ü", "runs=[~/a,ü]", "hydra.run.dir=2024_01_15", "model=null"])
    assert quote_words(words) == words


def test_the_home_folder_may_be_named_in_a_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert FixedSplitConfig(file="~/parts.csv").file == f"{HOME}/parts.csv"
    assert PredictCommandConfig(run="~/run", cohort={"name": "mine"}).run == f"{HOME}/run"
    assert run_folders(["~/a", "~/b"]) == [Path.home() / "a", Path.home() / "b"]


@pytest.mark.parametrize("value", [None, "null", "ü", "~/a", "a[1]", "a\\", "a,b", "7", "it's", "True", 3, 0.1, False])
def test_values_pass_hydras_grammar_unchanged(value: object) -> None:
    found = plain(OverridesParser.create().parse_override(as_overrides({"a.b": value})[0]).value())
    assert found == value and type(found) is type(value)
