import numpy as np
import pandas as pd
import pytest

from brainage.data.split import PARTS, check_disjoint, random_split
from brainage.errors import SplitError


def people(n: int, **columns: object) -> pd.DataFrame:
    ages = np.linspace(46, 82, n)
    return pd.DataFrame({"participant_id": [f"p{i:05d}" for i in range(n)], "age": ages, **columns})


def sizes(split: "pd.Series[str]") -> list[int]:
    return [int((split == part).sum()) for part in PARTS]


@pytest.mark.parametrize("stratify", [None, "age"])
@pytest.mark.parametrize(
    ("n", "expected"), [(5902, [4721, 590, 591]), (10, [8, 1, 1]), (1500, [1200, 150, 150]), (29, [23, 2, 4])]
)
def test_sizes_are_the_contracted_ones(n: int, expected: list[int], stratify: str | None) -> None:
    assert sizes(random_split(people(n), seed=43, stratify=stratify)) == expected


def test_fractions_that_floats_miss_by_a_hair_are_met() -> None:
    # 0.29 * 100 is 28.999999999999996 in floating point.
    assert sizes(random_split(people(100), seed=1, train_fraction=0.7, val_fraction=0.29)) == [70, 29, 1]


def test_the_draw_depends_on_the_people_and_the_seed_only() -> None:
    table = people(57)
    shuffled = table.sample(frac=1, random_state=3)
    pd.testing.assert_series_equal(random_split(table, seed=43), random_split(shuffled, seed=43))
    assert not random_split(table, seed=43).equals(random_split(table, seed=44))


def test_families_stay_together_and_sizes_stay_close() -> None:
    families = [f"f{i // 3}" if i < 60 else None for i in range(100)]
    table = people(100, family_id=families)
    split = random_split(table, seed=5)
    parts = pd.Series(split.to_numpy()).groupby(pd.Series(families)).nunique()
    assert (parts == 1).all()
    assert sizes(split) == [80, 10, 10]


def test_stratified_parts_have_nearly_the_same_ages() -> None:
    table = people(1000).set_index("participant_id", drop=False)
    stratified = random_split(table.reset_index(drop=True), seed=2, stratify="age")
    # Each tenth of the ages gives exactly 10 of its 100 people to the test set.
    tenth = pd.qcut(table["age"], 10, labels=False)
    counts = tenth[stratified.index[stratified == "test"]].value_counts()
    assert list(counts) == [10] * 10
    plain = random_split(table.reset_index(drop=True), seed=2)
    assert list(tenth[plain.index[plain == "test"]].value_counts()) != [10] * 10


@pytest.mark.parametrize("n", [1, 5, 9])
def test_a_part_without_people_is_refused(n: int) -> None:
    with pytest.raises(SplitError, match=r"leaves no participant in .*val"):
        random_split(people(n), seed=0)


def test_one_person_in_two_parts_is_refused() -> None:
    split = pd.Series(["train", "val", "test", "test"], index=["a", "b", "c", "a"])
    with pytest.raises(SplitError, match="1 people or families into more than one part"):
        check_disjoint(split, {})


def test_one_family_in_two_parts_is_refused() -> None:
    split = pd.Series(["train", "val", "test"], index=["a", "b", "c"])
    check_disjoint(split, {"a": "x", "b": "y"})
    with pytest.raises(SplitError, match="1 people or families"):
        check_disjoint(split, {"a": "x", "b": "x"})
