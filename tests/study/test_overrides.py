"""Overrides of a study: what is refused before anything is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra.core.hydra_config import HydraConfig

from brainage.commands.study import main
from brainage.errors import ConfigError
from brainage.study.overrides import check_composes, checked_overrides
from brainage.study.plan import study_steps


@pytest.mark.parametrize(
    ("word", "facts"),
    [
        ("cohort.include=participant_id != 'planted07'", ["`cohort.include`", "must not name participants"]),
        ("++cohort.include=eid > 'planted07'", ["`cohort.include`", "must not name participants"]),
        ("cohort={include: 'eid > 7'}", ["`cohort.include`", "must not name participants"]),
        ("seed=1,2", ["`seed=1,2`", "one value"]),
        ("batch_size=range(8,10)", ["one value"]),
        ("modality=ica100", ["`modality=ica100`", "its experiments set"]),
        ("optimizer.lr=1e-3", ["its experiments set"]),
        ("model.depth=8", ["its experiments set"]),
        ("objective=val/r2", ["its experiments set"]),
        ("cohort.n_participant=100", ["'cohort.n_participant'"]),
        ("seed=-3", ["step manual_search/learning_rate: ", "`seed`", "-3"]),
        ("cohort=ukb", ["`cohort.phenotypes`, `cohort.root`"]),
        ("hydra.sweeper.n_trials=9", ["its experiments set"]),
        ("experiment=demo", ["its experiments set"]),
        ("nonsense", ["`nonsense`", "KEY=VALUE"]),
    ],
)
def test_overrides_that_no_training_can_have_are_refused_before_anything_is_written(
    word: str, facts: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--out", str(tmp_path / "study"), word]) == 2
    message = capsys.readouterr().err
    assert all(fact in message for fact in facts), message
    assert "planted07" not in message
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize("logger", ["tensorboard", "wandb", "[wandb,tensorboard]"])
def test_loggers_may_be_given(logger: str, tmp_path: Path) -> None:
    check_composes(study_steps("full", tmp_path, checked_overrides([f"logger={logger}"]))[:1])
    assert HydraConfig.instance().cfg is None  # composing leaves no global state


def test_several_tables_are_one_value(tmp_path: Path) -> None:
    words = checked_overrides(["cohort=ukb", "cohort.root=bulk", "cohort.phenotypes=[a.csv,b c.csv]"])
    steps = study_steps("full", tmp_path, words)[:1]
    check_composes(steps)
    assert [word for word in steps[0].command() if "phenotypes" in word] == [words[-1]]
    assert "a.csv" in words[-1] and "b c.csv" in words[-1]


@pytest.mark.parametrize(
    ("label", "word", "fact"),
    [
        ("manual_search/learning_rate", "~split", "`split` must be given"),
        ("final_models/ica100", "modality.n_times=20", "impossible"),
    ],
)
def test_a_training_that_could_not_run_is_refused_before_the_first_one(
    label: str, word: str, fact: str, tmp_path: Path
) -> None:
    steps = study_steps("full", tmp_path, checked_overrides([word]))
    with pytest.raises(ConfigError, match=f"step {label}: .*{fact}"):
        check_composes(step for step in steps if step.label == label)


def test_queries_are_quoted_for_hydra() -> None:
    assert checked_overrides(["cohort.include=age < 70", "seed=1"]) == ["cohort.include='age < 70'", "seed=1"]
