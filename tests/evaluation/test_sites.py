"""Sites: what they alone predict, how much of the gap they explain, and what is said of it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from brainage.evaluation.sites import Sites, harmonized, measure_sites, site_caveats, site_in_gap
from brainage.models.baselines.site_mean import SiteMean

NAMES = ("Hull", "Leeds", "York")


def people(n: int = 150, seed: int = 0, *, shift: float = 0.0, older: float = 0.0, sites: int = 3) -> pd.DataFrame:
    """Return participants; each further site is `older`, and its gaps are `shift` years larger."""
    rng = np.random.default_rng(seed)
    place = rng.integers(0, sites, n)
    age = rng.uniform(45, 75, n) + older * place
    gap = rng.normal(0, 3, n) - 0.3 * (age - age.mean()) + shift * place
    return pd.DataFrame({"age": age, "predicted_age": age + gap, "bag": gap, "site": np.array(NAMES)[place]})


def measured(rows: pd.DataFrame, training: pd.DataFrame | None = None, **options: Any) -> Sites | None:
    training = rows.iloc[:0] if training is None else training
    return measure_sites(rows, training, **{"seen": None, "n_resamples": 200, "seed": 1, **options})


def test_site_alone_is_the_baseline_of_that_name() -> None:
    training, rows = people(300, 1, older=6), people(150, 2, older=6)
    training.loc[training.index[training["site"] == "Hull"][9:], "site"] = "York"  # nine are left
    baseline = SiteMean()
    baseline.fit(training["site"].to_numpy(str), training["age"].to_numpy())
    found = measured(rows, training)
    assert found is not None and found.alone is not None and found.alone.of_training
    error = np.abs(baseline.predict(rows["site"].to_numpy(str)) - rows["age"])
    assert found.alone.mae == pytest.approx(error.mean(), abs=1e-12)
    assert found.alone.mean_mae == pytest.approx(np.abs(training["age"].mean() - rows["age"]).mean(), abs=1e-12)
    assert found.alone.model_mae == pytest.approx(rows["bag"].abs().mean(), abs=1e-12)
    assert (found.n, found.n_sites, found.n_trained) == (150, 3, 150)


def test_without_training_rows_each_participant_is_predicted_by_the_others_of_the_site() -> None:
    rows = people(40, 3, older=6, sites=2)
    rows.loc[[0, 1], "site"] = None
    known = rows.dropna(subset="site")
    expected = [
        known.loc[(known["site"] == row.site) & (known.index != index), "age"].mean() - row.age
        for index, row in known.iterrows()
    ]
    assert known["site"].value_counts().min() > 10
    rows = pd.concat([rows, rows.iloc[[0] * 8]], ignore_index=True)  # ten without a site may be told from all
    found = measured(rows)
    assert found is not None and found.alone is not None and not found.alone.of_training
    assert found.alone.mae == pytest.approx(np.abs(expected).mean(), abs=1e-12)
    assert (found.n, found.n_trained) == (38, None)


def explained(gap: np.ndarray, *columns: np.ndarray) -> float:
    """Return the residual sum of squares of a regression."""
    design = np.stack([np.ones_like(gap), *columns], axis=1)
    return float(np.linalg.lstsq(design, gap, rcond=None)[1][0])


def test_the_share_of_site_is_that_of_two_regressions() -> None:
    rows = people(200, 4, shift=1.5, older=4)
    gap, age = rows["bag"].to_numpy(), rows["age"].to_numpy()
    dummies = [rows["site"].eq(name).to_numpy(float) for name in NAMES[1:]]
    without, with_sites = explained(gap, age, age**2), explained(gap, age, age**2, *dummies)
    found = measured(rows)
    assert found is not None and found.in_gap is not None
    assert found.in_gap.share == pytest.approx((without - with_sites) / without, rel=1e-6)
    assert (found.in_gap.n, found.in_gap.n_sites, found.in_gap.p) == (200, 3, 1 / 1001)
    # Two degrees of freedom of 197.
    assert found.in_gap.chance == pytest.approx(2 / 197, rel=0.1)
    assert measured(rows) == found


def test_of_gaps_that_no_site_changes_p_is_below_5_percent_in_5_percent() -> None:
    p = []
    for seed in range(200):
        rows = people(60, seed, older=8)
        dummies = np.stack([rows["site"].eq(name) for name in NAMES[1:]], axis=1).astype(float)
        found = site_in_gap(rows["bag"].to_numpy(), rows["age"].to_numpy(), dummies, seed)
        assert found is not None
        p.append(found.p)
    assert 2 <= sum(value < 0.05 for value in p) <= 20  # binomial, 99.9 %


@pytest.mark.parametrize(
    ("older", "trained", "seen", "said"),
    [
        (8.0, True, None, "It was trained at the same sites, so its accuracy may be partly"),
        (8.0, False, True, "It was trained at the same sites, so its accuracy may be partly"),
        (8.0, False, None, "If it was trained at these sites, its accuracy"),
        (8.0, False, False, None),
        (0.0, True, None, None),
    ],
    ids=["same sites", "folds", "unknown sites", "sites left out", "sites of one age"],
)
def test_parts_that_share_sites_which_predict_age_are_said_to(
    older: float, trained: bool, seen: bool | None, said: str | None
) -> None:
    rows = people(150, 5, older=older)
    found = measured(rows, people(300, 6, older=older) if trained else None, seen=seen)
    notes = site_caveats(found)
    assert found is not None and found.alone is not None and len(notes) == (said is not None)
    if said is not None:
        assert said in notes[0] and f"MAE {found.alone.mae:.2f} years" in notes[0]
        assert "split.site=all" in notes[0]


def test_a_site_that_was_left_out_has_no_training_participants() -> None:
    training, rows = people(300, 7, sites=2), people(100, 8).assign(site="York")
    found = measured(rows, training)
    assert found is not None and found.alone is not None
    assert (found.n_sites, found.n_trained, found.in_gap) == (1, 0, None)
    assert found.alone.mae == found.alone.mean_mae and site_caveats(found) == []


@pytest.mark.parametrize(
    "site", [None, ["York"] * 150, np.full(150, np.nan, dtype=object)], ids=["no column", "one site", "all unknown"]
)
def test_there_is_nothing_to_say_of_one_site_or_none(site: Any) -> None:
    rows = people()
    assert measured(rows.drop(columns="site") if site is None else rows.assign(site=site)) is None


def test_numbers_that_would_describe_fewer_than_ten_are_missing() -> None:
    rows = people(100)
    rows.loc[:8, "site"] = None  # nine of unknown site are the difference from all
    found = measured(rows)
    assert found is not None and (found.n, found.alone) == (91, None)
    few = people(100).assign(site=np.where(np.arange(100) < 9, "Hull", "York"))
    assert (small := measured(few)) is not None and small.in_gap is None


@pytest.mark.parametrize(
    ("n_training", "said"),
    [
        ((20, 9), r"of 1 sites. 12 of the 22 analysed participants are of other or unknown sites"),
        ((0, 0), "of each run: features of participants at sites that are not among these are left as they are"),
    ],
    ids=["run", "pooled"],
)
def test_a_note_says_whose_features_are_left_as_they_are(n_training: tuple[int, int], said: str) -> None:
    rows = pd.DataFrame({"site": ["Hull"] * 10 + ["York"] * 8 + ["Oslo"] * 3 + [None]})
    training = pd.DataFrame({"site": np.repeat(["Hull", "York"], n_training)})
    (note,) = harmonized("combat", rows, training)
    assert "harmonize=combat" in note and re.search(said, note)
    assert harmonized("none", rows, training) == []
