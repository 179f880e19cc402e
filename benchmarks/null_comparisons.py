"""How often a comparison says that one of two equal methods is better: ``python -m benchmarks.null_comparisons``.

Both methods are the ridge on random convolutions, which differ in the seeds of their kernels only. Of 200 comparisons,
each has a split, four seeds a method, and the p values of: one training each (a bootstrap over participants, which
contains no variation between trainings), four trainings each (over participants and trainings), and, over five folds, a
plain paired t test and the corrected one. Responses are computed once; the results are ``null_comparisons.csv`` here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from brainage.data.cohorts.simulated import GOOD_COMPONENTS, SimulatedCohort
from brainage.evaluation.methods import Method, method_difference, resampled_test
from brainage.models.baselines.ridge import fit_ridge
from brainage.models.features.random_convolutions import _drawn, _responses
from brainage.system.files import write_csv

RESULTS = Path(__file__).with_suffix(".csv")
N_COMPARISONS, N_COHORTS, N_PARTICIPANTS, N_TEST = 200, 4, 600, 200
N_POOL, N_TRAININGS, N_KERNELS, N_TIMES, N_FOLDS = 24, 4, 30, 490, 5
P_VALUES = ("p_one_training", "p_four_trainings", "p_folds_plain", "p_folds_corrected")

_Array = NDArray[np.float64]


def main() -> None:
    """Write all comparisons, and print how many of them find a difference."""
    table = pd.DataFrame([row for cohort in range(N_COHORTS) for row in comparisons(cohort)])
    write_csv(RESULTS, table)
    for name in P_VALUES:
        print(f"{name}: {int((table[name] < 0.05).sum())} of {len(table)} below 0.05")


def comparisons(cohort: int, n: int = N_COMPARISONS // N_COHORTS) -> Iterator[dict[str, float | None]]:
    """Yield the first comparisons of a cohort."""
    age, responses = _people(cohort)
    for number in range(n):
        rng = np.random.default_rng([cohort, number])
        seeds = rng.permutation(N_POOL)[: 2 * N_TRAININGS]
        tested = np.zeros(len(age), dtype=bool)
        tested[rng.permutation(len(age))[:N_TEST]] = True
        folds = rng.permutation(len(age)) % N_FOLDS
        a, b = (
            Method(name, [str(seed) for seed in own], age[tested], predicted, [None] * len(own), None, varies=True)
            for name, own in (("A", seeds[:N_TRAININGS]), ("B", seeds[N_TRAININGS:]))
            for predicted in [np.stack([_predicted(responses[seed], age, tested) for seed in own])]
        )
        one = [replace(each, runs=each.runs[:1], predicted=each.predicted[:1], repeats=[None]) for each in (a, b)]
        whole = [_folded(age, responses[seed], folds) for seed in (seeds[0], seeds[N_TRAININGS])]
        differences = (whole[0].fold_errors() - whole[1].fold_errors()).to_numpy()
        corrected = resampled_test(*whole)
        assert corrected is not None and corrected.p is not None
        found = [method_difference(*pair, n_resamples=2000, seed=43) for pair in (one, (a, b))]
        plain = float(stats.ttest_1samp(differences, 0).pvalue)
        values = (found[0].p, found[1].p, plain, corrected.p)
        row: dict[str, float | None] = {"cohort": cohort, "comparison": number, "difference": found[1].mae.value}
        yield {**row, **dict(zip(P_VALUES, values, strict=True))}


def _people(cohort: int) -> tuple[_Array, list[_Array]]:
    """Return ages, and the responses of all participants to the kernels of each seed."""
    good = GOOD_COMPONENTS[25]
    people = SimulatedCohort(n_participants=N_PARTICIPANTS, seed=cohort, good_components=good)
    table = people.read_table()
    scans = people.find_scans(table["participant_id"], 25).values()
    raw = [scan.read()[:N_TIMES, np.array(good) - 1].T for scan in scans]
    series = [((one - one.mean(1, keepdims=True)) / one.std(1, keepdims=True)).astype(np.float32) for one in raw]
    kernels = [_drawn(N_KERNELS, len(good), N_TIMES, seed) for seed in range(N_POOL)]
    return table["age"].to_numpy(float), [
        np.stack([_responses(one, *drawn) for one in series]).astype(float) for drawn in kernels
    ]


def _predicted(responses: _Array, age: _Array, tested: NDArray[np.bool_]) -> _Array:
    """Return the ages that a ridge predicts of the tested participants."""
    center, scale = responses[~tested].mean(axis=0), responses[~tested].std(axis=0)
    features = (responses - center) / np.where(scale > 0, scale, 1)
    weights, intercept, _ = fit_ridge(features[~tested], age[~tested])
    return np.asarray(features[tested] @ weights + intercept)


def _folded(age: _Array, responses: _Array, folds: NDArray[np.intp]) -> Method:
    predicted = np.empty_like(age)
    for fold in range(N_FOLDS):
        predicted[folds == fold] = _predicted(responses, age, folds == fold)
    return Method("folds", ["folds"], age, predicted[None], [0], [folds.astype(object)], varies=True)


if __name__ == "__main__":
    main()
