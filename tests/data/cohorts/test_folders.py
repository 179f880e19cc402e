"""Folders that the system cannot read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brainage.data.cohorts import folders
from brainage.data.cohorts.bids import BidsCohort
from brainage.data.cohorts.folders import look_into
from brainage.data.cohorts.ukb import UkbCohort
from brainage.errors import MissingPathError

IDS = ("1000011", "1000022")


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "PAUSE", 0.0)


def failing(times: int, error: OSError) -> Callable[[Path], list[str]]:
    left = [times]

    def look(path: Path) -> list[str]:
        left[0] -= 1
        if left[0] >= 0:
            raise error
        return [name.name for name in path.iterdir()]

    return look


def test_passing_trouble_is_tried_again(tmp_path: Path) -> None:
    assert look_into(tmp_path, [tmp_path], failing(1, OSError(5, "Input/output error"))) == {tmp_path: []}


def test_a_folder_that_cannot_be_read_is_an_error_without_its_name(tmp_path: Path) -> None:
    own = tmp_path / "1000011"
    with pytest.raises(MissingPathError) as caught:
        look_into(tmp_path, [own, own, tmp_path], failing(3, OSError(5, "Input/output error")))
    assert "1 of 2 folders of participants' files cannot be read (1 x Input/output error)" in str(caught.value)
    assert f"`cohort.root={tmp_path}`" in str(caught.value)
    assert "cohort.exclude_ids=FILE" in str(caught.value)
    assert "1000011" not in str(caught.value)


def test_what_does_not_exist_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "circle").symlink_to("circle")
    paths = [tmp_path / name for name in ("nowhere", "file/below", "circle", "n" * 300)]
    assert look_into(tmp_path, paths, os.listdir) == {}


def deny(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    """Deny what is asked about paths with this name in them; tests may run as a user who may enter all folders."""

    def denied(ask: Callable[..., Any]) -> Callable[..., Any]:
        def answer(path: Any, *arguments: Any, **options: Any) -> Any:
            if not isinstance(path, int) and part in os.fspath(path):
                raise PermissionError(13, "Permission denied", os.fspath(path))
            return ask(path, *arguments, **options)

        return answer

    for name in ("scandir", "stat", "listdir"):
        monkeypatch.setattr(os, name, denied(getattr(os, name)))


def put(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("1 2\n")


READERS = {
    "a participant's folder, BIDS": (BidsCohort, "sub-1000011/ses-2/func/sub-1000011_ses-2_task-rest_ts-ica-25.txt"),
    "an extracted folder, UK Biobank": (UkbCohort, "1000011_20227_2_0/fMRI/rfMRI_25.dr/dr_stage1.txt"),
    "a two-digit folder, UK Biobank": (UkbCohort, "10/1000011_20227_2_0.zip"),
}


@pytest.mark.parametrize("name", READERS)
def test_a_folder_that_cannot_be_entered_is_not_one_without_scans(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, path = READERS[name]
    put(tmp_path / path)
    reader = kind(root=tmp_path, phenotypes=None, need_ages=False)
    assert set(reader.find_scans(IDS, 25)) == {"1000011"}
    deny(monkeypatch, f"/{Path(path).parts[0]}")
    with pytest.raises(MissingPathError, match=r"1 of \d folders .* \(1 x Permission denied\)") as caught:
        reader.find_scans(IDS, 25)
    assert "1000011" not in str(caught.value)


@pytest.mark.parametrize("kind", [BidsCohort, UkbCohort])
def test_a_link_in_a_circle_loses_no_other_participant(kind: type, tmp_path: Path) -> None:
    names = {IDS[0]: f"{IDS[0]}_20227_2_0.zip", IDS[1]: f"{IDS[1]}_20227_2_0.zip"}
    put(tmp_path / names[IDS[0]])
    (tmp_path / names[IDS[1]]).symlink_to(names[IDS[1]])
    own = {} if kind is UkbCohort else {"pattern": "{participant_id}_20227_2_0.zip"}
    reader = kind(root=tmp_path, phenotypes=None, need_ages=False, **own)
    assert set(reader.find_scans(IDS, 25)) == set(IDS)
