"""Finding files by patterns with entities and wildcards."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from brainage.config.groups.cohort import BidsCohortConfig
from brainage.data.cohorts import finding
from brainage.data.cohorts.bids import BidsCohort
from brainage.data.cohorts.finding import FileFinder, FoundFile, entities_of
from brainage.data.cohorts.folders import Listing, list_folder
from brainage.data.cohorts.patterns import Level, PathPattern
from brainage.data.store.series import FileScan, Scan
from brainage.data.store.several import SeveralScans
from brainage.errors import CohortError, ConfigError

XCPD = "sub-{participant_id}/**/*_seg-{atlas}_*timeseries.tsv"
TREE = (
    "sub-1/ses-1/func/sub-1_ses-1_task-rest_space-fsLR_seg-Tian_stat-mean_timeseries.tsv",
    "sub-1/ses-1/func/sub-1_ses-1_task-rest_space-fsLR_seg-Tian_stat-mean_timeseries.json",
    "sub-1/ses-1/func/sub-1_ses-1_task-rest_space-fsLR_seg-Gordon_stat-mean_timeseries.tsv",
    "sub-10/func/sub-10_task-rest_space-fsLR_seg-Tian_den-91k_stat-mean_timeseries.ptseries.nii",
    "sub-x.7/ses-10/func/sub-x.7_ses-10_task-rest_run-2_seg-Tian_timeseries.tsv",
    "sub-x.7/ses-9/func/sub-x.7_ses-9_task-rest_run-1_seg-Tian_timeseries.tsv",
    "sub-x.7/ses-9/anat/sub-x.7_ses-9_T1w.json",
    "participants.tsv",
)


def put(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("1 2 3\n")
    return root


def find(root: Path, pattern: str, ids: tuple[str, ...] = ("1", "10", "x.7"), **entities: str) -> dict[str, list[str]]:
    found = FileFinder(root, PathPattern(pattern, entities)).find(ids, 25)
    return {name: [file.path.relative_to(root).as_posix() for file in files] for name, files in found.items()}


@pytest.mark.parametrize(
    "pattern",
    [
        XCPD,
        "*_seg-{atlas}_*timeseries.tsv",
        "**/sub-{participant_id}_*_seg-{atlas}_*timeseries.tsv",
        "sub-{participant_id}/**/func/*_task-rest_*_seg-{atlas}_*",
        "**/func/sub-{participant_id}_*seg-{atlas}_*timeseries.*",
    ],
)
def test_wildcards_and_entities_find_the_files_of_each_participant(tmp_path: Path, pattern: str) -> None:
    assert find(put(tmp_path, *TREE), pattern, atlas="Tian") == {
        "1": [TREE[0]],
        "10": [TREE[3]],
        "x.7": [TREE[5], TREE[4]],
    }


@pytest.mark.parametrize(
    ("pattern", "paths", "expected"),
    [
        pytest.param(
            "{participant_id}_*.txt",
            ["1_a.txt", "10_a.txt", "x.7.txt"],
            {"1": ["1_a.txt"], "10": ["10_a.txt"]},
            id="text after the id",
        ),
        pytest.param(
            "*_{participant_id}_a*.1D",
            ["NYU_1_a.1D", "UM_1_1_b.1D", "NYU_10_ab.1D"],
            {"1": ["NYU_1_a.1D"], "10": ["NYU_10_ab.1D"]},
            id="text before it",
        ),
        pytest.param(
            "site-*/{participant_id}/x_{dimension}",
            ["site-a/1/x_25.npy", "site-b/10/x_25.npy", "site-b/1/x_100.npy"],
            {"1": ["site-a/1/x_25.npy"], "10": ["site-b/10/x_25.npy"]},
            id="folders before it",
        ),
        pytest.param(
            "{participant_id}/a*c*e.txt",
            ["1/ace.txt", "1/ae.txt", "10/abcde.txt", "x.7/acce.csv"],
            {"1": ["1/ace.txt"], "10": ["10/abcde.txt"], "x.7": ["x.7/acce.csv"]},
            id="pieces in order",
        ),
        pytest.param(
            "{participant_id}/*.txt",
            ["1/a.npy", "1/b.csv", "10/a.txt", "10/b.csv"],
            {"1": ["1/b.csv"], "10": ["10/a.txt"]},
            id="own extension first",
        ),
        pytest.param(
            "{participant_id}/[a]?.txt", ["1/[a]?.txt", "10/ab.txt"], {"1": ["1/[a]?.txt"]}, id="no other wildcards"
        ),
        pytest.param("{{a}}{participant_id}.txt", ["{a}1.txt"], {"1": ["{a}1.txt"]}, id="braces"),
    ],
)
def test_a_wildcard_is_any_text_within_a_level(
    tmp_path: Path, pattern: str, paths: list[str], expected: dict[str, list[str]]
) -> None:
    assert find(put(tmp_path, *paths), pattern) == expected


def test_sessions_and_runs_are_known_and_sorted_by_number(tmp_path: Path) -> None:
    names = [
        f"sub-1/ses-{ses}/func/sub-1_ses-{ses}_run-{run}_bold.csv" for ses in (2, 10) for run in ("01", "02", "11")
    ]
    put(tmp_path, *names)
    found = FileFinder(tmp_path, PathPattern("sub-{participant_id}/**/*_bold.csv")).find(["1"], 25)
    pairs = [("2", "01"), ("2", "02"), ("2", "11"), ("10", "01"), ("10", "02"), ("10", "11")]
    assert found == {"1": [FoundFile(tmp_path / name, *pair) for name, pair in zip(names, pairs, strict=True)]}
    assert entities_of("sub-1/func/sub-1_task-rest_desc-a+b_bold.nii.gz") == {"sub": "1", "task": "rest", "desc": "a+b"}


@pytest.mark.parametrize("pattern", ["{participant_id}_*.csv", "*_{participant_id}.csv", "**/{participant_id}_*.csv"])
def test_a_file_is_never_of_two_participants(tmp_path: Path, pattern: str) -> None:
    put(tmp_path, "A1_B2_x.csv", "x_A1_B2.csv")
    assert find(tmp_path, pattern, ("A1_B2", "C3"))["A1_B2"]
    with pytest.raises(
        CohortError, match="`cohort.pattern`: each file must be of one participant, but .* 1 files"
    ) as caught:
        find(tmp_path, pattern, ("A1", "B2", "A1_B2"))
    assert not [one for one in ("A1", "B2") if one in str(caught.value)]
    assert find(tmp_path, pattern.replace("*_", "x_").replace("_*", "_x"), ("A1", "B2", "A1_B2")).keys() == {"A1_B2"}


def test_no_link_is_followed_out_of_the_root(tmp_path: Path) -> None:
    root, outside = (
        put(tmp_path / "root", "sub-1/own/1_a.csv"),
        put(tmp_path / "out", "sub-10/func/10_a.csv", "1_b.csv"),
    )
    (root / "sub-10").symlink_to(outside / "sub-10")
    (root / "sub-1" / "linked").symlink_to(outside)
    (root / "sub-1" / "circle").symlink_to(root / "sub-1")
    (root / "sub-x.7").symlink_to("sub-1")
    for pattern in ("sub-{participant_id}/**/{participant_id}_*.csv", "sub-{participant_id}/*/{participant_id}_*.csv"):
        assert find(root, pattern)["1"] == ["sub-1/own/1_a.csv"]
    assert "10" not in find(root, "s*-{participant_id}/func/*.csv")
    # A path without wildcards leads where the user says, and a file's content may be elsewhere, as in git-annex.
    assert find(root, "sub-{participant_id}/func/{participant_id}_a.csv") == {"10": ["sub-10/func/10_a.csv"]}
    (root / "sub-1" / "own" / "1_c.csv").symlink_to(outside / "1_b.csv")
    assert find(root, "sub-{participant_id}/own/{participant_id}_c*.csv") == {"1": ["sub-1/own/1_c.csv"]}


@pytest.mark.parametrize("participant", ["../out", "..", "a/b", "*", "1*", "", "a\0"])
def test_an_id_is_no_pattern_and_never_leads_out(tmp_path: Path, participant: str) -> None:
    root = put(tmp_path / "root", "sub-1/a.csv", "sub-a/b/a.csv")
    put(tmp_path, "out/a.csv")
    assert find(root, "sub-{participant_id}/**/*.csv", (participant,)) == {}


@pytest.mark.parametrize(
    ("pattern", "entities", "message"),
    [
        (
            "sub-{participant_id}_{atlas}.txt",
            {},
            r"may have the placeholders \{participant_id\} and \{dimension\} only",
        ),
        (
            "sub-{participant_id}.txt",
            {"atlas": "x"},
            r"must have the placeholder \{atlas\}, because `cohort\.entities` has",
        ),
        (
            "sub-{participant_id}*/a.txt",
            {},
            r"must not have \* next to \{participant_id\}, or 1 would have the files of 10",
        ),
        ("*{participant_id}.txt", {}, r"must not have \* next to"),
        ("sub-{participant_id}/a**.txt", {}, r"must have \*\* as a level of its own"),
        ("sub-{participant_id}/**", {}, r"must have \*\* as a level of its own, above the file"),
        ("{participant_id}/{dimension:>999999999}.txt", {}, r"must be a valid format"),
        ("{participant_id!r}.txt", {}, r"must be a valid format"),
        ("a*.txt", {}, r"must have \{participant_id\} or begin with \*"),
    ],
)
def test_a_pattern_that_means_nothing_is_refused(pattern: str, entities: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=rf"^`cohort\.pattern` {message}") as caught:
        PathPattern(pattern, entities)
    assert f"but got `{pattern}`" in str(caught.value)


def test_several_files_of_a_participant_are_one_message_without_ids(tmp_path: Path) -> None:
    names = [
        f"sub-A7/ses-{s}/func/sub-A7_ses-{s}_task-rest_run-{r}_bold.csv" for s in ("20190304", "2") for r in (1, 2)
    ]
    put(tmp_path, *names, "sub-B8/ses-2/func/sub-B8_ses-2_task-rest_run-1_bold.csv")
    pattern = "sub-{participant_id}/**/*_bold.csv"
    with pytest.raises(CohortError, match="`cohort.pattern`: each participant must have one file") as caught:
        BidsCohort(root=tmp_path, pattern=pattern).find_scans(["A7", "B8", "C9"], 25)
    text = str(caught.value)
    assert "1 of 2 have several, up to 4" in text
    example = "sub-{participant_id}/ses-*/func/sub-{participant_id}_ses-*_task-rest_run-*_bold.csv"
    assert f"such as `{example}`; they differ in `ses`, `run`" in text
    assert f"(got `{pattern}`), such as `_ses-1_`" in text
    assert not [secret for secret in ("A7", "B8", "2019") if secret in text]
    chosen = BidsCohort(root=tmp_path, pattern="*_ses-{session}_*_run-1_bold.csv", entities={"session": "2"})
    assert chosen.find_scans(["A7", "B8"], 25)["A7"] == FileScan(tmp_path / names[2], tmp_path)


def test_of_several_sessions_and_runs_the_first_all_or_the_longest_are_used(tmp_path: Path) -> None:
    names = [f"sub-A7/ses-{s}/sub-A7_ses-{s}_run-{r}_bold.csv" for s, r in ((1, 2), (2, 10), (2, 9))]
    put(tmp_path, *names, "sub-B8/ses-2/sub-B8_ses-2_run-1_bold.csv")

    def found(scans: str) -> dict[str, Scan]:
        return BidsCohort(root=tmp_path, pattern="*_bold.csv", scans=scans).find_scans(["A7", "B8"], 25)

    assert found("first")["A7"] == FileScan(tmp_path / names[0], tmp_path)
    for choice in ("all", "longest"):
        several = found(choice)["A7"]
        assert isinstance(several, SeveralScans)
        assert [one.label for one in several.scans] == ["ses-1_run-2", "ses-2_run-9", "ses-2_run-10"]
        assert several.only_longest == (choice == "longest")
        assert found(choice)["B8"] == found("first")["B8"]
    put(tmp_path, "sub-A7/ses-1/sub-A7_ses-1_run-2_space-T1w_bold.csv")
    with pytest.raises(CohortError, match="1 of 2 have several, up to 4"):
        found("all")


def test_each_scan_has_the_age_of_its_session(tmp_path: Path) -> None:
    names = [f"sub-A7/ses-{s}/sub-A7_ses-{s}_bold.csv" for s in (1, 2, 3)]
    put(tmp_path, *names, "sub-B8/ses-2/sub-B8_ses-2_bold.csv", "sub-C9/ses-1/sub-C9_ses-1_bold.csv")
    (tmp_path / "participants.tsv").write_text("participant_id\nsub-A7\nsub-B8\nsub-C9\n")
    for one, rows in {"A7": "ses-1\t50\nses-2\t53", "B8": "ses-1\t60\nses-2\t61", "C9": "ses-2\t70"}.items():
        (tmp_path / f"sub-{one}" / f"sub-{one}_sessions.tsv").write_text(f"session_id\tage\n{rows}\n")
    cohort = BidsCohort(root=tmp_path, pattern="*_bold.csv", scans="all")
    ages = cohort.read_table().set_index("participant_id")["age"]
    assert ages.to_dict() == {"A7": 51.5, "B8": 60.5, "C9": 70.0}
    found = cohort.find_scans(ages.index, 25)
    labelled = {
        one: [(x.label, x.age) for x in scan.scans] for one, scan in found.items() if isinstance(scan, SeveralScans)
    }
    assert labelled == {"A7": [("ses-1", 50.0), ("ses-2", 53.0)], "B8": [("ses-2", 61.0)]}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (
            "sub-{participant_id}/ses-2/func/sub-{participant_id}_{dimension}.txt",
            "`sub-{participant_id}/ses-2/func/sub-{participant_id}_25.txt` in `cohort.root=ROOT`, and "
            "`sub-{participant_id}/` has 1 x `ses-1/`",
        ),
        (
            "sub-{participant_id}/**/*_bold.csv",
            "`sub-{participant_id}/**/*_bold.csv` in `cohort.root=ROOT`, and `sub-{participant_id}/` has 1 x `ses-1/`",
        ),
        (
            "sub-{participant_id}/ses-1/func/*_seg-*_bold.csv",
            "`sub-{participant_id}/ses-1/func/*_seg-*_bold.csv` in `cohort.root=ROOT`, and "
            "`sub-{participant_id}/ses-1/func/` has 1 x `sub-{participant_id}_ses-1_bold.tsv`",
        ),
        (
            "{participant_id}/*.csv",
            "`{participant_id}/*.csv` in `cohort.root=ROOT`, and it has 4 x `sub-*/`, 1 x `*.csv`, 1 x `*.tsv`",
        ),
    ],
)
def test_where_nothing_was_found_the_first_path_and_what_is_there_are_named(
    tmp_path: Path, pattern: str, expected: str
) -> None:
    ids = ["A7", "B8", "C9", "D5"]
    put(tmp_path, *(f"sub-{one}/ses-1/func/sub-{one}_ses-1_bold.tsv" for one in ids), "participants.tsv", "Smith.csv")
    text = BidsCohort(root=tmp_path, pattern=pattern).describe_search(["E1", *ids], 25)
    assert f"The first path looked for was {expected.replace('ROOT', str(tmp_path))}." in text
    assert "cohort.pattern" in text
    assert not [secret for secret in (*ids, "Smith") if secret in text.replace(str(tmp_path), "")]


def test_each_folder_of_5000_participants_is_listed_once_in_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Listings from memory: making so many folders takes longer than looking into them.
    ids = [f"{number:04d}" for number in range(5000)]
    everyone = [f"sub-{one}" for one in ids]
    listed: list[Path] = []

    def listing(folder: Path, root: Path) -> Listing:
        listed.append(folder)
        if folder == root:
            return Listing((), everyone, everyone)
        name = f"{folder.name}_ses-1_task-rest_seg-Tian_timeseries"
        return Listing([f"{name}.json", f"{name}.tsv"])

    monkeypatch.setattr(finding, "list_folder", listing)
    for pattern, n_listed in ((XCPD, 5000), ("**/sub-{participant_id}_*_seg-{atlas}_*timeseries.tsv", 5001)):
        listed.clear()
        start = time.process_time()
        found = FileFinder(tmp_path, PathPattern(pattern, {"atlas": "Tian"})).find(ids, 25)
        assert time.process_time() - start < 5
        assert len(listed) == len(set(listed)) == n_listed
        assert len(found) == 5000


def test_hidden_folders_and_endless_trees_are_not_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, ".git/annex/1_a.csv", "x/.git/1_a.csv", "x/y/1_a.csv")
    assert find(tmp_path, "**/{participant_id}_*.csv") == {"1": ["x/y/1_a.csv"]}
    monkeypatch.setattr(finding, "MAX_FOLDERS", 2)
    assert find(tmp_path, "x/**/{participant_id}_*.csv") == {"1": ["x/y/1_a.csv"]}
    put(tmp_path, "x/y/z/1_a.csv", "x/y/w/1_a.csv", "x/y/w/v/1_a.csv")
    with pytest.raises(ConfigError, match=r"^`cohort\.pattern` must not have `\*\*` above more than 2 folders"):
        find(tmp_path, "x/**/{participant_id}_*.csv")


def test_a_folder_is_listed_with_links_told_apart(tmp_path: Path) -> None:
    put(tmp_path / "root", "b/x.txt", "a.txt", ".h/x.txt")
    (tmp_path / "out").mkdir()
    for name, target in {"c": "b", "d": "../out", "e.txt": "a.txt", "f.txt": "nowhere"}.items():
        (tmp_path / "root" / name).symlink_to(target)
    expected = Listing(["a.txt", "e.txt"], [".h", "b", "c"], ["b"])
    assert list_folder(tmp_path / "root", tmp_path / "root") == expected


@pytest.mark.parametrize("value", ["a/b", "*", "", True, 1.5, None])
def test_a_value_of_a_placeholder_is_one_name(value: object) -> None:
    with pytest.raises(ConfigError, match=r"`cohort\.entities\.atlas` must be a whole number, or text without slashes"):
        BidsCohortConfig(name="bids", root="tree", entities={"atlas": value})
    assert BidsCohortConfig(name="bids", root="tree", entities={"session": 2}).values_of_entities == {"session": "2"}
    for name in ("participant_id", "dimension", 1, "a b", ""):
        with pytest.raises(ConfigError, match=r"`cohort\.entities` must be values of placeholders of your own"):
            BidsCohortConfig(name="bids", root="tree", entities={name: "x"})
    with pytest.raises(ConfigError, match=r"`cohort\.entities` must be values by name"):
        BidsCohortConfig(name="bids", root="tree", entities="atlas")


@pytest.mark.parametrize(
    ("text", "names", "expected"),
    [
        ("sub-{participant_id}", ["sub-1", "sub-", "sub-x.7"], {"1", "x.7"}),
        ("{participant_id}_{dimension}", ["1_25", "2_x", "3_100.csv"], {"1", "3"}),
        ("*_{participant_id}_rois_*", ["NYU_1_rois_cc200.1D", "UM_1_2_rois_x", "3_rois_x"], {"1", "1_2"}),
        ("a*b*c_{participant_id}_*_{participant_id}*z", ["axbxc_1_y_1z", "abc_2_y_1_z", "abc_3__3qz"], {"1", "3"}),
        ("*e" * 40 + "{participant_id}", ["e" * 200, "e" * 39 + "1"], {"e"}),
    ],
)
def test_ids_are_found_in_names_in_time(text: str, names: list[str], expected: set[str]) -> None:
    assert Level(text).ids_of(names, r"(?:\.[A-Za-z.]+)?") == expected
