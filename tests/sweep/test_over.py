"""Trials of several folds or seeds: their mean, and the test that ends one before its last fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from brainage.errors import SweepError
from brainage.sweep.over import Over, folder_name, is_worse, mean_summary, over_words
from brainage.sweep.space import Space
from brainage.training.pruning import is_trial, note_errors, should_prune, trial

FOLDS = ("split.fold=0", "split.fold=1", "split.fold=2")
SEEDS = ("seed=1", "seed=2", "seed=3")


@pytest.mark.parametrize(
    ("over", "words"),
    [
        (None, ()),
        ("split.fold=0,1,2", FOLDS),
        ("seed=range(1,4)", SEEDS),
        ("split.site=NYU,'a b'", ("split.site=NYU", "split.site='a b'")),
    ],
)
def test_over_names_the_trainings_of_a_trial(over: str | None, words: tuple[str, ...]) -> None:
    assert over_words(over) == words


@pytest.mark.parametrize("over", ["split.fold=0", "split.fold=0,0", "model.depth=1,2", "seed", "seed=choice(", ""])
def test_over_must_be_several_values_of_a_fold_or_seed(over: str) -> None:
    with pytest.raises(SweepError, match=r"`hydra.sweeper.over` must be two or more .* values of seed, split.fold"):
        over_words(over)


def test_over_must_not_be_of_a_key_that_has_a_value() -> None:
    with pytest.raises(SweepError, match="`hydra.sweeper.over` must be .* but `split.fold` is also on the command"):
        Space({}, ("split=kfold", "+split.fold=1")).refuse_searched(FOLDS)
    Space({}, ("split=kfold", "seed=1")).refuse_searched(FOLDS)


def test_folders_are_named_by_the_value() -> None:
    assert [folder_name(word) for word in ("split.fold=1", "seed=3", "split.site='a/b'")] == [
        "fold-1",
        "seed-3",
        "site-_a_b_",
    ]


def summary(value: float | None, status: str = "finished", **others: Any) -> dict[str, Any]:
    return {
        "status": status,
        "objective": {"value": value, "standard_error": 3.0},
        "epochs": 4,
        "seconds": {"fit": 2.0},
        "n": {"val": 30},
        "model": {"parameters": 7},
        **others,
    }


@pytest.mark.parametrize(("words", "error"), [(FOLDS[:2], 5 / 2), (SEEDS[:2], 7 / 2)])
def test_a_mean_has_the_sum_of_epochs_and_the_fewest_participants(words: Sequence[str], error: float) -> None:
    """Folds are independent, seeds have the same participants."""
    second = summary(4.0, n={"val": 20})
    second["objective"]["standard_error"] = 4.0
    mean = mean_summary([summary(1.0), second], words)
    assert mean["objective"] == {"value": 2.5, "standard_error": pytest.approx(error)}
    assert (mean["epochs"], mean["seconds"], mean["n"]) == (8, {"fit": 4.0}, {"val": 20})
    assert (mean["status"], mean["model"], mean["best_epoch"]) == ("finished", {"parameters": 7}, None)


class Runs:
    """Stands for training: each run has its mean error, participants differ by 0.5, and each reports one epoch."""

    def __init__(self, *means: float | None) -> None:
        self._means, self.words, self.pruner = iter(means), [], []  # type: ignore[var-annotated]

    def __call__(self, word: str = "") -> Mapping[str, Any]:
        self.words.append(word)
        self.pruner.append(is_trial() and should_prune(0, 1.0))
        mean = next(self._means)
        if mean is None:
            return summary(None, "failed")
        note_errors(mean + 0.5 * np.linspace(-1, 1, 20))
        return summary(mean)


@pytest.mark.parametrize("words", [FOLDS, SEEDS])
@pytest.mark.parametrize(
    ("first", "second", "n_run", "status"),
    [
        ((9.0, 9.0, 9.0), (9.5, 9.0, 9.0), 1, "pruned"),
        ((9.0, 9.0, 9.0), (9.0, 9.4, 8.0), 2, "pruned"),
        ((9.0, 9.0, 9.0), (8.9, 9.0, 9.9), 3, "finished"),  # the last fold ends it anyway
        ((9.0, None), (9.9, 9.0, 9.0), 3, "finished"),  # there is no complete trial to compare with
    ],
)
def test_a_trial_ends_at_the_fold_where_its_participants_errors_are_larger(
    words: Sequence[str], first: Sequence[float | None], second: Sequence[float], n_run: int, status: str
) -> None:
    over, runs = Over(words, maximize=False), Runs(*second)
    over.train(Runs(*first), prunes=True)
    with trial(lambda epoch, loss: True):
        found = over.train(runs, prunes=True)
    assert runs.words == list(words[:n_run])
    assert found["status"] == status
    assert found["objective"]["value"] == pytest.approx(np.mean(second[:n_run]))
    assert runs.pruner == [True, False, False][:n_run]  # epochs of the first fold only are compared with other trials
    assert Over(words, maximize=False).train(Runs(*second), prunes=False)["status"] == "finished"


def test_a_trial_without_several_trainings_is_one_run() -> None:
    runs = Runs(3.0)
    assert Over((), maximize=False).train(runs, prunes=True)["objective"]["value"] == 3.0
    assert runs.words == [""]


def test_one_fold_that_fails_fails_the_trial() -> None:
    assert Over(FOLDS, maximize=False).train(Runs(9.0, None), prunes=True)["status"] == "failed"


def test_errors_are_compared_in_pairs() -> None:
    """Between participants they vary by far more than the trials differ."""
    rng = np.random.default_rng(1)
    best = rng.exponential(20, 60)
    assert is_worse(best + 0.1 + rng.normal(0, 0.1, 60), best)
    assert not is_worse(best + rng.normal(0, 5, 60) - 1, best)
    assert not is_worse(best, best)
