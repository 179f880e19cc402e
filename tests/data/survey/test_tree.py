"""Patterns that are proposed for trees of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from brainage.data.cohorts.patterns import PathPattern
from brainage.data.survey.tree import Proposal, files_below, ids_in_names, proposals

NUMBERS = [f"{number:02d}" for number in range(1, 5)]


def tree(*templates: str) -> list[str]:
    return [template.replace("ID", number) for number in NUMBERS for template in templates]


@pytest.mark.parametrize(
    ("paths", "patterns"),
    [
        (  # XCP-D: other statistics, confounds and tables are no series
            tree(
                "sub-ID/ses-1/func/sub-ID_ses-1_task-rest_space-fsLR_seg-4S156Parcels_stat-mean_timeseries.tsv",
                "sub-ID/ses-1/func/sub-ID_ses-1_task-rest_space-fsLR_seg-4S1056Parcels_stat-mean_timeseries.tsv",
                "sub-ID/ses-1/func/sub-ID_ses-1_task-rest_space-fsLR_seg-4S156Parcels_stat-coverage_bold.tsv",
                "sub-ID/ses-1/func/sub-ID_ses-1_task-rest_desc-confounds_timeseries.tsv",
                "sub-ID/ses-1/func/sub-ID_ses-1_task-rest_motion.tsv",
            ),
            [
                "*_task-rest_space-fsLR_seg-4S156Parcels_stat-mean_timeseries.tsv",
                "*_task-rest_space-fsLR_seg-4S1056Parcels_stat-mean_timeseries.tsv",
            ],
        ),
        (  # some have a run
            tree("sub-ID/func/sub-ID_task-rest_seg-A_timeseries.tsv")[:-1]
            + ["sub-04/func/sub-04_task-rest_run-1_seg-A_timeseries.tsv"],
            ["*_task-rest*_seg-A_timeseries.tsv"],
        ),
        (tree("derivatives/xcpd/sub-ID/func/sub-ID_timeseries.csv"),
         ["derivatives/xcpd/sub-{participant_id}/**/*_timeseries.csv"]),
        (tree("sub-ID_task-rest_timeseries.tsv"), ["sub-{participant_id}_*task-rest_timeseries.tsv"]),
        (tree("sub-ID/timeseries.npy"), ["sub-{participant_id}/**/timeseries.npy"]),
        (  # the end of one name is that of the other
            tree("sub-ID/func/sub-ID_ses-1_timeseries.tsv", "sub-ID/func/sub-ID_ses-1_seg-A_timeseries.tsv"),
            ["*_seg-A_timeseries.tsv", "sub-{participant_id}/**/sub-{participant_id}_ses-*_timeseries.tsv"],
        ),
        (  # ABIDE: sites before the id
            [f"filt/rois_{atlas}/{site}_00{number}_rois_{atlas}.1D"
             for number, site in zip(NUMBERS, ("NYU", "Pitt", "NYU", "UM"), strict=True) for atlas in ("aal", "cc200")],
            ["filt/rois_aal/*_00{participant_id}_rois_aal.1D", "filt/rois_cc200/*_00{participant_id}_rois_cc200.1D"],
        ),
        (tree("ts/ID.npy"), ["ts/{participant_id}.npy"]),
        (tree("ts/sID/rest_100.csv.gz"), ["ts/s{participant_id}/rest_100.csv.gz"]),
        (tree("sub-ID/sub-ID_${oc.env:HOME}_timeseries.tsv", "ts/{ID}.npy"), []),
        (["readme.txt", "a.csv", "sub-01/anat/x.tsv"], []),
    ],
)  # fmt: skip
def test_a_pattern_is_what_names_have_in_common(paths: list[str], patterns: list[str]) -> None:
    found = proposals(sorted(paths), NUMBERS)
    assert [one.pattern for one in found] == patterns
    for one in found:
        assert one.n_participants == 4
        assert not one.has_several
        PathPattern(one.pattern)  # is one that can be used


def test_several_scans_of_a_participant_are_known() -> None:
    paths = tree(
        "sub-ID/ses-1/func/sub-ID_ses-1_seg-A_timeseries.tsv", "sub-ID/ses-2/func/sub-ID_ses-2_seg-A_timeseries.tsv"
    )
    assert proposals(paths, []) == [Proposal("*_seg-A_timeseries.tsv", 4, has_several=True)]
    assert ids_in_names(paths) == set(NUMBERS)


def test_files_of_known_formats_are_found(tmp_path: Path) -> None:
    for path in ("a/b/x.tsv", "y.csv.gz", ".git/z.txt", "a/image.nii.gz", "a/x.json"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("1")
    assert files_below(tmp_path) == ["a/b/x.tsv", "y.csv.gz"]
