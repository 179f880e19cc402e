import math
import time
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import patsy
import pytest
import statsmodels.api as sm
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.multitest import multipletests

from brainage.evaluation.associations import COLUMNS, adjusted, associate, pearson, variables_of
from brainage.evaluation.coding import categories_of, coded, kind_of
from brainage.evaluation.covariates import Covariates

_Array = NDArray[np.float64]


def participants(n: int = 120, seed: int = 0) -> pd.DataFrame:
    """Return a table in which sex, motion and site have missing values and are associated with the gap."""
    rng = np.random.default_rng(seed)
    age = rng.uniform(45, 80, n)
    site = rng.choice(["Cheadle", "Newcastle", "Reading"], n)
    sex = rng.integers(0, 2, n).astype(float)
    motion = rng.gamma(2, 0.05, n) + 0.002 * (age - 45)
    hidden = rng.normal(0, 3, n)
    gap = 20 - 0.4 * age + 0.01 * (age - 60) ** 2 + hidden + 2 * sex + 12 * motion + 3 * (site == "Reading")
    return pd.DataFrame(
        {
            "participant_id": [f"person{number}" for number in range(n)],
            "age": age,
            "bag": gap,
            "bag_corrected": hidden + rng.normal(0, 0.5, n),
            "sex": np.where(rng.random(n) < 0.1, np.nan, sex),
            "head_motion": np.where(rng.random(n) < 0.15, np.nan, motion),
            "site": pd.Series(site, dtype=object).mask(rng.random(n) < 0.1),
            "smoking": (hidden + rng.normal(0, 4, n) > 1).astype(float),
            "alcohol": np.clip(np.round(2 + 0.3 * hidden + 0.05 * (age - 60) + rng.normal(0, 1, n)), 0, 5),
            "blood pressure": 120 + 0.6 * age + hidden + rng.normal(0, 8, n),
        }
    )


def held_by_hand(rows: pd.DataFrame, without: str) -> pd.DataFrame:
    """Build the covariates independently: with pandas and patsy, and centred on another age."""
    held = {"age": rows["age"] - 60, "age^2": (rows["age"] - 60) ** 2}
    if "sex" in rows and without != "sex":
        held["sex"] = rows["sex"].fillna(rows["sex"].mean())
        known = rows[rows["sex"].notna()]
        both = (known["sex"] - known["sex"].mean()) * (known["age"] - known["age"].mean())
        held["sex:age"] = both.reindex(rows.index, fill_value=both.mean())
        held["no sex"] = rows["sex"].isna().astype(float)
    if "head_motion" in rows and without != "head_motion":
        log = np.log(rows["head_motion"].dropna())
        low, *knots, high = np.percentile(log, [5, 35, 65, 95])
        bent = "cr(log, knots=knots, lower_bound=low, upper_bound=high) - 1" if len(log) >= 50 else "log - 1"
        for number, column in enumerate(np.asarray(patsy.dmatrix(bent)).T):
            held[f"motion {number}"] = pd.Series(column, log.index).reindex(rows.index, fill_value=column.mean())
        held["no motion"] = rows["head_motion"].isna().astype(float)
    if "site" in rows and without != "site":
        for site, of_site in pd.get_dummies(rows["site"].fillna("nowhere"), dtype=float).items():
            held[f"site {site}"] = of_site
    table = pd.DataFrame(held)
    if "site" in rows and without != "site":
        table = table.drop(columns="site Cheadle", errors="ignore")
    # Column by column: none that those before it tell already, so that the reference regressions have full rank.
    kept: list[str] = []
    for name in table.columns:
        kept += [name] if rank(table[[*kept, name]]) > len(kept) else []
    return table[kept]


def rank(held: pd.DataFrame) -> int:
    return int(np.linalg.matrix_rank(sm.add_constant(held).to_numpy())) - 1


def row_of(rows: pd.DataFrame, name: str) -> pd.Series:
    return associate(rows, [name]).table.iloc[0]


TABLES = {
    "all-covariates": (participants(), "blood pressure"),
    "binary": (participants(seed=1), "smoking"),
    "ordinal": (participants(seed=2), "alcohol"),
    "of-sex-itself": (participants(seed=3), "sex"),
    "of-motion-itself": (participants(seed=4), "head_motion"),
    "age-only": (participants(seed=5).drop(columns=["sex", "head_motion", "site"]), "alcohol"),
    "nothing-missing": (participants(300, seed=6).dropna(), "blood pressure"),
    "one-site": (participants(seed=7).assign(site="Reading"), "alcohol"),
    "few-people": (participants(24, seed=8), "blood pressure"),
}
# Sites that tell the sex, and motion that is missing exactly where the sex is.
DEFICIENT = participants(seed=9).assign(
    site=lambda t: t["sex"].map({0.0: "women's", 1.0: "men's"}),
    head_motion=lambda t: t["head_motion"].fillna(0.1).mask(t["sex"].isna()),
)
ALL_TABLES = {**TABLES, "rank-deficient": (DEFICIENT, "blood pressure")}

tables = pytest.mark.parametrize(("rows", "name"), ALL_TABLES.values(), ids=ALL_TABLES.keys())
full_rank = pytest.mark.parametrize(("rows", "name"), TABLES.values(), ids=TABLES.keys())


# Partial correlations


@tables
def test_a_partial_correlation_agrees_with_residuals_of_statsmodels(rows: pd.DataFrame, name: str) -> None:
    rows = rows[rows[name].notna()]
    design = sm.add_constant(held_by_hand(rows, name))
    left = [sm.OLS(rows[column], design).fit().resid for column in ("bag", name)]
    found = row_of(rows, name)
    assert found["n"] == len(rows)
    assert found["r_partial"] == pytest.approx(np.corrcoef(*left)[0, 1], abs=1e-10)


@full_rank
def test_a_partial_correlation_agrees_with_the_inverse_covariance(rows: pd.DataFrame, name: str) -> None:
    rows = rows[rows[name].notna()]
    columns = np.column_stack([rows["bag"], rows[name], held_by_hand(rows, name)])
    precision = np.linalg.inv(np.corrcoef(columns, rowvar=False))
    expected = -precision[0, 1] / math.sqrt(precision[0, 0] * precision[1, 1])
    assert row_of(rows, name)["r_partial"] == pytest.approx(expected, abs=1e-10)


@tables
def test_the_partial_p_and_interval_are_those_of_the_regression_with_hc3(rows: pd.DataFrame, name: str) -> None:
    rows = rows[rows[name].notna()]
    held = sm.add_constant(held_by_hand(rows, name))
    fitted = sm.OLS(rows["bag"], held.assign(variable=rows[name])).fit(cov_type="HC3", use_t=True)
    found = row_of(rows, name)
    assert found["p_partial"] == pytest.approx(fitted.pvalues["variable"], abs=1e-10)
    # The slope of residuals that are scaled to SD 1, and Fisher's z of it.
    gap, variable = (sm.OLS(rows[column], held).fit().resid.std() for column in ("bag", name))
    half = stats.t.isf(0.025, fitted.df_resid) * fitted.bse["variable"] * variable / gap / (1 - found["r_partial"] ** 2)
    z = math.atanh(found["r_partial"])
    assert (found["r_partial_low"], found["r_partial_high"]) == pytest.approx(
        (math.tanh(z - half), math.tanh(z + half)), abs=1e-10
    )


@tables
def test_plain_correlations_agree_with_scipy(rows: pd.DataFrame, name: str) -> None:
    known = rows[rows[name].notna()]
    reference = stats.pearsonr(known["bag"], known[name])
    found = row_of(rows, name)
    values = [found[f"r{end}"] for end in ("", "_low", "_high")]
    assert values == pytest.approx([reference.statistic, *reference.confidence_interval(0.95)], abs=1e-10)
    assert found["p"] == pytest.approx(reference.pvalue, abs=1e-10)
    corrected = stats.pearsonr(known["bag_corrected"], known[name]).statistic
    assert found["r_corrected"] == pytest.approx(corrected, abs=1e-10)
    # Nothing is known of the correction's fit.
    assert found[["r_corrected_low", "r_corrected_high", "p_corrected"]].isna().all()


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("all-covariates", "age age^2 sex sex:age spline(log(head_motion)) site"),
        ("of-sex-itself", "age age^2 spline(log(head_motion)) site"),
        ("of-motion-itself", "age age^2 sex sex:age site"),
        ("age-only", "age age^2"),
        ("one-site", "age age^2 sex sex:age spline(log(head_motion))"),
        ("few-people", "age age^2 sex sex:age log(head_motion) site"),
    ],
)
def test_which_covariates_were_used_is_in_the_row(key: str, names: str) -> None:
    assert row_of(*TABLES[key])["covariates"] == names


@pytest.mark.parametrize(("name", "value"), [("sex", 1.0), ("head_motion", 0.1), ("sex", np.nan)])
def test_a_covariate_that_does_not_vary_is_not_used(name: str, value: float) -> None:
    rows = participants().dropna().assign(**{name: value})
    found, without = row_of(rows, "alcohol"), row_of(rows.drop(columns=name), "alcohol")
    assert name not in found["covariates"]
    pd.testing.assert_series_equal(found, without, rtol=0, atol=1e-12, check_exact=False)


def test_site_as_a_variable_is_not_adjusted_for_site() -> None:
    rows = participants().assign(site=lambda t: t["site"].where(t["site"] != "Reading", "Cheadle"))
    found = row_of(rows, "site")
    assert (found["kind"], found["covariates"]) == ("binary", "age age^2 sex sex:age spline(log(head_motion))")
    known = rows[rows["site"].notna()]
    assert found["r"] == pytest.approx(np.corrcoef(known["bag"], known["site"] == "Newcastle")[0, 1], abs=1e-10)


@pytest.mark.parametrize("column", ["age", "age squared"])
def test_a_variable_that_is_a_function_of_age_has_no_partial_correlation(column: str) -> None:
    rows = participants().assign(x=lambda t: t["age"] * 3 + 1 if column == "age" else (t["age"] - 50) ** 2)
    found = row_of(rows, "x")
    assert found[["r_partial", "r_partial_low", "r_partial_high", "p_partial", "q_partial"]].isna().all()
    assert found["r"] == pytest.approx(np.corrcoef(rows["bag"], rows["x"])[0, 1], abs=1e-10)


def test_a_gap_that_is_a_function_of_age_has_no_partial_correlation() -> None:
    found = row_of(participants().assign(bag=lambda t: 62.37 - t["age"], bag_corrected=0.0), "alcohol")
    assert found[["r_partial", "p_partial", "q_partial", "r_corrected", "p_corrected"]].isna().all()
    assert found["r"] is not None


def test_as_many_covariates_as_participants_leave_no_partial_correlation() -> None:
    rows = participants(24).assign(site=[f"site {number}" for number in range(24)])
    found = row_of(rows, "blood pressure")
    assert found[["r_partial", "r_partial_low", "p_partial"]].isna().all()
    assert not math.isnan(found["r"])


@pytest.mark.parametrize("value", [0.1, 62.37, -3.3, 0.0])
def test_there_is_no_correlation_with_what_does_not_vary(value: float) -> None:
    for n in range(20, 60):
        assert math.isnan(pearson(np.full(n, value), np.random.default_rng(n).normal(size=n)))


# Covariates that are missing


def test_missing_covariates_are_imputed_with_an_indicator() -> None:
    rows = participants()
    found = Covariates(rows).of(np.ones(len(rows), dtype=bool), without="alcohol")
    by_hand = held_by_hand(rows, "alcohol")
    assert found.names == ["age", "age^2", "sex", "sex:age", "spline(log(head_motion))", "site"]
    assert np.isfinite(found.columns).all() and len(found.columns) == len(rows)
    assert found.missing.tolist() == rows[["sex", "head_motion", "site"]].isna().any(axis=1).tolist()
    # The same space: neither adds a dimension to the other.
    both = np.column_stack([np.ones(len(rows)), found.columns, by_hand])
    assert np.linalg.matrix_rank(both) == rank(by_hand) + 1 == found.columns.shape[1] + 1


def test_complete_cases_are_beside_those_with_missing_covariates() -> None:
    rows = participants(300)
    found = row_of(rows, "alcohol")
    complete = rows.dropna(subset=["sex", "head_motion", "site"])
    alone = row_of(complete, "alcohol")
    assert (found["n"], found["n_imputed"], found["n_complete"]) == (300, 300 - len(complete), len(complete))
    for end in ("", "_low", "_high"):
        assert found[f"r_complete{end}"] == alone[f"r_partial{end}"] == alone[f"r_complete{end}"]
    assert found["p_complete"] == alone["p_partial"] != found["p_partial"]
    # Fewer than ten are the difference from all.
    few = rows.assign(sex=rows["sex"].fillna(1), head_motion=0.1, site="A").assign(
        sex=lambda table: table["sex"].where(table.index > 8)
    )
    hidden = row_of(few, "alcohol")
    assert hidden["n_imputed"] == 9 and hidden[["r_complete", "p_complete"]].isna().all()


@pytest.mark.more
def test_a_missing_confounder_makes_false_positives_that_complete_cases_do_not_have() -> None:
    rng, n_imputed, n_complete = np.random.default_rng(0), 0, 0
    for _ in range(100):
        age, motion = rng.uniform(45, 80, 400), rng.lognormal(size=400)
        rows = pd.DataFrame({"age": age, "bag": 3 * np.log(motion) + rng.normal(size=400)})
        rows["x"] = np.log(motion) + rng.normal(size=400)
        found = row_of(rows.assign(head_motion=np.where(rng.random(400) < 0.3, np.nan, motion)), "x")
        n_imputed += found["p_partial"] < 0.05
        n_complete += found["p_complete"] < 0.05
    assert n_imputed > 50 and n_complete <= 13  # 13 are exceeded with a probability of 0.0005 at 5 %


def test_covariates_are_those_that_are_chosen() -> None:
    rows = participants().assign(bmi=lambda t: t["blood pressure"] + np.arange(len(t)) % 7, code=np.arange(120) % 3)
    rows = rows.rename(columns={"code": "race"})
    found = associate(rows, ["alcohol"], covariates=Covariates(rows, ["bmi", "sex"], ["race"])).table.iloc[0]
    assert found["covariates"] == "age age^2 bmi sex sex:age race"
    assert associate(rows, ["bmi"], covariates=Covariates(rows, ["bmi"])).table["covariates"].item() == "age age^2"


def test_motion_that_acts_on_a_curve_is_adjusted_for() -> None:
    rng = np.random.default_rng(0)
    motion = rng.lognormal(-2, 0.8, 600)
    rows = pd.DataFrame({"age": rng.uniform(45, 80, 600), "head_motion": motion, "bag": 9 * np.log(motion) ** 2})
    rows["bag"] += rng.normal(size=600)
    rows["x"] = np.log(motion) ** 2 + rng.normal(size=600)
    assert abs(row_of(rows, "x")["r_partial"]) < 0.25
    straight = associate(rows, ["x"], covariates=Covariates(rows, flexible=False)).table.iloc[0]
    assert straight["r_partial"] > 0.5


# Categories


def test_codes_with_names_are_categories() -> None:
    codes = pd.Series([1001, 1002, 3001, None] * 30)
    for name in ("21000-0.0", "p21000_i0", "f.21000.0.0", "ethnic_background", "Ethnicity", "test centre", "54-2.0"):
        found = categories_of(name, codes)
        assert found is not None and set(found.dropna()) == {"1001", "1002", "3001"} and found.isna().sum() == 30
    for name in ("1210001-0.0", "website_visits", "trace", "5412-2.0", "alcohol"):
        assert categories_of(name, codes) is None
    assert categories_of("ethnicity", pd.Series([1001, 1002] * 9)) is None  # binary
    assert categories_of("colour", pd.Series(["red", "green", None, "blue"])) is not None


def test_a_category_has_the_multiple_correlation_and_the_f_test_of_its_levels() -> None:
    rows = participants(200).dropna().reset_index(drop=True)
    levels = pd.Series(np.arange(len(rows)) % 3).map({0: "red", 1: "green", 2: "blue"})
    rows = rows.assign(colour=levels, bag=rows["bag"] + 2 * (levels == "red"))
    found = row_of(rows, "colour")
    held = sm.add_constant(held_by_hand(rows, "colour"))
    dummies = pd.get_dummies(levels, dtype=float).iloc[:, 1:]
    fit = sm.OLS(rows["bag"], held.join(dummies)).fit(cov_type="HC3", use_t=True)
    test = fit.f_test(np.eye(len(fit.params))[-2:])
    left, bare = (sm.OLS(rows["bag"], table).fit().ssr for table in (held.join(dummies), held))
    assert found["kind"] == "category" and found["covariates"].startswith("age age^2 sex")
    assert found["r_partial"] == pytest.approx(math.sqrt(1 - left / bare), abs=1e-10)
    assert found["p_partial"] == pytest.approx(float(test.pvalue), abs=1e-10)
    assert found[["r_partial_low", "r_corrected", "p_corrected"]].isna().all()
    assert found["r"] == pytest.approx(math.sqrt(sm.OLS(rows["bag"], sm.add_constant(dummies)).fit().rsquared))


def test_rare_categories_are_together() -> None:
    rows = participants()
    few = pd.Series(["a"] * 60 + ["b"] * 40 + ["c"] * 12 + ["d"] * 5 + ["e"] * 3)
    merged = few.replace({"d": "other", "e": "other", "c": "c"})
    found, expected = row_of(rows.assign(colour=few), "colour"), row_of(rows.assign(colour=merged), "colour")
    pd.testing.assert_series_equal(found, expected)


def test_motion_and_site_have_rows_of_their_own_without_q() -> None:
    found = associate(participants(), ["alcohol", "sex"])
    assert found.table["variable"].tolist() == ["alcohol", "sex"]
    motion, site = (found.nuisance.iloc[place] for place in (0, 1))
    assert (motion["variable"], site["variable"], site["kind"]) == ("head_motion", "site", "category")
    assert motion["covariates"] == "age age^2 sex sex:age site"
    assert site["covariates"] == "age age^2 sex sex:age spline(log(head_motion))" and site["p_partial"] < 0.05
    assert found.nuisance["q_partial"].isna().all()
    assert associate(participants(), ["head_motion", "site"]).nuisance.empty


def test_planned_variables_are_a_family_of_their_own() -> None:
    rows, names = participants(), ["alcohol", "smoking", "blood pressure", "sex"]
    found = associate(rows, names, planned=["sex", "alcohol"]).table
    assert found["family"].tolist() == ["planned", "exploratory", "exploratory", "planned"]
    for family in ("planned", "exploratory"):
        of_family = found[found["family"] == family]
        assert of_family["q_partial"].to_list() == pytest.approx(
            multipletests(of_family["p_partial"], method="fdr_bh")[1]
        )
    assert set(associate(rows, names).table["family"]) == {""}


# The table


def test_q_agrees_with_statsmodels() -> None:
    rng = np.random.default_rng(0)
    p = pd.Series(rng.random(40) ** 3)
    p[[0, 7, 8, 39]] = np.nan
    p[3] = p[4]
    found = adjusted(p)
    assert found.isna().equals(p.isna())
    expected = multipletests(p.dropna(), method="fdr_bh")[1]
    assert found.dropna().to_numpy() == pytest.approx(expected, abs=1e-12)


def test_q_agrees_with_numbers_by_hand() -> None:
    # Of 4 known: 0.01 * 4 / 1, 0.02 * 4 / 2, and 0.04 * 4 / 3 and 0.05 * 4 / 4 of which the smaller counts for both.
    found = adjusted(pd.Series([0.05, np.nan, 0.01, 0.04, 0.02], index=list("abcde")))
    assert found.to_dict() == pytest.approx(
        {"a": 0.05, "b": math.nan, "c": 0.04, "d": 0.05, "e": 0.04}, abs=1e-12, nan_ok=True
    )


@pytest.mark.parametrize("p", [[], [np.nan, np.nan], [None, None]], ids=["empty", "nan", "none"])
def test_without_p_there_is_no_q(p: list[float | None]) -> None:
    found = adjusted(pd.Series(p))
    assert found.dtype == float and found.isna().all() and len(found) == len(p)


def test_q_is_over_those_variables_whose_partial_p_exists() -> None:
    rows = participants().assign(twice_age=lambda t: 2 * t["age"])
    variables = ["alcohol", "twice_age", "smoking", "blood pressure", "sex"]
    table = associate(rows, variables).table
    assert table["variable"].tolist() == variables
    assert table["p_partial"].isna().tolist() == [False, True, False, False, False]
    expected = multipletests(table["p_partial"].dropna(), method="fdr_bh")[1]
    assert table["q_partial"].dropna().to_numpy() == pytest.approx(expected, abs=1e-12)


def test_missing_values_of_a_column_change_only_its_own_row() -> None:
    rows, variables = participants(), ["smoking", "alcohol", "blood pressure", "sex"]
    holes = rows.assign(alcohol=rows["alcohol"].mask(np.random.default_rng(1).random(len(rows)) < 0.3))
    before, after = (associate(table, variables).table.drop(columns="q_partial") for table in (rows, holes))
    others = before["variable"] != "alcohol"
    pd.testing.assert_frame_equal(before[others], after[others], check_exact=True)
    alone = associate(holes[holes["alcohol"].notna()], ["alcohol"]).table.drop(columns="q_partial")
    pd.testing.assert_frame_equal(after[~others].reset_index(drop=True), alone, check_exact=True)
    assert after.loc[~others, "n"].item() == holes["alcohol"].notna().sum() < len(rows)


def test_the_order_of_participants_and_their_index_do_not_matter() -> None:
    rows, variables = participants(), ["smoking", "alcohol", "blood pressure", "sex"]
    mixed = rows.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(associate(mixed, variables).table, associate(rows, variables).table, rtol=1e-9)


def test_the_table_has_its_columns_also_without_rows_and_without_a_corrected_gap() -> None:
    assert tuple(associate(participants(), []).table.columns) == COLUMNS
    table = associate(participants().drop(columns="bag_corrected"), ["alcohol"]).table
    assert tuple(table.columns) == COLUMNS
    assert table[[name for name in COLUMNS if "corrected" in name]].isna().all(axis=None)
    assert table["r_partial"].notna().all()


def test_an_incomplete_corrected_gap_is_not_correlated() -> None:
    rows = participants()
    rows.loc[4, "bag_corrected"] = np.nan
    found = row_of(rows, "alcohol")
    assert found[["r_corrected", "p_corrected"]].isna().all()
    assert (found["n"], math.isnan(found["r"])) == (120, False)


def test_the_analysed_table_is_not_changed() -> None:
    rows = participants().assign(bmi=lambda t: t["alcohol"].replace(3, np.inf))
    before = rows.copy()
    associate(rows, ["smoking", "bmi", "sex", "site"])
    pd.testing.assert_frame_equal(rows, before, check_exact=True)


# Which variables, and as what


def test_variables_are_the_phenotypes_and_sex() -> None:
    table = participants().assign(
        true_gap=1.0, family_id="a", split="test", predicted_age=60.0, table_row=1, predicted_age_sd=1.0
    )
    assert variables_of(table) == ["sex", "smoking", "alcohol", "blood pressure"]


NUMBERS = [*range(30)]


@pytest.mark.parametrize(
    ("column", "values"),
    [
        (pd.Series([True, False, True]), [1, 0, 1]),
        (pd.Series([True, None, False], dtype=object), [1, None, 0]),
        (pd.Series([True, pd.NA, False], dtype="boolean"), [1, None, 0]),
        (pd.Series([3, pd.NA, 1], dtype="Int64"), [3, None, 1]),
        (pd.Series([3, 2, 1]), [3, 2, 1]),
        (pd.Series(["3", None, "1.5"]), [3, None, 1.5]),
        (pd.Series(["yes", "no", None, "yes"]), [1, 0, None, 1]),
        (pd.Series(["b", "a", pd.NA], dtype="string"), [1, 0, None]),
        (pd.Series(["b", "a", "b"], dtype="category"), [1, 0, 1]),
        (pd.Series([np.nan, np.nan]), [None, None]),
        (pd.Series([None, None], dtype=object), [None, None]),
        (pd.Series([1.5, np.inf, -np.inf, 2.5]), [1.5, None, None, 2.5]),
        (pd.Series(["yes", "no", None], index=[7, 3, 5]), [1, 0, None]),
    ],
    ids=[
        "booleans", "booleans-as-objects", "booleans-of-pandas", "integers-of-pandas", "integers", "numbers-as-text",
        "text", "text-of-pandas", "categories", "all-missing", "none", "infinities", "other-index",
    ],
)  # fmt: skip
def test_a_column_becomes_numbers(column: pd.Series, values: list[float | None]) -> None:
    found, reason, _ = coded(column)
    assert reason == ""
    assert found.index.equals(column.index)
    assert [None if math.isnan(value) else value for value in found] == values


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        ([f"text {n}" for n in range(60)] * 2, "it is text with more than 50 values"),
        (["a", None, "a"] * 40, "it does not vary"),
        ([4.25] * 120, "it does not vary"),
        ([True] * 120, "it does not vary"),
        ([1.0, 2.0, *[np.nan] * 118], "fewer than 20 participants have a value"),
        ([*range(19), *[np.nan] * 101], "fewer than 20 participants have a value"),
        ([*range(19), *[np.inf] * 101], "fewer than 20 participants have a value"),
        ([np.nan] * 120, "fewer than 20 participants have a value"),
    ],
    ids=["many-texts", "one-text", "constant", "true", "two", "nineteen", "infinities", "missing"],
)
def test_a_variable_that_cannot_be_used_is_named_with_the_reason(column: list[object], reason: str) -> None:
    rows = participants().assign(x=column)
    found = associate(rows, ["alcohol", "x"])
    assert found.table["variable"].tolist() == ["alcohol"]
    assert found.left_out.keys() == {"x"}
    assert found.left_out["x"].startswith(reason)
    pd.testing.assert_frame_equal(found.table, associate(rows, ["alcohol"]).table, check_exact=True)


def test_twenty_values_are_enough() -> None:
    found = associate(participants().assign(x=[*range(20), *[np.nan] * 100]), ["x"])
    assert found.table["n"].tolist() == [20]
    assert found.left_out == {}


def test_an_infinity_is_a_missing_value() -> None:
    rows = participants()
    rows.loc[[3, 50], "blood pressure"] = [np.inf, -np.inf]
    found = associate(rows, ["blood pressure"])
    expected = associate(rows.drop(index=[3, 50]), ["blood pressure"])
    assert found.left_out == {}
    pd.testing.assert_frame_equal(found.table, expected.table, check_exact=True)


def test_text_and_truth_values_give_what_their_numbers_give() -> None:
    rows = participants()
    smokes = rows["smoking"] == 1
    table = associate(
        rows.assign(words=smokes.map({True: "yes", False: "no"}), truth=smokes), ["smoking", "words", "truth"]
    ).table
    for name in COLUMNS[1:]:
        assert table[name].nunique(dropna=False) == 1


@pytest.mark.parametrize(
    ("column", "coding"),
    [
        (["yes", "no", "no"] * 40, "0 = no, 1 = yes"),
        (["3", "unknown", "3"] * 40, "0 = 3, 1 = unknown"),
        ([True, False, False] * 40, None),
        ([2.0, 1.0, 1.0] * 40, None),
        (["2", "1", "1"] * 40, None),
    ],
    ids=["text", "text-beside-a-number", "truth-values", "numbers", "numbers-as-text"],
)
def test_the_coding_of_text_columns_is_reported(column: list[object], coding: str | None) -> None:
    found = associate(participants().assign(x=column), ["alcohol", "x"])
    assert "x" in found.table["variable"].tolist()
    assert found.coding == ({} if coding is None else {"x": coding})


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([0, 1, 0], "binary"),
        ([1.5, 2.5], "binary"),
        ([1, 2, 3], "ordinal"),
        (list(range(10)), "ordinal"),
        (list(range(11)), "continuous"),
        ([-1, 0, 1], "ordinal"),
        ([0, 0.5, 1], "continuous"),
    ],
)
def test_the_kind_of_a_variable_follows_from_its_values(values: list[float], kind: str) -> None:
    assert kind_of(pd.Series(values * 3, dtype=float)) == kind


@pytest.mark.parametrize(
    ("column", "left_out", "flagged"),
    [
        ([1.0] * 9 + [0.0] * 111, True, False),
        ([1.0] + [0.0] * 119, True, False),
        ([1.0] * 10 + [0.0] * 110, False, False),
        ([1.0] * 60 + [2.0] * 51 + [3.0] * 9, False, True),
        ([1.0] * 60 + [2.0] * 50 + [3.0] * 10, False, False),
        ([1.0] * 111 + [2.0] * 5 + [3.0] * 4, True, False),
        (["yes"] * 4 + ["no"] * 116, True, False),
        (["yes"] * 10 + ["no"] * 110, False, False),
        ([0.0] * 111 + [*range(1, 10)], True, False),
        (np.linspace(0, 1, 120).tolist(), False, False),
    ],
)
def test_a_rare_category_is_left_out_or_flagged_without_its_number_or_text(
    column: list[object], left_out: bool, flagged: bool
) -> None:
    found = associate(participants().assign(x=column), ["x"])
    assert found.table["variable"].tolist() == ([] if left_out else ["x"])
    reason = "fewer than 10 participants have another value than the most common one"
    assert found.left_out == ({"x": reason} if left_out else {})
    assert found.flagged == ({"x": "fewer than 10 cases in a category"} if flagged else {})
    assert not (left_out and found.coding)


def test_cases_are_counted_among_participants_with_a_value() -> None:
    rows = participants().assign(x=[1.0] * 12 + [0.0] * 108)
    assert associate(rows, ["x"]).left_out == {}
    rows.loc[:3, "bag"] = np.nan
    assert associate(rows, ["x"]).left_out.keys() == {"x"}


def test_progress_sees_every_variable() -> None:
    seen: list[str] = []

    def progress(names: Sequence[str]) -> Iterator[str]:
        for name in names:
            yield name
            seen.append(name)

    associate(participants(), ["alcohol", "smoking"], progress)
    assert seen == ["alcohol", "smoking"]


@pytest.mark.more
def test_the_time_of_a_variable_does_not_grow_with_the_columns_of_the_table() -> None:
    """Each variable filtered the whole table: 2,000 variables of 34 participants took 158 s."""
    values = np.random.default_rng(0).normal(size=(10_000, 34)).astype(str)
    table = pd.concat(
        [participants(34), pd.DataFrame({f"x{number}": column for number, column in enumerate(values)})], axis=1
    )
    some = [f"x{number}" for number in range(20)]

    def seconds(rows: pd.DataFrame) -> float:
        started = time.process_time()
        associate(rows, some)
        return time.process_time() - started

    narrow = table[[*participants(34), *some]]
    seconds(narrow)  # the first call imports
    assert seconds(table) < 3 * seconds(narrow) + 0.02
