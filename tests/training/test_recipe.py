"""What a recipe says reaches the training."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import train_here

SMALL = (
    *("cohort.n_participants=60", "batch_size=16", "model.depth=1", "model.start_out=8", "trainer.max_epochs=2"),
    *("evaluate=false", "seed=3"),
)


def epochs(folder: Path, *overrides: str) -> pd.DataFrame:
    return pd.read_csv(train_here(folder, *SMALL, *overrides) / "metrics.csv")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return epochs(tmp_path_factory.mktemp("recipe") / "plain", "recipe=none")


@pytest.mark.parametrize("part", ["recipe.circular_shift=true", "recipe.cutmix=1"])
@pytest.mark.more
def test_augmented_batches_are_what_is_trained_on(part: str, plain: pd.DataFrame, tmp_path: Path) -> None:
    changed, again = (epochs(tmp_path / name, "recipe=none", part) for name in ("run", "again"))
    losses = ["train/loss", "val/loss"]
    pd.testing.assert_frame_equal(changed[losses], again[losses], check_exact=True)  # no randomness but the recipe's
    assert (changed["train/loss"] != plain["train/loss"]).all()


def test_averaged_weights_are_what_is_validated(plain: pd.DataFrame, tmp_path: Path) -> None:
    averaged = epochs(tmp_path / "run", "recipe=none", "recipe.weight_averaging=0.9")
    assert (averaged["train/loss"] == plain["train/loss"]).all()
    assert (averaged["val/loss"] != plain["val/loss"]).all()


def test_the_published_recipe_begins_at_an_age_of_zero(plain: pd.DataFrame, tmp_path: Path) -> None:
    published = epochs(tmp_path / "run", "recipe=published")
    assert plain["train/loss"][0] < 200 < 1000 < published["train/loss"][0]


@pytest.mark.more
def test_the_modern_recipe_is_the_sum_of_its_parts(tmp_path: Path) -> None:
    modern = epochs(tmp_path / "modern", "recipe=modern")
    parts = epochs(
        *(tmp_path / "parts", "recipe=none", "recipe.circular_shift=true", "recipe.cutmix=1"),
        "recipe.weight_averaging=0.98",
    )
    columns = ["train/loss", "val/loss"]
    pd.testing.assert_frame_equal(modern[columns], parts[columns], check_exact=True)
