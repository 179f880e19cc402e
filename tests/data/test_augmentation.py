import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from brainage.data.augmentation import Augmentation, Mix

N_ROWS, N_CHANNELS, N_TIMES = 9, 3, 7
ROWS = np.array([4, 0, 8, 2, 5])
AGES = torch.arange(50.0, 50.0 + len(ROWS))


@pytest.fixture
def series() -> NDArray[np.float32]:
    return np.random.default_rng(1).standard_normal((N_ROWS, N_CHANNELS, N_TIMES)).astype(np.float32)


def unmixed() -> NDArray[np.intp]:
    return np.arange(len(ROWS))


def test_a_shift_is_the_same_in_all_components(series: NDArray[np.float32]) -> None:
    starts = np.array([0, 1, 6, 3, 2])
    shifted = Mix(starts, unmixed(), N_TIMES).gather(series, ROWS)
    for one, row, by in zip(shifted, ROWS, starts, strict=True):
        np.testing.assert_array_equal(one, np.roll(series[row], -by, axis=1))


@pytest.mark.parametrize("n_kept", range(N_TIMES + 1))
def test_a_mix_is_one_shifted_series_followed_by_another(series: NDArray[np.float32], n_kept: int) -> None:
    partners = np.array([2, 0, 1, 3, 4])
    for start in range(N_TIMES):
        starts = (start + 2 * np.arange(len(ROWS))) % N_TIMES
        shifted = [np.roll(series[row], -by, axis=1) for row, by in zip(ROWS, starts, strict=True)]
        expected = [
            np.concatenate([own[:, :n_kept], shifted[other][:, n_kept:]], axis=1)
            for own, other in zip(shifted, partners, strict=True)
        ]
        before = series.copy()
        np.testing.assert_array_equal(Mix(starts, partners, n_kept).gather(series, ROWS), expected)
        np.testing.assert_array_equal(series, before)


def test_the_age_is_weighted_by_the_shares() -> None:
    mixed = Mix(unmixed(), np.array([2, 0, 1, 3, 4]), 5).ages(AGES, N_TIMES)
    assert mixed.tolist() == pytest.approx([50 * 5 / 7 + 52 * 2 / 7, 51 * 5 / 7 + 50 * 2 / 7, *[52 - 2 / 7, 53, 54]])


def test_only_requested_changes_are_drawn() -> None:
    def draws(augmentation: Augmentation) -> list[Mix | None]:
        return [augmentation.draw(np.random.default_rng(seed), len(ROWS), N_TIMES) for seed in range(200)]

    assert draws(Augmentation()) == [None] * 200
    for mix in draws(Augmentation(circular_shift=True)):
        assert mix is not None and mix.n_kept == N_TIMES
    for mix in draws(Augmentation(cutmix=1.0)):
        assert mix is not None and not mix.starts.any()
    both = [mix for mix in draws(Augmentation(circular_shift=True, cutmix=1.0)) if mix is not None]
    assert {start for mix in both for start in mix.starts.tolist()} == set(range(N_TIMES))
    assert {mix.n_kept for mix in both} == set(range(N_TIMES + 1))
    assert all(sorted(mix.partners.tolist()) == list(range(len(ROWS))) for mix in both)


@pytest.mark.parametrize(("parameter", "near_the_ends"), [(0.1, (0.6, 1.0)), (1.0, (0.15, 0.25)), (10.0, (0.0, 0.02))])
def test_the_share_has_a_beta_distribution(parameter: float, near_the_ends: tuple[float, float]) -> None:
    rng, n_times = np.random.default_rng(5), 1000
    mixes = [Augmentation(cutmix=parameter).draw(rng, 2, n_times) for _ in range(2000)]
    shares = np.array([mix.n_kept / n_times for mix in mixes if mix is not None])
    low, high = near_the_ends
    assert low <= np.mean((shares < 0.1) | (shares > 0.9)) <= high
