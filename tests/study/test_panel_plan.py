"""The plan of a panel: its models, and what is refused before anything is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from brainage.commands.panel import main
from brainage.study.panel_plan import Panel, choose_models, read_models

MINE = "mine: model=variable1dcnn model.kernel_size=3"


@pytest.mark.parametrize(
    ("words", "facts"),
    [
        (["--models", "ridge"], ["`--models` got 'ridge'", "Choose one of covariance1dcnn, "]),
        (["--reference", "site"], ["`--reference` got 'site'", "--panel FILE"]),
        (["--panel", "none.yaml"], ["`--panel none.yaml`", "does not exist"]),
        (["--config-dir", "none"], ["`--config-dir none`", "does not exist"]),
        (["model=mean_age"], ["`model=mean_age` cannot be given to a panel", "--panel FILE"]),
        (["split.seed=3"], ["`split.seed=3` cannot be given to a panel", "--splits"]),
        (["seed=1,2"], ["`seed=1,2` cannot be given to a panel"]),
        (["batch_size=8,16"], ["one value for all trainings of a panel"]),
        (["cohort.n_participant=100"], ["model ridge_features: ", "cohort.n_participant"]),
        (["cohort.include=participant_id != 'planted07'"], ["must not name participants"]),
    ],
)
def test_mistakes_are_one_message_before_anything_is_written(
    words: list[str], facts: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--out", str(tmp_path / "panel"), *words]) == 2
    message = capsys.readouterr().err
    assert all(fact in message for fact in facts), message
    assert message.count("\n") == 1 and "planted07" not in message
    assert not (tmp_path / "panel").exists()


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("", "has none"),
        ("- model=mean_age", "has none"),
        ("a/b: model=mean_age", "letters, digits and _ only, but has 'a/b'"),
        ("mine: 3", "has 'mine': 3"),
        ("mine: [", "cannot be read"),
        ("mine: model=mean_age split.seed=4", "model mine: `split.seed=4` cannot be given to one model of a panel"),
        ("mine: model=mean_age cohort.seed=4", "on the same participants"),
        ("mine: model=mean_age model.depth=3,4", "one value"),
        ("mine: model=simple", "model mine: "),
        ("mine: model='simple", "model mine: `model='simple` must be words of a command line"),
    ],
)
def test_a_file_with_a_mistake_is_refused_by_what_is_wrong_in_it(
    text: str, fact: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    words = ["--panel", str(tmp_path / "mine.yaml"), "--models", "mine", "--reference", "mine"]
    assert main(["--out", str(tmp_path / "panel"), *words]) == 2
    assert fact in capsys.readouterr().err
    assert not (tmp_path / "panel").exists()


def test_every_model_is_trained_on_the_same_splits_and_networks_with_several_seeds(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(MINE)
    models = choose_models("mine,mean_age", tmp_path / "mine.yaml", "ridge_connectivity")
    panel = Panel(models, "full", 10, 2, ["recipe=none"])
    steps = {step.name: step for step in panel.steps(tmp_path)}
    assert list(steps) == ["ridge_connectivity", "mine", "mean_age"]
    grid = "split.seed=range(10)"
    assert steps["mine"].words == (
        *("train", "--multirun", "cohort.n_participants=2000", "recipe=none", "model=variable1dcnn"),
        *("model.kernel_size=3", grid, "seed=range(43,45)"),
    )
    assert steps["mean_age"].words[-2:] == (grid, "seed=range(43,44)")
    # A model that this cohort's table has no columns for is no failure; the reference has to work.
    assert steps["mean_age"].accepted == ("CohortError", "ConfigError") and steps["ridge_connectivity"].accepted == ()


def test_a_models_own_override_replaces_the_one_of_all(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(f"{MINE} recipe=published batch_size=7")
    panel = Panel(choose_models("mine", tmp_path / "mine.yaml", "mean_age"), "small", 2, 1, ["batch_size=5"])
    words = panel.words("mine")
    assert [word for word in words if word.startswith(("batch_size", "recipe"))] == ["batch_size=7", "recipe=published"]


def test_the_models_of_the_project_are_named_by_their_overrides() -> None:
    models = read_models()
    assert {"mean_age", "ridge_connectivity", "ridge_motion", "simple1dcnn", "variable1dcnn"} <= models.keys()
    assert len(set(models.values())) == len(models)


@pytest.mark.more
def test_a_network_of_ones_own_is_composed_from_ones_own_folder(tmp_path: Path) -> None:
    own = tmp_path / "own"
    (own / "model").mkdir(parents=True)
    (own / "panel_own.py").write_text("from torch import nn\n\n\nclass PanelOwn(nn.Module):\n    pass\n")
    (own / "model" / "panel_own.yaml").write_text("# Mine.\nname: panel_own\noutput_bias: mean_age\nwidth: 3\n")
    (own / "panel.yaml").write_text("mine: model=panel_own model.width=8\n")
    models = choose_models("mine", own / "panel.yaml", "mean_age")
    panel = Panel(models, "small", 2, 2, [f"code={own / 'panel_own.py'}"], own)
    step = panel.steps(tmp_path / "out")[1]
    assert step.words[:4] == ("train", "--multirun", "--config-dir", str(own))
    assert "model.width=8" in step.words and "seed=range(43,45)" in step.words  # a network
