"""The simulated cohort: who its people are, what their series carry, and what its files hold."""

from __future__ import annotations

import csv
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainage.commands.simulate import main
from brainage.data.cohorts.simulated import GOOD_COMPONENTS, PHENOTYPE_CAUSES, SITES, SimulatedCohort
from brainage.data.cohorts.simulated_series import GENERATOR_VERSION, SimulatedScan, age_components
from brainage.data.store.series import FileScan, ZipScan, checked_series
from brainage.errors import ConfigError

N_TIMES = 490
SCAN = SimulatedScan(
    cohort_seed=0,
    index=3,
    brain_age_effect=0.5,
    head_motion=0.1,
    site=1,
    dimension=25,
    good_components=GOOD_COMPONENTS[25],
    n_times=N_TIMES,
    t_r=0.735,
)


@pytest.fixture(scope="module")
def many() -> pd.DataFrame:
    return SimulatedCohort(n_participants=20_000).read_table()


def correlation(table: pd.DataFrame, one: str, other: str) -> float:
    return float(table[one].corr(table[other]))


def partial_correlation(table: pd.DataFrame, one: str, other: str) -> float:
    """Correlate what age and motion do not explain linearly."""
    table = table.dropna()
    held = np.column_stack([np.ones(len(table)), table["age"], np.log(table["head_motion"])])
    rest = [table[name] - held @ np.linalg.lstsq(held, table[name], rcond=None)[0] for name in (one, other)]
    return float(np.corrcoef(rest)[0, 1])


def good_series(dimension: int, n_participants: int, signal: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return ages and series, an array of shape (n_participants, n_good, n_times)."""
    good = GOOD_COMPONENTS[dimension]
    cohort = SimulatedCohort(n_participants=n_participants, signal=signal, good_components=good)
    table = cohort.read_table()
    scans = cohort.find_scans(table["participant_id"], dimension).values()
    series = [checked_series(scan.read(), dimension, N_TIMES)[np.array(good) - 1] for scan in scans]
    return table["age"].to_numpy(), np.stack(series)


def connections(series: np.ndarray) -> np.ndarray:
    """Return correlations of pairs of components, an array of shape (..., n_pairs)."""
    rows, columns = np.triu_indices(series.shape[-2], 1)
    return (series @ np.swapaxes(series, -1, -2) / series.shape[-1])[..., rows, columns]


def ridge_errors(age: np.ndarray, series: np.ndarray, penalty: float) -> tuple[float, float]:
    """Return the test MAE of a ridge on Fisher-z connectivity and that of the mean of the training ages."""
    features = np.arctanh(connections(series))
    n_train = int(0.8 * len(age))
    features = (features - features[:n_train].mean(axis=0)) / features[:n_train].std(axis=0)
    train, test, mean = features[:n_train], features[n_train:], age[:n_train].mean()
    kernel = train @ train.T + penalty * np.eye(n_train)
    predicted = mean + test @ (train.T @ np.linalg.solve(kernel, age[:n_train] - mean))
    return float(np.abs(predicted - age[n_train:]).mean()), float(np.abs(mean - age[n_train:]).mean())


# The people


def test_ages_have_the_published_distribution(many: pd.DataFrame) -> None:
    assert many["age"].mean() == pytest.approx(63.4, abs=0.2)
    assert many["age"].std() == pytest.approx(7.65, abs=0.1)
    assert many["age"].between(46, 82).all()
    assert many["true_gap"].mean() == pytest.approx(0, abs=0.1)
    assert many["true_gap"].std() == pytest.approx(4, abs=0.1)
    assert abs(correlation(many, "age", "true_gap")) < 0.03


def test_the_table_has_the_standard_columns_and_types(many: pd.DataFrame) -> None:
    standard = ["participant_id", "age", "sex", "site", "head_motion"]
    assert list(many.columns) == [*standard, *PHENOTYPE_CAUSES, "true_gap"]
    assert many["participant_id"].iloc[[0, 9, 19_999]].tolist() == ["sim000001", "sim000010", "sim020000"]
    assert many["participant_id"].is_monotonic_increasing
    assert many.index.tolist() == list(range(20_000))
    assert set(many["sex"]) == {0, 1}
    assert set(many["site"]) == set(SITES)
    assert many["head_motion"].median() == pytest.approx(0.12, abs=0.005)


def test_head_motion_and_site_go_weakly_with_age(many: pd.DataFrame) -> None:
    assert 0.13 < correlation(many, "age", "head_motion") < 0.22
    by_site = many.groupby("site")["age"].mean()
    assert 1 < by_site.max() - by_site.min() < 6


def test_a_null_cohort_has_motion_and_site_independent_of_age() -> None:
    null = SimulatedCohort(n_participants=20_000, signal=0).read_table()
    assert abs(correlation(null, "age", "head_motion")) < 0.03
    by_site = null.groupby("site")["age"].mean()
    assert by_site.max() - by_site.min() < 0.6


def test_a_null_cohort_has_the_same_ages_and_gaps(many: pd.DataFrame) -> None:
    null = SimulatedCohort(n_participants=50, signal=0).read_table()
    pd.testing.assert_frame_equal(null[["age", "true_gap"]], many[["age", "true_gap"]].head(50))


@pytest.mark.parametrize(("phenotype", "cause"), PHENOTYPE_CAUSES.items())
def test_each_phenotype_goes_with_its_cause(many: pd.DataFrame, phenotype: str, cause: str | None) -> None:
    if cause is None:
        assert all(abs(correlation(many, phenotype, name)) < 0.03 for name in ("age", "head_motion", "true_gap"))
    else:
        assert abs(correlation(many, phenotype, cause)) > 0.35


@pytest.mark.parametrize("phenotype", PHENOTYPE_CAUSES)
def test_only_the_phenotype_of_the_gap_goes_with_it_at_equal_age_and_motion(many: pd.DataFrame, phenotype: str) -> None:
    found = abs(partial_correlation(many, phenotype, "true_gap"))
    assert found > 0.4 if phenotype == "processing_speed" else found < 0.03


def test_only_restlessness_has_missing_values(many: pd.DataFrame) -> None:
    missing = many.isna().mean()
    assert missing.pop("restlessness") == pytest.approx(0.03, abs=0.005)
    assert (missing == 0).all()


def test_a_person_does_not_depend_on_how_many_there_are(many: pd.DataFrame) -> None:
    for n_participants in (1, 1023, 1025):
        few = SimulatedCohort(n_participants=n_participants).read_table()
        pd.testing.assert_frame_equal(few, many.head(n_participants))


def test_another_seed_makes_other_people(many: pd.DataFrame) -> None:
    other = SimulatedCohort(n_participants=100, seed=1).read_table()
    assert (other["age"] != many["age"].head(100)).mean() > 0.9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_participants": 0}, "`n_participants` must be at least 1, but got 0"),
        ({"seed": -1}, "`seed` must be at least 0, but got -1"),
        ({"signal": -0.5}, "`signal` must be at least 0, but got -0.5"),
        ({"signal": float("nan")}, "`signal` must be at least 0, but got nan"),
        ({"n_times": 0}, "`n_times` must be at least 1, but got 0"),
        ({"t_r": 0.0}, "`t_r` must be positive seconds, but got 0.0"),
    ],
)
def test_numbers_out_of_range_are_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SimulatedCohort(**arguments)  # type: ignore[arg-type]


# Their scans


def test_scans_come_in_the_order_asked_for_and_unknown_people_have_none() -> None:
    wanted = ["sim000007", "sim000002", "sim000011", "sim2", "9000001"]
    assert list(SimulatedCohort(n_participants=10).find_scans(wanted, 25)) == ["sim000007", "sim000002"]


@pytest.mark.parametrize("component", [0, 26])
def test_components_that_do_not_exist_are_refused(component: int) -> None:
    cohort = SimulatedCohort(n_participants=1, good_components=(1, component))
    with pytest.raises(ConfigError, match="must be between 1 and the dimension 25"):
        cohort.find_scans([], 25)


@pytest.mark.parametrize("dimension", [1, 25, 50, 100])
def test_every_dimension_gives_usable_series_even_if_all_components_are_good(dimension: int) -> None:
    cohort = SimulatedCohort(n_participants=2)
    for scan in cohort.find_scans(["sim000001", "sim000002"], dimension).values():
        raw = scan.read()
        assert raw.shape == (N_TIMES, dimension)
        checked_series(raw, dimension, N_TIMES)


def test_a_scan_reads_the_same_every_time_and_after_pickling() -> None:
    pickled = pickle.dumps(SCAN)
    assert len(pickled) < 1000
    np.testing.assert_array_equal(pickle.loads(pickled).read(), SCAN.read())


def test_a_longer_scan_begins_with_the_shorter_one() -> None:
    long = replace(SCAN, n_times=1200).read()
    for n_times in (N_TIMES, 523, 980):
        np.testing.assert_array_equal(replace(SCAN, n_times=n_times).read(), long[:n_times])


def test_whatever_changes_the_content_changes_the_stamp() -> None:
    other_good = GOOD_COMPONENTS[25][:-1]
    changes = {"cohort_seed": 1, "index": 4, "brain_age_effect": 0.6, "head_motion": 0.2, "site": 2}
    changes |= {"n_times": 500, "t_r": 0.8, "good_components": other_good, "dimension": 26}
    assert set(changes) == set(SCAN.__dataclass_fields__)
    for name, value in changes.items():
        changed = replace(SCAN, **{name: value})
        assert changed.stamp() != SCAN.stamp()
        assert not np.array_equal(changed.read(), SCAN.read())
    assert GENERATOR_VERSION in SCAN.stamp()
    assert all(isinstance(part, str | int | float) for part in SCAN.stamp())


def test_both_dimensions_show_the_same_sources() -> None:
    # The first component of 25 averages sources 1 to 4; at 100 two components average 1 and 2, and 3 and 4.
    cohorts = {d: SimulatedCohort(n_participants=2, good_components=good) for d, good in GOOD_COMPONENTS.items()}
    one, two = (
        {d: cohorts[d].find_scans([name], d)[name].read() for d in cohorts} for name in ("sim000001", "sim000002")
    )
    coarse = one[25][:, 0] - one[25][:, 0].mean()

    def explained_by(fine: np.ndarray) -> float:
        fine = fine - fine.mean(axis=0)
        fit = fine @ np.linalg.lstsq(fine, coarse, rcond=None)[0]
        return float(np.var(fit) / np.var(coarse))

    assert explained_by(one[100][:, [1, 2]]) > 0.6
    assert explained_by(two[100][:, [1, 2]]) < 0.1


def test_age_components_are_those_of_the_networks_that_age_acts_on() -> None:
    # 84 sources, 4 a component at 25: networks 1-4 are good components 1-7, networks 9-12 the last 7 of 21.
    assert age_components(25, GOOD_COMPONENTS[25]) == (1, 2, 3, 5, 6, 7, 8, *range(16, 23))
    # At 100, 29 components with 2 sources and 26 with 1: networks 1-4 are the first 14, networks 9-12 the last 27.
    last = (45, 46, 48, 49, 50, 52, 53, 57, 58, 60, 63, 64, 93)
    assert age_components(100, GOOD_COMPONENTS[100]) == (*range(2, 16), *range(30, 44), *last)


@pytest.mark.parametrize("dimension", [25, 100])
def test_brain_age_changes_the_age_components_and_no_others(dimension: int) -> None:
    young = replace(SCAN, dimension=dimension, good_components=GOOD_COMPONENTS[dimension], brain_age_effect=-1.5)
    changed = (young.read() != replace(young, brain_age_effect=1.5).read()).any(axis=0)
    assert tuple(np.flatnonzero(changed) + 1) == age_components(dimension, GOOD_COMPONENTS[dimension])


def test_signal_scales_what_brain_age_does() -> None:
    effects = [
        SimulatedCohort(n_participants=5, signal=signal).find_scans(["sim000005"], 25)["sim000005"].brain_age_effect
        for signal in (0.0, 1.0, 3.0)
    ]
    person = SimulatedCohort(n_participants=5).read_table().iloc[4]
    per_signal = (person["age"] + person["true_gap"] - 63.4) / 10
    assert effects == pytest.approx([0, per_signal, 3 * per_signal])


def test_more_motion_puts_more_of_one_course_into_all_components() -> None:
    still, moving = (
        connections(checked_series(replace(SCAN, head_motion=motion).read(), 25, N_TIMES)).mean()
        for motion in (0.05, 1.0)
    )
    assert moving > still + 0.3


@pytest.mark.parametrize("dimension", [25, 100])
def test_the_series_look_like_bold(dimension: int) -> None:
    good = GOOD_COMPONENTS[dimension]
    cohort = SimulatedCohort(n_participants=40, good_components=good, n_times=2 * N_TIMES)
    raw = [scan.read() for scan in cohort.find_scans(cohort.read_table()["participant_id"], dimension).values()]
    windows = [[checked_series(scan[start:], dimension, N_TIMES) for start in (0, N_TIMES)] for scan in raw]
    series = np.array(windows)[:, :, np.array(good) - 1]
    first = series[:, 0]
    power, frequency = np.abs(np.fft.rfft(first)) ** 2, np.fft.rfftfreq(N_TIMES, 0.735)
    slow = (frequency >= 0.01) & (frequency <= 0.1)
    connectome = connections(series)
    between = np.corrcoef(connectome[:, 0])[np.triu_indices(len(raw), 1)]
    found = {
        "lag-1 autocorrelation": np.median((first[..., 1:] * first[..., :-1]).mean(axis=-1)),
        "lag-5 autocorrelation": np.median((first[..., 5:] * first[..., :-5]).mean(axis=-1)),
        "share of power": np.median(power[..., slow].sum(axis=-1) / power[..., 1:].sum(axis=-1)),
        "SD of a connection": np.median(connectome[:, 0].std(axis=0)),
        "same person": np.median([np.corrcoef(person)[0, 1] for person in connectome]),
        "different people": np.median(between),
    }
    measured = dict(zip(found, (0.67, 0.28, 0.55, 0.13, 0.89, 0.68), strict=True))
    assert found == pytest.approx(measured, rel=1 / 3)
    assert found["same person"] > found["different people"] + 0.08
    assert abs(np.median((first**4).mean(axis=-1) - 3)) < 0.2


def test_connectivity_tells_age() -> None:
    ridge, baseline = ridge_errors(*good_series(25, 1000), penalty=100)
    assert ridge < 0.7 * baseline


def test_connectivity_of_a_null_cohort_does_not_tell_age() -> None:
    ridge, baseline = ridge_errors(*good_series(25, 1000, signal=0), penalty=1000)
    assert ridge > 0.95 * baseline


@pytest.mark.slow
def test_a_ridge_on_connectivity_is_as_good_as_designed_and_better_at_100() -> None:
    from sklearn import linear_model

    errors = {}
    for dimension in (25, 100):
        age, series = good_series(dimension, 1500)
        features = np.arctanh(connections(series))
        features = (features - features.mean(axis=0)) / features.std(axis=0)
        folds = []
        for test in np.array_split(np.arange(1500), 5):
            train = np.setdiff1d(np.arange(1500), test)
            ridge = linear_model.RidgeCV(np.logspace(0, 5, 11)).fit(features[train], age[train])
            folds.append(np.abs(ridge.predict(features[test]) - age[test]).mean())
        errors[dimension] = np.mean(folds)
    assert 3.2 < errors[25] < 3.8
    assert errors[100] < errors[25] - 0.15


# The files


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "brainage.data.simulated", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def in_memory(dimension: int, number: int, **arguments: float) -> np.ndarray:
    good = GOOD_COMPONENTS[dimension]
    cohort = SimulatedCohort(n_participants=number, good_components=good, **arguments)  # type: ignore[arg-type]
    name = f"sim{number:06d}"
    return cohort.find_scans([name], dimension)[name].read()


def read_ukb(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "phenotypes.csv", dtype=str, keep_default_na=False)


def test_the_command_writes_uk_biobank_files_that_agree_with_memory(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "here"
    done = run("--layout", "ukb", "--out", folder, "--participants", 10, "--seed", 5, "--signal", 2)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[:2] == ["1 of 10 participants", "2 of 10 participants"]
    assert lines[-2:] == [
        f"Wrote 10 participants with 25 and 100 components to {folder}",
        "Train on them with: python train.py cohort=ukb "
        f"cohort.root={folder}/bulk cohort.phenotypes={folder}/phenotypes.csv",
    ]
    bulk = folder / "bulk"
    assert sorted(path.name for path in bulk.iterdir()) == [f"{9000000 + i}_20227_2_0.zip" for i in range(1, 11)]
    for dimension in (25, 100):
        member = f"fMRI/rfMRI_{dimension}.dr/dr_stage1.txt"
        for number, n_times in ((1, 490), (8, 523)):
            series = ZipScan(bulk / f"{9000000 + number}_20227_2_0.zip", bulk, member).read()
            assert series.shape == (n_times, dimension)
            expected = in_memory(dimension, number, seed=5, signal=2)
            np.testing.assert_allclose(series[:N_TIMES], expected, rtol=1e-5, atol=1e-12)


def test_the_uk_biobank_table_agrees_with_memory_and_has_what_real_tables_have(tmp_path: Path) -> None:
    assert main(["--layout", "ukb", "--out", str(tmp_path), "--participants", "20"]) == 0
    table, people = read_ukb(tmp_path), SimulatedCohort(n_participants=20).read_table()
    # Two more people, a tenth, were recruited and never imaged.
    assert table["eid"].tolist() == [str(9000001 + i) for i in range(22)]
    imaged, others = table.head(20), table.tail(2)
    for column, name in {
        "21003-2.0": "age",
        "25741-2.0": "head_motion",
        "31-0.0": "sex",
        "47-2.0": "grip_strength",
    }.items():
        assert imaged[column].astype(float).tolist() == people[name].tolist()
    for column, name in {"20159-2.0": "processing_speed", "20116-2.0": "smoker", "52-0.0": "month_of_birth"}.items():
        assert imaged[column].astype(float).tolist() == people[name].tolist()
    assert imaged["true_gap"].astype(float).tolist() == people["true_gap"].tolist()
    assert imaged["21003-2.0"].str.fullmatch(r"\d\d\.\d\d").all()
    assert set(imaged["54-2.0"]) <= {"11025", "11026", "11027", "11028"}
    earlier = people["age"] - imaged["21003-0.0"].astype(float)
    assert earlier.between(5.99, 10.01).all()
    assert (table["21022-0.0"] == table["21003-0.0"]).all()
    assert set(table["54-0.0"]).isdisjoint(imaged["54-2.0"])
    recruitment = {"eid", "31-0.0", "52-0.0", "54-0.0", "21003-0.0", "21022-0.0"}
    assert {column for column in table if (others[column] != "").all()} == recruitment
    assert (others[list(set(table) - recruitment)] == "").all(axis=None)


def test_every_value_of_the_dash_style_is_quoted(tmp_path: Path) -> None:
    main(["--layout", "ukb", "--out", str(tmp_path), "--participants", "1"])
    with (tmp_path / "phenotypes.csv").open() as file:
        rows = list(csv.reader(file, quoting=csv.QUOTE_NONE))
    assert all(value.startswith('"') and value.endswith('"') for row in rows for value in row)


def test_missing_answers_are_codes_in_uk_biobank_and_na_in_bids(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("brainage.data.cohorts.simulated_files._write_series", lambda cohort, write: None)
    for layout in ("ukb", "bids"):
        main(["--layout", layout, "--out", str(tmp_path / layout), "--participants", "300"])
    missing = SimulatedCohort(n_participants=300).read_table()["restlessness"].isna().to_numpy()
    assert missing.any()
    answers = read_ukb(tmp_path / "ukb")["2070-2.0"].head(300)
    assert set(answers[missing]) == {"-1", "-3"}
    assert set(answers[~missing]) == {"1", "2", "3", "4"}
    people = pd.read_csv(tmp_path / "bids" / "participants.tsv", sep="\t", dtype=str, keep_default_na=False)
    assert ((people["restlessness"] == "n/a") == missing).all()


@pytest.mark.parametrize(
    ("style", "names", "sexes"),
    [
        ("dot", ["f.eid", "f.31.0.0", "f.52.0.0", "f.54.0.0", "f.54.2.0", "f.21003.2.0", "f.21022.0.0"], {"0", "1"}),
        ("rap", ["eid", "p31", "p52", "p54_i0", "p54_i2", "p21003_i2", "p21022"], {"Female", "Male"}),
    ],
)
def test_the_other_column_styles_name_columns_as_uk_biobank_does(
    tmp_path: Path, style: str, names: list[str], sexes: set[str]
) -> None:
    main(["--layout", "ukb", "--out", str(tmp_path), "--participants", "10", "--columns", style])
    table = read_ukb(tmp_path)
    assert [name for name in table if name in names] == names
    assert set(table[names[1]]) == sexes
    assert "true_gap" in table
    assert table[names[4]].str.endswith(" (imaging)").head(10).all() == (style == "rap")


def test_extracted_files_hold_what_the_zips_hold(tmp_path: Path) -> None:
    main(["--layout", "ukb", "--out", str(tmp_path), "--participants", "1", "--extracted"])
    path = tmp_path / "bulk" / "9000001" / "fMRI" / "rfMRI_25.dr" / "dr_stage1.txt"
    np.testing.assert_allclose(FileScan(path, tmp_path).read(), in_memory(25, 1), rtol=1e-5, atol=1e-12)
    assert len(list((tmp_path / "bulk").rglob("*.*"))) == 4


def test_the_command_writes_bids_files_that_agree_with_memory(tmp_path: Path) -> None:
    folder = tmp_path / "with space"
    done = run("--layout", "bids", "--out", folder, "--participants", 2)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(f"python train.py cohort=bids 'cohort.root={folder}'\n")
    people = pd.read_csv(folder / "participants.tsv", sep="\t")
    expected = SimulatedCohort(n_participants=2).read_table()
    assert people["participant_id"].tolist() == ["sub-sim000001", "sub-sim000002"]
    assert people["sex"].tolist() == ["FM"[sex] for sex in expected["sex"]]
    rest = [name for name in expected if name not in ("participant_id", "sex")]
    pd.testing.assert_frame_equal(people[rest], expected[rest], check_dtype=False)
    for dimension in (25, 100):
        name = f"sub-sim000002/ses-2/func/sub-sim000002_ses-2_task-rest_ts-ica-{dimension}.txt"
        series = FileScan(folder / name, folder).read()
        np.testing.assert_allclose(series, in_memory(dimension, 2), rtol=1e-5, atol=1e-12)


def test_the_text_is_one_time_point_a_line_with_two_spaces_between_numbers(tmp_path: Path) -> None:
    main(["--layout", "bids", "--out", str(tmp_path), "--participants", "1"])
    text = next(tmp_path.rglob("*-25.txt")).read_text()
    assert len(text.splitlines()) == N_TIMES
    assert {len(line.split("  ")) for line in text.splitlines()} == {26}  # each number is followed by two spaces


def test_the_command_leaves_a_folder_that_holds_files_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    done = run("--layout", "bids", "--out", tmp_path, "--participants", 2)
    assert done.returncode == 2
    rule = "must be a new or an empty folder, but it has files. Name another one."
    assert done.stderr == f"error: `--out {tmp_path}` {rule}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_file_in_place_of_the_folder_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["--layout", "bids", "--out", str(tmp_path / "file"), "--participants", "2"]) == 2
    assert capsys.readouterr().err == f"error: `--out {tmp_path / 'file'}` cannot be made into a folder: File exists.\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--layout", "ukb", "--participants", "0"], "`--participants` must be at least 1, but got 0"),
        (["--layout", "ukb", "--participants", "many"], "invalid int value: 'many'"),
        (["--layout", "ukb", "--participants", "5", "--seed", "-1"], "`--seed` must not be negative, but got -1"),
        (["--layout", "ukb", "--participants", "5", "--signal", "-1"], "`--signal` must be 0 or more, but got -1.0"),
        (["--layout", "ukb", "--participants", "5", "--signal", "nan"], "`--signal` must be 0 or more, but got nan"),
        (["--layout", "bids", "--participants", "5", "--columns", "dot"], "need `--layout ukb`"),
        (["--layout", "bids", "--participants", "5", "--extracted"], "need `--layout ukb`"),
        (["--layout", "nifti", "--participants", "5"], "invalid choice: 'nifti'"),
    ],
)
def test_wrong_options_exit_with_2_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([*arguments, "--out", str(tmp_path / "new")])
    assert message in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_the_simulation_does_not_import_torch() -> None:
    code = "import sys, brainage.commands.simulate; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("dimension", "starts", "sizes"),
    [
        (25, [7.1913, -25.8397, -19.7079], [27.0104, 24.7389, 29.2531]),
        (100, [-16.8341, -33.9654, 14.1363], [28.8945, 28.601, 29.6119]),
    ],
)
def test_the_people_of_version_1_are_frozen(dimension: int, starts: list[float], sizes: list[float]) -> None:
    # Results that the repository holds are of these people: another generator needs another `cohort.version`.
    assert GENERATOR_VERSION == 1
    cohort = SimulatedCohort(n_participants=3, seed=0)
    table = cohort.read_table()
    assert table["age"].tolist() == [70.84, 74.22, 62.61]
    assert table["true_gap"].tolist() == [0.274, 2.082, 3.172]
    scans = [scan.read() for scan in cohort.find_scans(table["participant_id"], dimension).values()]
    assert [scan[0, 0] for scan in scans] == pytest.approx(starts, abs=1e-3)
    assert [np.abs(scan).mean() for scan in scans] == pytest.approx(sizes, abs=1e-3)
