"""``brainage check``: what it prints, writes and refuses, for trees as people have them."""

from __future__ import annotations

import gzip
import json
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from brainage.commands import check as check_command
from brainage.config.overrides import quote_words
from tests.conftest import Ended, run_command, run_here

NAMES = [f"LH_Vis_{number}" for number in range(1, 7)]
XCPD = "sub-ID/ses-1/func/sub-ID_ses-1_task-rest_seg-Six_stat-mean_timeseries.tsv"


def series(number: int, n_times: int, n_channels: int = 6) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.random.default_rng(number).normal(size=(n_times, n_channels))


def text(values: Any, separator: str = "\t", names: Sequence[str] | None = NAMES) -> str:
    rows = [separator.join(f"{value:.3f}" for value in row) for row in values]
    return "\n".join([*([] if names is None else [separator.join(names)]), *rows]) + "\n"


def put(root: Path, template: str, files: dict[str, str], ages: dict[str, str] | None = None, site: str = "A") -> Path:
    """Write a text for each id, and a table with these ages, of these ids by default."""
    for participant, content in files.items():
        path = root / template.replace("ID", participant)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    known = {one: f"{40 + number}" for number, one in enumerate(files)} if ages is None else ages
    rows = [f"{participant}\t{age}\t{site}" for participant, age in known.items()]
    (root / "participants.tsv").write_text("\n".join(["participant_id\tage\tsite", *rows]) + "\n")
    return root


Check = Callable[..., Ended]


@pytest.fixture
def check(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> Check:
    """Check inside this process; no output may have an id of a participant, 90001 and so on."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Ended:
        caplog.clear()
        code = run_here(check_command.check, "check", tmp_path / "out", *quote_words(words))
        said = capfd.readouterr()
        logged = said.err + caplog.text
        record = tmp_path / "out" / "check.json"
        written = record.read_text() if record.exists() else ""
        assert not re.search(r"(?<!\d)0*900\d\d(?!\d)", said.out + logged + written)
        return Ended(code, said.out, logged)

    return run


def cells(ended: Ended, label: str) -> list[str]:
    """Return the cells of the row that begins with a label."""
    (line,) = [line for line in ended.out.splitlines() if re.match(re.escape(label) + r"(  |$)", line)]
    return re.split(r"  +", line.strip())[1:]


def ids(n: int, first: int = 90001) -> list[str]:
    return [str(first + number) for number in range(n)]


def test_everything_that_differs_is_counted(tmp_path: Path, check: Check) -> None:
    files = {one: text(series(number, 60 + 20 * (number % 2))) for number, one in enumerate(ids(24))}
    everyone = list(files)
    files[everyone[0]] = text(series(0, 60), names=NAMES[::-1])
    files[everyone[1]] = text(series(1, 60), names=[*NAMES[:5], "Other"])
    files[everyone[2]] = text(series(2, 60)[:, :5], names=NAMES[:5])
    files[everyone[3]] = text(series(3, 60).T, names=None)
    files[everyone[4]] = text(series(4, 80) * [1, 1, 0, 1, 1, 1])
    files[everyone[5]] = text(np.where(np.arange(6) == 1, [[np.nan]] + [[1.0]] * 79, 1.0) * series(5, 80))
    files[everyone[6]] = "1\tsecret\n"
    files[everyone[7]] = text(series(7, 60), names=None)
    ages = {one: "50" for one in everyone[2:]} | {f"00{everyone[0]}": "40", f"S{everyone[1]}": "41", "90077": "n/a"}
    put(tmp_path / "xcpd", XCPD, files, ages)
    (tmp_path / "xcpd" / "task-rest_bold.json").write_text('{"RepetitionTime": 0.8}')
    ended = check("cohort=bids", "cohort.root=xcpd", "cohort.max_excluded_fraction=1")
    assert ended.code == 0, ended.err
    assert [cells(ended, name) for name in ("in the table", "with a file", "with both")] == [["25"], ["24"], ["22"]]
    assert cells(ended, "*_task-rest_seg-Six_stat-mean_timeseries.tsv") == ["24", "one"]
    assert (cells(ended, "leading zeros"), cells(ended, "a prefix such as sub or S")) == (["1"], ["1"])
    assert cells(ended, "as most files: 6 channels, 6 names, LH_Vis_1 to LH_Vis_6") == ["18"]
    for label in ("seem transposed", "the same names in another order", "other names", "another number of channels"):
        (row,) = [line for line in ended.out.splitlines() if line.startswith(label)]
        assert row.endswith("  1")
    assert cells(ended, "LH_Vis_3") == ["1", "0", "0"]
    assert cells(ended, "LH_Vis_2") == ["0", "0", "1"]
    assert cells(ended, "not a number where a number belongs") == ["1"]
    assert cells(ended, "0.8 s") == ["24"]
    assert cells(ended, "A") == ["22"]
    # Eighteen of those with an age have the same channels, two of them with missing ones.
    assert cells(ended, "80") == ["10 of 18 (55.6%)"]
    assert cells(ended, "participants kept") == ["16 of 22 (72.7%)"]


def test_xcpd_output_becomes_a_trained_network_by_two_commands(tmp_path: Path) -> None:
    put(tmp_path / "xcpd", XCPD, {one: text(series(number, 60)) for number, one in enumerate(ids(40))})
    checked = run_command(tmp_path, "-m", "brainage", "check", "cohort=bids", "cohort.root=xcpd", "write=my study")
    assert checked.code == 0, checked.text
    assert "Train with: brainage train --config-dir 'my study' experiment=mine" in checked.out
    words = ("--config-dir", "my study", "experiment=mine")
    fast = ("trainer=cpu", "trainer.max_epochs=1", "batch_size=8", "model.start_out=4", "hydra.run.dir=run")
    trained = run_command(tmp_path, "-m", "brainage", "train", *words, *fast)
    assert trained.code == 0, trained.text
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert {key: config["modality"][key] for key in ("name", "dimension", "n_times", "windows", "t_r")} == {
        "name": "six",
        "dimension": 6,
        "n_times": 60,
        "windows": "all",
        "t_r": None,
    }
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["n"] == {"train": 32, "val": 4, "test": 4}
    again = run_command(tmp_path, "-m", "brainage", "check", "cohort=bids", "cohort.root=xcpd", "write=my study")
    assert again.code == 2
    assert "`write=my study` must be a folder without `experiment/mine.yaml`" in again.err


@pytest.mark.parametrize(
    ("template", "content", "modality", "said"),
    [
        (
            "csv/ID_parcels.csv",
            lambda number: text(series(number, 60 + number).T, ",", names=None),
            {"dimension": 6, "n_times": 60, "orientation": "rows_are_channels"},
            "rows are channels: rows are as many in all files, columns are not",
        ),
        (
            "rest/S_00ID_rois.1D",
            lambda number: "#afni\n#2001\t#2002\t#2101\n" + text(series(number, 70, 3), names=None),
            {"dimension": 3, "n_times": 70},
            "3 channels, 3 names, 2001 to 2101",
        ),
        (
            "ID.csv",
            lambda number: "".join(f"P{row},{line}" for row, line in enumerate(
                text(series(number, 90).T, ",", names=None).splitlines(keepends=True))),
            {"dimension": 6, "n_times": 90, "orientation": "rows_are_channels"},
            "rows are channels: the first column has names",
        ),
    ],
)  # fmt: skip
def test_files_of_other_tools_are_found_and_read_right(
    template: str, content: Callable[[int], str], modality: dict[str, Any], said: str, tmp_path: Path, check: Check
) -> None:
    put(tmp_path / "tree", template, {one: content(number) for number, one in enumerate(ids(12))})
    ended = check("cohort=bids", "cohort.root=tree", "cohort.t_r=2.5", "write=study")
    assert ended.code == 0, ended.err
    assert said in ended.out
    (path,) = (tmp_path / "study" / "modality").iterdir()
    written = yaml.safe_load(path.read_text())
    expected = {**modality, "t_r": 2.5, "windows": "all"}
    assert {key: written[key] for key in expected} == expected
    assert ("orientation" in written) == ("orientation" in modality)
    experiment = yaml.safe_load((tmp_path / "study" / "experiment" / "mine.yaml").read_text())
    assert experiment["cohort"]["root"] == str(tmp_path / "tree")
    assert experiment["cohort"]["pattern"] == template.replace("ID", "{participant_id}")
    assert {"override /model": "pooled1dcnn"} in experiment["defaults"]


def test_components_of_uk_biobank_need_no_modality_of_their_own(tmp_path: Path, check: Check) -> None:
    folder = tmp_path / "bulk"
    for number, one in enumerate(ids(12, 9000100)):
        path = folder / f"{one}_20227_2_0" / "fMRI" / "rfMRI_25.dr" / "dr_stage1.txt"
        path.parent.mkdir(parents=True)
        path.write_text(text(series(number, 490, 25), " ", names=None))
    rows = [f"{one},{50 + number},11025" for number, one in enumerate(ids(12, 9000100))]
    (tmp_path / "table.csv").write_text("\n".join(["eid,21003-2.0,54-2.0", *rows]) + "\n")
    ended = check("cohort=ukb", "cohort.root=bulk", "cohort.phenotypes=table.csv", "write=study")
    assert ended.code == 0, ended.err
    assert "rows are time points: as ica25 has them" in ended.out
    assert "9000100" not in ended.text
    assert not (tmp_path / "study" / "modality").exists()
    experiment = yaml.safe_load((tmp_path / "study" / "experiment" / "mine.yaml").read_text())
    assert experiment["defaults"][0] == {"override /modality": "ica25"}
    assert experiment["cohort"]["phenotypes"] == str(tmp_path / "table.csv")
    assert {"modality", "model"} & experiment.keys() == set()


def test_a_given_modality_keeps_its_own_values(tmp_path: Path, check: Check) -> None:
    put(
        tmp_path / "tree", "ID.csv", {one: text(series(number, 60 + number), ",") for number, one in enumerate(ids(12))}
    )
    given = ("modality=parcels", "modality.dimension=6", "modality.n_times=61", "modality.t_r=0.9", "write=study")
    ended = check("cohort=bids", "cohort.root=tree", "cohort.pattern={participant_id}.csv", *given)
    assert ended.code == 0, ended.err
    experiment = yaml.safe_load((tmp_path / "study" / "experiment" / "mine.yaml").read_text())
    assert experiment["defaults"][0] == {"override /modality": "parcels"}
    # Twelve participants have 60 to 71 time points: 61 would leave out one, which is more than 5 %.
    assert experiment["modality"] == {"dimension": 6, "n_times": 60, "t_r": 0.9}


def test_missing_channels_of_many_are_proposed_to_be_zero(tmp_path: Path, check: Check) -> None:
    names = [f"P{number}" for number in range(1, 21)]
    files = {}
    for number, one in enumerate(ids(20)):
        values = series(number, 60, 20)
        values[:, 7] *= number % 2
        files[one] = text(values, names=names)
    put(tmp_path / "tree", XCPD, files)
    ended = check("cohort=bids", "cohort.root=tree", "write=study")
    assert cells(ended, "P8") == ["10", "0", "0"]
    assert cells(ended, "participants kept") == ["20 of 20 (100.0%)"]
    assert yaml.safe_load((tmp_path / "study" / "modality" / "six.yaml").read_text())["missing"] == "zero"


def test_more_exclusions_than_the_limit_raise_it_with_a_word(tmp_path: Path, check: Check) -> None:
    files = {one: text(series(number, 60), names=NAMES if number > 2 else None) for number, one in enumerate(ids(20))}
    ended = check("cohort=bids", f"cohort.root={put(tmp_path / 'tree', XCPD, files)}", "write=study")
    assert cells(ended, "cohort.max_excluded_fraction") == ["0.16, because more are excluded than it allows"]
    experiment = yaml.safe_load((tmp_path / "study" / "experiment" / "mine.yaml").read_text())
    assert experiment["cohort"]["max_excluded_fraction"] == 0.16


def test_other_names_of_several_participants_are_shown_and_ids_in_names_are_not(tmp_path: Path, check: Check) -> None:
    files = {}
    for number, one in enumerate(ids(20)):
        names = {0: [f"{one}_{name}" for name in NAMES], 1: [*NAMES[:5], "Other"]}.get(number // 4, NAMES)
        files[one] = text(series(number, 60), names=names)
    put(tmp_path / "tree", XCPD, files)
    ended = check("cohort=bids", "cohort.root=tree")
    assert cells(ended, "other names (are excluded)") == ["8"]
    assert cells(ended, "  1 of 6 are others, such as Other") == ["4"]


def test_sessions_of_a_participant_are_chosen(tmp_path: Path, check: Check) -> None:
    files = {one: text(series(number, 60)) for number, one in enumerate(ids(12))}
    put(tmp_path / "tree", XCPD, files)
    put(tmp_path / "tree", XCPD.replace("ses-1", "ses-2"), files)
    ended = check("cohort=bids", "cohort.root=tree", "write=study")
    assert cells(ended, "*_task-rest_seg-Six_stat-mean_timeseries.tsv") == ["12", "several"]
    experiment = yaml.safe_load((tmp_path / "study" / "experiment" / "mine.yaml").read_text())
    assert experiment["cohort"]["scans"] == "first"


def test_ages_are_those_of_the_sessions_that_are_proposed(tmp_path: Path, check: Check) -> None:
    files = {one: text(series(number, 60)) for number, one in enumerate(ids(12))}
    root = put(tmp_path / "tree", XCPD, files)
    put(root, XCPD.replace("ses-1", "ses-2"), dict(list(files.items())[:4]))
    (root / "participants.tsv").write_text("\n".join(["participant_id", *files]))
    for number, one in enumerate(files):
        ages = f"session_id\tage\nses-1\t{40 + number}\n" + ("ses-2\t90\n" if number < 4 else "")
        (root / f"sub-{one}" / f"sub-{one}_sessions.tsv").write_text(ages)
    ended = check("cohort=bids", "cohort.root=tree")
    assert cells(ended, "with a file and an age") == ["12"]
    assert "age == age" not in ended.out


def test_participants_with_a_file_and_no_age_are_left_out(tmp_path: Path, check: Check) -> None:
    files = {one: text(series(number, 60)) for number, one in enumerate(ids(15))}
    ages = {one: "n/a" if number < 2 else "50" for number, one in enumerate(files)}
    put(tmp_path / "tree", XCPD, files, ages)
    ended = check("cohort=bids", "cohort.root=tree", "cohort.include=site=='A'")
    assert (cells(ended, "with both"), cells(ended, "with a file and an age")) == (["15"], ["13"])
    assert cells(ended, "cohort.include") == ["(site=='A') and age == age"]
    assert "'cohort.include=(site=='\"'\"'A'\"'\"') and age == age'" in ended.out


def test_rows_are_what_the_user_says_where_files_do_not_say_it(tmp_path: Path, check: Check) -> None:
    put(
        tmp_path / "tree",
        "ID.csv",
        {one: text(series(number, 60).T, ",", names=None) for number, one in enumerate(ids(12))},
    )
    ended = check("cohort=bids", "cohort.root=tree")
    assert "Rows are taken as time points, neither names nor different lengths say it: 60 channels" in ended.out
    ended = check("cohort=bids", "cohort.root=tree", "orientation=rows_are_channels", "write=study")
    assert ended.code == 0
    assert "If that is wrong" not in ended.text
    written = yaml.safe_load((tmp_path / "study" / "modality" / "mine.yaml").read_text())
    assert (written["dimension"], written["n_times"], written["orientation"]) == (6, 60, "rows_are_channels")


def test_files_of_those_who_withdrew_are_not_read(tmp_path: Path, check: Check) -> None:
    files = {one: text(series(number, 60)) for number, one in enumerate(ids(14))}
    everyone = list(files)
    root = put(tmp_path / "tree", XCPD, files, {one: "50" for one in everyone[1:]})
    for one in everyone[:2]:  # one of them is not in the table
        (root / XCPD.replace("ID", one)).write_text("not read")
    (tmp_path / "gone.txt").write_text("\n".join(everyone[:2]))
    ended = check("cohort=bids", "cohort.root=tree", "cohort.exclude_ids=gone.txt", "write=study")
    assert ended.code == 0, ended.err
    assert [cells(ended, name) for name in ("in the table", "with a file", "with both")] == [["12"], ["12"], ["12"]]
    assert "Files that cannot be read" not in ended.out
    experiment = yaml.safe_load((tmp_path / "study" / "experiment" / "mine.yaml").read_text())
    assert experiment["cohort"]["exclude_ids"] == str(tmp_path / "gone.txt")


def test_what_cannot_be_trained_on_is_said_after_the_tables(tmp_path: Path, check: Check) -> None:
    files = {one: text(series(number, 60)) for number, one in enumerate(ids(12))}
    root = put(tmp_path / "tree", XCPD, files)
    (root / "participants.tsv").unlink()
    ended = check("cohort=bids", "cohort.root=tree", "write=study")
    assert ended.code == 2
    assert cells(ended, "with a file") == ["12"]
    assert "participants.tsv` cannot be read: No such file" in ended.text
    assert "there is nothing to train on" in ended.text
    put(root, XCPD, files, {one: "50" for one in list(files)[:5]})
    ended = check("cohort=bids", "cohort.root=tree", "write=study")
    assert "10 participants with an age and a usable file are needed" in ended.err
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "`cohort` must be given"),
        (("cohort=bids", "cohort.root=nowhere"), "`cohort.root` must be a folder"),
        (("cohort=bids", "cohort.root=."), "participants must have files, but none has one"),
    ],
)
def test_a_mistake_is_one_message(words: Sequence[str], message: str, check: Check) -> None:
    ended = check(*words)
    assert ended.code == 2
    assert message in ended.text


@pytest.mark.more
def test_of_zips_with_parcels_only_those_that_are_in_them_are_proposed(tmp_path: Path, check: Check) -> None:
    (tmp_path / "bulk").mkdir()
    everyone = ids(12, 9000100)
    for number, one in enumerate([*everyone, "9000200"]):
        values = series(number, 200, 490)
        rows = [f"P{row}," + ",".join(f"{value:.2f}" for value in line) for row, line in enumerate(values)]
        content = "\n".join(["label_name," + ",".join(f"timepoint_{n}" for n in range(490)), *rows]) + "\n"
        with zipfile.ZipFile(tmp_path / "bulk" / f"{one}_31018_2_0.zip", "w") as archive:
            archive.writestr("fMRI/fMRI.Schaefer7n200p.csv.gz", gzip.compress(content.encode(), 1))
    table = "\n".join(["eid,21003-2.0", *(f"{one},{50 + number}" for number, one in enumerate(everyone))])
    (tmp_path / "table.csv").write_text(table + "\n")
    ended = check("cohort=ukb", "cohort.root=bulk", "cohort.phenotypes=table.csv", "write=study")
    assert ended.code == 0, ended.err
    assert "ukb_schaefer, 100 channels" not in ended.out
    assert cells(ended, "with a file, not in the table") == ["1"]
    experiment = yaml.safe_load((tmp_path / "study" / "experiment" / "mine.yaml").read_text())
    assert experiment["defaults"][0] == {"override /modality": "ukb_schaefer"}
    assert experiment["modality"] == {"dimension": 200}
