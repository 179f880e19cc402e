"""The steps of the study and their commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
from omegaconf import DictConfig

from brainage.config.hydra import parse
from brainage.errors import ImpossibleArchitectureError
from brainage.models import geometry
from brainage.study.overrides import checked_overrides
from brainage.study.plan import SIZES, STAGES, study_steps
from tests.conftest import ROOT


def test_every_experiment_of_the_three_stages_is_a_step() -> None:
    for stage, names in STAGES.items():
        assert {path.stem for path in (ROOT / "experiments" / stage).glob("*.yaml")} == set(names)


@pytest.mark.parametrize(("depth", "feasible"), [(2, True), (3, True), (5, True), (6, False), (8, False)])
def test_of_the_grid_over_depth_the_last_two_are_infeasible(
    depth: int, feasible: bool, composed: Callable[..., DictConfig]
) -> None:
    config = parse(composed("experiment=manual_search/depth", f"model.depth={depth}"))
    with nullcontext() if feasible else pytest.raises(ImpossibleArchitectureError, match=f"depth={depth}"):
        geometry.check(config.model_value("name"), config.model)


def test_the_number_of_participants_is_set_only_for_a_simulated_cohort_without_one(tmp_path: Path) -> None:
    def cohort(*overrides: str) -> list[str]:
        return [word for word in study_steps("full", tmp_path, overrides)[0].words if word.startswith("cohort")]

    assert cohort() == ["cohort.n_participants=5902"]
    assert cohort("cohort.n_participants=70") == ["cohort.n_participants=70"]
    assert cohort("cohort=bids", "cohort.root=x") == ["cohort=bids", "cohort.root=x"]


def test_a_step_is_started_and_continued_in_its_folder(tmp_path: Path) -> None:
    out = tmp_path / "a b"  # quoted for Hydra's grammar
    steps = {step.label: step for step in study_steps("full", out, ["seed=1"])}
    grid, sweep, final = (
        steps[label] for label in ("manual_search/depth", "hyperparameter_sweep/ica25_all", "final_models/ica25")
    )
    shared = ["cohort.n_participants=5902", "seed=1"]
    assert grid.command() == [
        *("train", "--multirun", "experiment=manual_search/depth", *shared),
        f"hydra.sweep.dir='{grid.folder}'",
    ]
    assert grid.can_continue() and sweep.can_continue()  # by the same command
    assert final.command() == ["train", "experiment=final_models/ica25", *shared, f"hydra.run.dir='{final.folder}'"]
    assert not final.can_continue()
    (final.folder / "checkpoints").mkdir(parents=True)
    (final.folder / "checkpoints" / "last.ckpt").touch()
    assert final.can_continue() and final.command() == ["train", f"resume='{final.folder}'"]
    comparison = steps["comparison/ica25_ica100"]
    assert comparison.command() == [
        "compare",
        f"runs=['{out}/final_models/ica25','{out}/final_models/ica100']",
        f"hydra.run.dir='{out}/comparison'",
    ]
    assert not comparison.can_continue()


def test_a_final_model_has_results_once_its_training_finished(tmp_path: Path) -> None:
    final = study_steps("full", tmp_path, [])[8]
    final.folder.mkdir(parents=True)
    assert not final.has_result()
    for status in ("interrupted", "finished"):
        final.result.write_text(json.dumps({"status": status}))
        assert final.has_result() == (status == "finished")


def test_a_size_describes_what_it_reduces() -> None:
    small = SIZES["small"].description("small")
    assert "600 participants" in small and "stage 3 with trainer.max_epochs=20 batch_size=32" in small
    assert "5,902 participants" in SIZES["full"].description("full")


def test_settings_of_the_queue_reach_every_training_and_those_of_sweeps_only_sweeps(tmp_path: Path) -> None:
    queue, storage = "hydra/launcher=submitit_slurm", "hydra.sweeper.storage=${oc.env:STUDY_STORAGE}"
    words = checked_overrides([queue, "hydra.launcher.partition=gpu", storage, "hydra.sweeper.n_workers=4"])
    steps = study_steps("small", tmp_path, words)
    assert {step.stage for step in steps if queue not in step.words} == {"comparison"}
    assert {step.stage for step in steps if any("hydra.sweeper.storage" in word for word in step.words)} == {
        "hyperparameter_sweep"
    }
