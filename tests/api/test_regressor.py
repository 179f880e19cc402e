"""The estimator follows scikit-learn's rules."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score

import brainage as ba
from brainage.errors import SeriesError

RNG = np.random.default_rng(5)
Y = RNG.uniform(20, 80, 30)
# The first channel oscillates faster in older participants.
TIMES = np.arange(40)
X = RNG.standard_normal((30, 3, 40))
X[:, 0] = np.sin(TIMES * (0.2 + Y[:, None] / 100)) * 50 + 7


def small(**changes: object) -> ba.BrainAgeRegressor:
    return ba.BrainAgeRegressor(**{"depth": 1, "max_epochs": 3, "batch_size": 8, **changes})


def test_it_learns_and_its_constructor_s_arguments_stay_as_they_are() -> None:
    model = small(max_epochs=40, lr=0.01)
    before = model.get_params()
    assert model.fit(X, Y) is model
    assert model.get_params() == before
    assert model.predict(X).shape == (30,)
    assert model.score(X, Y) > 0.5
    assert (model.n_channels_, model.n_times_) == (3, 40)
    assert 0 <= model.best_epoch_ < model.n_epochs_ <= 40


def test_a_clone_has_the_arguments_and_is_not_fitted() -> None:
    model = small(kernel_size=3).fit(X, Y)
    copied = clone(model)
    assert copied.get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        copied.predict(X)
    assert copied.set_params(kernel_size=4, lr=0.1).get_params()["lr"] == 0.1
    with pytest.raises(ValueError, match="Invalid parameter"):
        copied.set_params(kernels=4)


def test_refits_are_equal_and_other_seeds_are_not() -> None:
    first, second, other = (small(random_state=seed).fit(X, Y).predict(X) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert not np.allclose(first, other)


def test_units_do_not_matter_and_pickling_keeps_the_network() -> None:
    model = small().fit(X, Y)
    np.testing.assert_allclose(model.predict(X * 1000 - 3), model.predict(X), rtol=1e-4)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))


def test_it_is_cross_validated_and_searched() -> None:
    assert cross_val_score(small(), X, Y, cv=2).shape == (2,)
    search = GridSearchCV(small(), {"kernel_size": [3, 5]}, cv=2).fit(X, Y)
    assert search.best_params_["kernel_size"] in (3, 5)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (X[0], Y, r"must have the shape \(n_participants, n_channels, n_times\), but has \(3, 40\)"),
        (np.where(X > 50, np.nan, X), Y, "must be finite"),
        (X, Y[:-1], "`y` must have 30 finite ages"),
        (X, np.where(Y > 50, np.inf, Y), "`y` must have 30 finite ages"),
        (X[:2], Y[:2], "at least 3 participants"),
    ],
)
def test_unusable_input_is_a_value_error(x: np.ndarray, y: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small().fit(x, y)


def test_a_constant_channel_is_named_by_its_position() -> None:
    constant = X.copy()
    constant[4, 1] = 3.0
    with pytest.raises(SeriesError, match=r"1 of 30 series cannot be used: number 4: constant component: number 2"):
        small().fit(constant, Y)


def test_new_series_have_the_fitted_shape() -> None:
    with pytest.raises(ValueError, match=r"3 channels and 40 time points, as in fit, but has shape \(30, 2, 40\)"):
        small().fit(X, Y).predict(X[:, :2])


def test_a_readout_of_all_time_points_predicts_series_of_other_lengths() -> None:
    model = small(readout="global_average_sd").fit(X, Y)
    network = model.network_
    z_scored = (X - X.mean(axis=2, keepdims=True)) / X.std(axis=2, keepdims=True)
    shorter = z_scored[:, :, :30] - z_scored[:, :, :30].mean(axis=2, keepdims=True)
    shorter /= shorter.std(axis=2, keepdims=True)
    expected = network(torch.from_numpy(shorter.astype(np.float32)))[:, 0].detach().numpy()
    np.testing.assert_allclose(model.predict(X[:, :, :30]), expected, rtol=1e-4)
    with pytest.raises(
        ValueError, match="the sequence of 5 time points runs out in layer 1, whose readout needs 2 points"
    ):
        model.predict(X[:, :, :5])
