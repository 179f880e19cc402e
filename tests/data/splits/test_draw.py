"""Splits that are drawn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from brainage.data.splits import PARTS
from brainage.data.splits.draw import kfold_split, leave_site_out_split, random_split
from brainage.errors import SplitError


def cohort(n: int, **columns: object) -> pd.DataFrame:
    ages = np.linspace(46, 82, n)
    return pd.DataFrame({"participant_id": [f"p{i:05d}" for i in range(n)], "age": ages, **columns})


def sizes(split: pd.Series[str]) -> list[int]:
    return [int((split == part).sum()) for part in PARTS]


@pytest.mark.parametrize("stratify", [None, "age"])
@pytest.mark.parametrize(
    ("n", "expected"), [(5902, [4721, 590, 591]), (10, [8, 1, 1]), (1500, [1200, 150, 150]), (29, [23, 2, 4])]
)
def test_sizes_are_the_contracted_ones(n: int, expected: list[int], stratify: str | None) -> None:
    assert sizes(random_split(cohort(n), seed=43, stratify=stratify)) == expected


def test_shares_are_exact_despite_rounding_of_floats() -> None:
    # 0.29 * 100 is 28.999999999999996 in floating point.
    assert sizes(random_split(cohort(100), seed=1, train_fraction=0.7, val_fraction=0.29)) == [70, 29, 1]


def test_a_draw_depends_on_participants_and_seed_only() -> None:
    table = cohort(57)
    shuffled = table.sample(frac=1, random_state=3)
    pd.testing.assert_series_equal(random_split(table, seed=43), random_split(shuffled, seed=43))
    assert not random_split(table, seed=43).equals(random_split(table, seed=44))


def test_families_stay_together_and_sizes_stay_close() -> None:
    families = [f"f{i // 3}" if i < 60 else None for i in range(100)]
    table = cohort(100, family_id=families)
    split = random_split(table, seed=5)
    parts = pd.Series(split.to_numpy()).groupby(pd.Series(families)).nunique()
    assert (parts == 1).all()
    assert sizes(split) == [80, 10, 10]


def test_stratified_parts_have_nearly_the_same_ages() -> None:
    table = cohort(1000).set_index("participant_id", drop=False)
    stratified = random_split(table.reset_index(drop=True), seed=2, stratify="age")
    # Each tenth of the ages gives exactly 10 of its 100 participants to the test set.
    tenth = pd.qcut(table["age"], 10, labels=False)
    counts = tenth[stratified.index[stratified == "test"]].value_counts()
    assert list(counts) == [10] * 10
    plain = random_split(table.reset_index(drop=True), seed=2)
    assert list(tenth[plain.index[plain == "test"]].value_counts()) != [10] * 10


@pytest.mark.parametrize("n", [1, 5, 9])
def test_an_empty_part_is_refused(n: int) -> None:
    with pytest.raises(SplitError, match=r"leaves no participant in .*val"):
        random_split(cohort(n), seed=0)


@pytest.mark.parametrize("stratify", [None, "age"])
@pytest.mark.parametrize(("n", "n_folds", "test_sizes"), [(53, 5, [11, 11, 11, 10, 10]), (100, 10, [10] * 10)])
def test_every_participant_is_tested_in_exactly_one_fold(
    n: int, n_folds: int, test_sizes: list[int], stratify: str | None
) -> None:
    splits = [kfold_split(cohort(n), fold=i, n_folds=n_folds, seed=7, stratify=stratify) for i in range(n_folds)]
    tested = [set(split.index[split == "test"]) for split in splits]
    assert [len(part) for part in tested] == test_sizes
    assert set.union(*tested) == set(cohort(n)["participant_id"])
    for split in splits:
        assert len(split) == n
        assert int((split == "val").sum()) == n // 10
    # Validation participants differ from fold to fold.
    assert len({frozenset(split.index[split == "val"]) for split in splits}) == n_folds


def test_folds_depend_on_participants_and_seed_only() -> None:
    table = cohort(40)
    folds = [kfold_split(table, fold=2, seed=7, val_fraction=fraction) for fraction in (0.1, 0.3)]
    tested = [set(split.index[split == "test"]) for split in folds]
    assert tested[0] == tested[1]  # not on how many validate
    shuffled = kfold_split(table.sample(frac=1, random_state=1), fold=2, seed=7)
    pd.testing.assert_series_equal(folds[0], shuffled)
    other = kfold_split(table, fold=2, seed=8)
    assert set(other.index[other == "test"]) != tested[0]


def test_repeats_have_other_folds_and_the_first_has_those_of_kfold() -> None:
    table = cohort(40)
    once, first, *others = (
        kfold_split(table, fold=1, seed=7, **more) for more in ({}, *({"repeat": i} for i in range(3)))
    )
    pd.testing.assert_series_equal(once, first)
    tested = [frozenset(split.index[split == "test"]) for split in (first, *others)]
    assert len(set(tested)) == 3
    plain = np.random.default_rng(7).permutation(40)
    assert (plain == np.random.default_rng([7, 0, 0]).permutation(40)).all()


def test_folds_keep_families_together() -> None:
    table = cohort(60, family_id=[f"f{i // 3}" for i in range(60)])
    for fold in range(5):
        split = kfold_split(table, fold=fold, seed=1)
        parts = split.groupby(table.set_index("participant_id")["family_id"]).nunique()
        assert parts.max() == 1
        assert int((split == "test").sum()) == 12


def test_stratified_folds_have_the_same_ages() -> None:
    table = cohort(500)
    age = table.set_index("participant_id")["age"]
    means = []
    for fold in range(5):
        split = kfold_split(table, fold=fold, seed=1, stratify="age")
        means.append(age[split.index[split == "test"]].mean())
    assert np.ptp(means) < 0.5


def test_more_folds_than_participants_are_refused() -> None:
    with pytest.raises(SplitError, match=r"`split.n_folds=5` needs as many participants or more, but got 4"):
        kfold_split(cohort(4), fold=0, n_folds=5, seed=1)


def sites(n: int = 60) -> pd.DataFrame:
    return cohort(n, site=[("Cheadle", "Reading", "Bristol")[i % 3] for i in range(n)])


def test_only_the_left_out_site_is_tested() -> None:
    table = sites()
    split = leave_site_out_split(table, site="Reading", seed=1)
    site = table.set_index("participant_id")["site"]
    assert set(split.index[split == "test"]) == set(site.index[site == "Reading"])
    assert sizes(split) == [36, 4, 20]


def test_participants_without_a_site_and_relatives_at_other_sites_are_left_out() -> None:
    table = sites()
    table.loc[3, "site"] = None
    table["family_id"] = None
    table.loc[[0, 1], "family_id"] = "f"  # the first is at Cheadle, the second at Reading
    split = leave_site_out_split(table, site="Reading", seed=1)
    assert set(table["participant_id"]) - set(split.index) == {"p00000", "p00003"}
    assert split["p00001"] == "test"


@pytest.mark.parametrize(
    ("table", "match"),
    [
        (cohort(10), "needs the site of every participant, but the table has none"),
        (cohort(10, site=None), "needs the site of every participant, but the table has none"),
        (sites(), "`split.site` got 'Redding'. Choose one of Bristol, Cheadle, Reading. Did you mean `Reading`"),
        (
            cohort(10, site=[f"Redding{i}" for i in range(10)]),
            "`split.site` got 'Redding'. No site in the table has two participants: look at its columns.$",
        ),
        (cohort(10, site=["A"] * 4 + ["B"] * 5 + ["Reddin"]), "`split.site` got 'Redding'. Choose one of A, B.$"),
    ],
    ids=["no-column", "empty", "unknown", "shifted", "of one"],
)
def test_a_site_that_cannot_be_left_out_is_refused(table: pd.DataFrame, match: str) -> None:
    with pytest.raises(SplitError, match=match):
        leave_site_out_split(table, site="Redding", seed=1)
