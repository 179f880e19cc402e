"""Whatever a user can hand over that is wrong: each ends with one message, the right exit code, and nothing half-made.

Every case goes through the entrypoint that a user calls, inside this process for speed; some also as a command.
"""

# ruff: noqa: E501 (the tables hold a case a line)

from __future__ import annotations

import contextlib
import gzip
import io
import json
import logging
import re
import runpy
import shutil
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import torch
from filelock import FileLock
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

from brainage.data.cohorts.simulated_files import series_text
from brainage.data.store.layout import list_stores, load_store, stream_rows
from tests.conftest import ROOT, Ended, run_command

# Recognisable, so that one that gets out is found wherever it went.
IDS = tuple(str(7777001 + number) for number in range(12))
N_TIMES, N_COMPONENTS = 60, 25
NUMBERS = np.random.default_rng(3).standard_normal((N_TIMES, N_COMPONENTS))
SERIES = series_text(NUMBERS).encode()
MEMBER = "fMRI/rfMRI_25.dr/dr_stage1.txt"

# A network and a fit that are over in a moment.
TINY = (
    "modality.n_times=60",
    "model.depth=1",
    "model.kernel_size=3",
    "model.start_out=2",
    "batch_size=4",
    "trainer=cpu",
    "trainer.max_epochs=1",
)
BIDS = ("cohort=bids", "cohort.root=tree", "cohort.pattern='{participant_id}_{dimension}.txt'", *TINY)
UKB = ("cohort=ukb", "cohort.root=bulk", "cohort.phenotypes=ukb.csv", *TINY)

Prepare = Callable[[Path], object]


@dataclass(frozen=True)
class Case:
    """Something wrong that a user hands over.

    Parameters
    ----------
    name : str
        What it is.
    message : str
        A regular expression of what the user is told.
    words : tuple of str
        The command line behind ``python``; without a script or ``-m``, overrides of ``train.py``.
    prepare : callable or None
        Writes the bad file, in a folder in which all else is right.
    code : int
        The exit code: 2, or 1 where Hydra itself refuses an override.
    """

    name: str
    message: str
    words: tuple[str, ...]
    prepare: Prepare | None = None
    code: int = 2


# --- A folder in which all is right ---


def write_cohorts(folder: Path) -> None:
    """Write one cohort twice: as a tree with ``participants.tsv``, and as UK Biobank's folders with ``ukb.csv``."""
    (folder / "tree").mkdir()
    (folder / "bulk").mkdir()
    (folder / "tree" / "participants.tsv").write_text(people())
    (folder / "ukb.csv").write_text(ukb_table())
    for number, person in enumerate(IDS):
        # Everybody's own: a constant more changes no z-score, so the first number differs too.
        own = SERIES.replace(b" ", b"%d " % number, 1)
        (folder / "tree" / f"{person}_25.txt").write_bytes(own)
        path = folder / "bulk" / person / MEMBER
        path.parent.mkdir(parents=True)
        path.write_bytes(own)


def people(separator: str = "\t", **columns: list[str] | None) -> str:
    """Return a table in which some columns are others; None takes one away."""
    table: dict[str, list[str] | None] = {
        "participant_id": list(IDS),
        "age": [str(50 + number) for number in range(12)],
        "sex": ["F", "M"] * 6,
        "site": ["north", "south"] * 6,
        **columns,
    }
    kept = {name: values for name, values in table.items() if values is not None}
    lines = [list(kept), *([values[row] for values in kept.values()] for row in range(len(IDS)))]
    return "".join(separator.join(line) + "\n" for line in lines)


def ukb_table(age: str = "21003-2.0", eid: str = "eid", ages: list[str] | None = None, more: str = "") -> str:
    lines = [f"{eid},{age}{more}"]
    lines += [f"{person},{ages[row] if ages else 50 + row}{',1' if more else ''}" for row, person in enumerate(IDS)]
    return "\n".join(lines) + "\n"


def first(value: str, rest: list[str]) -> list[str]:
    return [value, *rest[1:]]


AGES = [str(50 + number) for number in range(12)]


# --- What writes the bad files ---


def put(name: str, content: str | bytes) -> Prepare:
    """Write a file."""
    data = content.encode() if isinstance(content, str) else content

    def prepare(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    return prepare


def table(content: str | bytes) -> Prepare:
    return put("tree/participants.tsv", content)


def ukb(content: str | bytes) -> Prepare:
    return put("ukb.csv", content)


def scans(content: bytes, extension: str = ".txt", people: tuple[str, ...] = IDS) -> Prepare:
    """Give people this file in place of their own."""

    def prepare(folder: Path) -> None:
        for person in people:
            (folder / "tree" / f"{person}_25.txt").unlink()
            (folder / "tree" / f"{person}_25{extension}").write_bytes(content)

    return prepare


def zips(content: bytes) -> Prepare:
    def prepare(folder: Path) -> None:
        shutil.rmtree(folder / "bulk")
        (folder / "bulk").mkdir()
        for person in IDS:
            (folder / "bulk" / f"{person}_20227_2_0.zip").write_bytes(content)

    return prepare


def zipped(name: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, content)
    return stream.getvalue()


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def lines(n: int) -> bytes:
    return b"".join(SERIES.splitlines(keepends=True)[:n])


def constant() -> bytes:
    series = NUMBERS.copy()
    series[:, 6] = 0.1
    return series_text(series).encode()


def of_many_kinds(folder: Path) -> None:
    for person, content in zip(IDS, (b"", b"", b"a b\n", lines(59)), strict=False):
        (folder / "tree" / f"{person}_25.txt").write_bytes(content)


def parts(*named: str) -> str:
    """Return a split of everybody; those that are named come first, the others train."""
    each = [*named, *["train"] * (len(IDS) - len(named))]
    return "participant_id,split\n" + "".join(f"{person},{part}\n" for person, part in zip(IDS, each, strict=True))


def both(*prepares: Prepare) -> Prepare:
    def prepare(folder: Path) -> None:
        for one in prepares:
            one(folder)

    return prepare


def folder_instead(name: str) -> Prepare:
    def prepare(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).mkdir(parents=True)

    return prepare


def gone(name: str) -> Prepare:
    return lambda folder: shutil.rmtree(folder / name) if (folder / name).is_dir() else (folder / name).unlink()


def edit(name: str, old: str, new: str) -> Prepare:
    """Change some words of a file."""

    def prepare(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))

    return prepare


class Marker:
    """Writes a file when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("marker"),))


def last_ckpt(content: Any) -> Prepare:
    return lambda folder: torch.save(content, folder / "run" / "checkpoints" / "last.ckpt")


def cut(name: str, n_bytes: int) -> Prepare:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:n_bytes])


def changed_checkpoint(change: Callable[[dict[str, Any]], object]) -> Prepare:
    def prepare(folder: Path) -> None:
        path = folder / "run" / "checkpoints" / "last.ckpt"
        checkpoint = torch.load(path, weights_only=True)
        change(checkpoint)
        torch.save(checkpoint, path)

    return prepare


# --- The cases ---

CONFIG = [
    Case("a negative rate", r"`optimizer.lr` must be a number above 0, but got -1", ("optimizer.lr=-1",)),
    Case("a seed too large", r"`seed` must be from 0 to 9223372036854775807, but got 99999999999999999999999", ("seed=" + 23 * "9",)),
    Case("a key that is none", r"Key 'kernel' not in 'Variable1DCNNConfig'", ("model.kernel=3",), code=1),
    Case("a value of no type", r"Value 'big' of type 'str' could not be .* Integer", ("model.kernel_size=big",), code=1),
    Case("nothing for a number", r"field 'seed' is not Optional", ("seed=null",), code=1),
    Case("a choice that is none", r"Could not find 'model/cnn'\s+Available options[^/]*variable1dcnn", ("model=cnn",), code=1),
    Case("no choice", r"Could not find 'split/null'\s+Available options[^/]*kfold", ("split=null",), code=1),
    Case("a number as a choice", r"Could not find 'optimizer/3'\s+Available options[^/]*adamw", ("optimizer=3",), code=1),
    Case("words without a value", r"`nonsense` must be KEY=VALUE, but has no `=`", ("nonsense",)),
    Case("an option that is none", r"unrecognized arguments: --nonsense", ("--nonsense",)),
    Case("a group left out", r"`model` must be given, but got nothing", ("~model",)),
    Case("a mistake beside a relative reference", r"`optimizer.lr` must be a number above 0", ("model.stride=${.depth}", "optimizer.lr=-1")),
    Case("an interpolation to nowhere", r"`batch_size`.* 'nowhere' not found", ("batch_size=${nowhere}",)),
    Case("words for a limit", r"`trainer.limit_train_batches` must be .* but got 'many'", ("trainer.limit_train_batches=many",)),
    Case("an optimizer that is none", r"`optimizer` names 'torch.optim.Nothing'.*Nothing.*Check its name", ("optimizer._target_=torch.optim.Nothing", *TINY)),
    Case("a callback that is none", r"`trainer.callbacks` names 'no.such'.*No module named 'no'", ("trainer.callbacks=[{_target_: no.such}]", *BIDS)),
    Case("words for an interval", r"`trainer`.*often", ("trainer.val_check_interval=often", *TINY)),
    Case("a strategy that is none", r"`trainer`: Lightning refuses.*nonsense", ("trainer.strategy=nonsense", *TINY)),
    Case("a profiler that is none", r"`trainer`: Lightning refuses.*`profiler` parameter.*'simple'", ("trainer.profiler=nonsense", *TINY)),
    Case("no batches at a time", r"`trainer.accumulate_grad_batches` must be 1 or more, but got 0", ("trainer.accumulate_grad_batches=0",)),
    Case("a validation at no time", r"`trainer.check_val_every_n_epoch` must be 1 or more, but got 0", ("trainer.check_val_every_n_epoch=0",)),
    Case("an argument that no optimizer has", r"`optimizer` cannot be made of its arguments: .*'speed'", ("+optimizer.speed=3", *TINY)),
    Case("a factor that no scheduler takes", r"`scheduler` cannot be made of its arguments: Factor should be < 1.0", ("scheduler=plateau", "scheduler.factor=3", *TINY)),
    Case("too many people", r"`cohort.n_participants` must be from 1 to 999999, but got 1000000000", ("cohort.n_participants=1000000000",)),
    Case("a number for a logger", r"`logger.mine` must be a logger's values, but got 3", ("+logger.mine=3",)),
    Case("a folder of configs that is not there", r"--config-dir|nowhere", ("--config-dir", "nowhere"), None, 1),
    Case("a precision that is none", r"`trainer`: Lightning refuses.*Precision 7 is invalid", ("trainer.precision=7", *TINY)),
    Case("too large a network", r"`model.max_parameters=5000000` is exceeded", ("model.start_out=10000",)),
    Case("a modality's numbers", r"`modality.good_components` must be rising component numbers from 1 to 25, but got \[1, 99\]", ("modality.good_components=[1,99]",)),
    Case("another version of the generator", r"`cohort.version` must be 1, .* but got 9", ("cohort.version=9",)),
    Case("one for whom a measure is undefined", r"`objective=val/r2` needs two or more validation participants", ("objective=val/r2", *BIDS)),
]  # fmt: skip

TABLES = [
    Case("an empty table", r"participants.tsv` is empty, or its first line is", BIDS, table("")),
    Case("a header alone", r"participants.tsv` has a header but no rows", BIDS, table("participant_id\tage\n")),
    Case("no header", r"participants.tsv` has no column `participant_id`.*first line must contain", BIDS, table(people().partition("\n")[2])),
    Case("no ages", r"participants.tsv` has no column `age`", BIDS, table(people(age=None))),
    Case("semicolons", r"has neither tabs nor commas. Separate", BIDS, table(people(";"))),
    Case("UTF-16", r"participants.tsv` is not UTF-8 text", BIDS, table(people().encode("utf-16"))),
    Case("half a gzip file", r"participants.tsv` is not a whole gzip file. Copy it again", BIDS, table(gzip.compress(people().encode())[:-20])),
    Case("a workbook", r"participants.tsv` is not UTF-8 text. Save the table as", BIDS, table(zipped("xl/workbook.xml", b"<x/>"))),
    Case("a row too long", r"Row 13 of `.*participants.tsv` has 5 values, but the header has 4", BIDS, table(people().rstrip("\n") + "\t1\n")),
    Case("a quote that does not end", r"Row 13 of `.*participants.tsv` cannot be parsed", BIDS, table(people(site=["n"] * 11 + ['"n']))),
    Case("two columns of ages", r"has 2 columns `age`, so which one to read is ambiguous", BIDS, table(people().replace("site", "age", 1))),
    Case("ages in words", r"`age`: 1 of 12 values are not a number of years, in row 2: `##\+`", BIDS, table(people(age=first("90+", AGES)))),
    Case("a negative age", r"ages must be 0 to 120 years, but there are 1 negative \(row 2\)", BIDS, table(people(age=first("-1", AGES)))),
    Case("an endless age", r"ages must be 0 to 120 years, but there are 1 infinite \(row 2\)", BIDS, table(people(age=first("inf", AGES)))),
    Case("scans without ages", r"12 of 12 participants with a scan have no age: rows 2, 3, 4, 5, 6 and 7 more", BIDS, table(people(age=["n/a"] * 12))),
    Case("somebody twice", r"1 participant is in the table more than once, in rows 2, 3", BIDS, table(people(participant_id=first(IDS[1], list(IDS))))),
    Case("an id left out", r"`participant_id`: the id is empty in row 2", BIDS, table(people(participant_id=first("", list(IDS))))),
    Case("ids as numbers", r"`participant_id`: a spreadsheet or R has made numbers.* row 2", BIDS, table(people(participant_id=first("7.777001e+06", list(IDS))))),
    Case("a third sex", r"`sex`: sex must be 0 or 1, .* row 2 has `2`", BIDS, table(people(sex=["2", *["F"] * 11]))),
    Case("ids of another kind", r"participants.tsv` must have both an age and a file of 25 components, but none has", BIDS, table(people(participant_id=[f"A{person}" for person in IDS]))),
    Case("too few people", r"`split` leaves no participant in val, .*got train 4, val 0, test 1 of 5", BIDS, table("".join(people().splitlines(keepends=True)[:6]))),
    Case("a folder as table", r"The table `.*participants.tsv` cannot be read: Is a directory. .*cohort.phenotypes=FILE", BIDS, folder_instead("tree/participants.tsv")),
    Case("no table", r"The table `.*participants.tsv` cannot be read: No such file", BIDS, gone("tree/participants.tsv")),
    Case("no tree", r"`cohort.root` must be a folder, but `tree` is none", BIDS, gone("tree")),
    Case("a path that leads out", r"`cohort.pattern` must stay below `cohort.root`", (*BIDS, "cohort.pattern='../{participant_id}'")),
    Case("an unset variable", r"`cohort.root`.*Environment variable 'NO_SUCH_VARIABLE' not found", (*BIDS, "cohort.root=${oc.env:NO_SUCH_VARIABLE}")),
    Case("a query of no column", r"has no column `bmi`", (*BIDS, "cohort.include=bmi > 3")),
    Case("a query of text as numbers", r"`cohort.include` compares text with numbers", (*BIDS, "cohort.include=site == 3")),
    Case("a query that names somebody", r"`cohort.include` must not name participants", (*BIDS, f"cohort.include=participant_id != '{IDS[0]}'")),
    Case("two ids a line of those who withdrew", r"Line 2 of `gone.txt` is not one id", (*BIDS, "cohort.exclude_ids=gone.txt"), put("gone.txt", f"{IDS[0]}\n{IDS[1]} {IDS[2]}\n")),
    Case("no text of those who withdrew", r"The list of ids `gone.txt` is not UTF-8 text", (*BIDS, "cohort.exclude_ids=gone.txt"), put("gone.txt", b"\xff\xfe7\x007\x00")),
    Case("a folder of those who withdrew", r"The list of ids `gone.txt` cannot be read: Is a directory", (*BIDS, "cohort.exclude_ids=gone.txt"), folder_instead("gone.txt")),
    Case("everybody withdrew", r"must have both an age and a file .*12 of them with a file, 12 withdrawn", (*BIDS, "cohort.exclude_ids=gone.txt"), put("gone.txt", "\n".join(IDS))),
    Case("ages at recruitment", r"`ukb.csv` has no column `21003-2.0`, .*It has `21003-0.0`.*not used instead", UKB, ukb(ukb_table("21003-0.0"))),
    Case("two styles of columns", r"`ukb.csv` mixes column styles: `21003-2.0`, `p31`", UKB, ukb(ukb_table(more=",p31"))),
    Case("no eid", r"`ukb.csv` has no column `eid`", UKB, ukb(ukb_table(eid="id"))),
    Case("no field that is known", r"`ukb.csv` has none of the columns `21003-2.0`", UKB, ukb(ukb_table("age"))),
    Case("no table of UK Biobank", r"The table `ukb.csv` cannot be read: No such file.*cohort.phenotypes=FILE", UKB, gone("ukb.csv")),
    Case("a file as bulk folder", r"`cohort.root` must be a folder that can be read, but `ukb.csv` cannot: Not a directory", (*UKB, "cohort.root=ukb.csv")),
    Case("another visit's ages", r"`ukb.csv` has no column `21003-3.0`, the age at imaging visit 3", (*UKB, "cohort.instance=3")),
    Case("a visit that is none", r"`cohort.instance` must be 2 .* or 3 .* but got 4", (*UKB, "cohort.instance=4")),
    Case("one path for both dimensions", r"`cohort.member` must be a path that holds `\{dimension\}`", (*UKB, "cohort.member=dr_stage1.txt")),
]  # fmt: skip


def unusable(kinds: str, n: int = 12, share: str = "100.0%") -> str:
    """Return what is said where too many people's files cannot be used."""
    return rf"`cohort.max_excluded_fraction=0.05` is exceeded: {n} of 12 participants .*\({share}\) cannot be used: {kinds}\. The reasons are in .*exclusions.csv"


FILES = [
    Case("empty files", unusable("12 x empty file"), BIDS, scans(b"")),
    Case("bytes", unusable("12 x not a text file"), BIDS, scans(bytes(range(256)) * 9)),
    Case("words", unusable("12 x not a number where a number belongs"), BIDS, scans(b"Dear reader\n")),
    Case("commas for points", unusable("12 x not a number where a number belongs"), BIDS, scans(SERIES.replace(b".", b","))),
    Case("digits of another script", unusable("12 x not a text file"), BIDS, scans("٣ ٤\n".encode())),
    Case("lines of many lengths", unusable("12 x lines of different length"), BIDS, scans(b"1 2\n1 2 3\n")),
    Case("too few time points", unusable("12 x too few time points"), BIDS, scans(lines(59))),
    Case("too many components", unusable("12 x wrong number of columns"), BIDS, scans(series_text(np.hstack([NUMBERS, NUMBERS])).encode())),
    Case("gaps", unusable("12 x NaN or infinity"), BIDS, scans(b"nan " + SERIES.partition(b"  ")[2])),
    Case("a component that is off", unusable("12 x constant component"), BIDS, scans(constant())),
    Case("one bad file among twelve", unusable("1 x empty file", 1, "8.3%"), BIDS, scans(b"", people=IDS[:1])),
    Case("bad files of many kinds", unusable("2 x empty file, 1 x not a number where a number belongs, 1 x too few time points", 4, "33.3%"), BIDS, of_many_kinds),
    Case("pickles", unusable("12 x unreadable file"), BIDS, scans(npy(np.array([[Marker()]], dtype=object)), ".npy")),
    Case("arrays of text", unusable("12 x not a table of numbers"), BIDS, scans(npy(NUMBERS.astype(str)), ".npy")),
    Case("half gzip files", unusable("12 x unreadable file"), BIDS, scans(gzip.compress(SERIES)[:-9], ".csv.gz")),
    Case("half zips", unusable("12 x not a whole zip archive"), UKB, zips(zipped(MEMBER, SERIES)[:-40])),
    Case("zips of something else", unusable("12 x not in the archive"), UKB, zips(zipped("readme.txt", SERIES))),
]  # fmt: skip

FIXED = (*BIDS, "split=fixed", "split.file=split.csv")
SPLITS = [
    Case("no file", r"The table `split.csv` cannot be read: No such file.*`split.file=FILE`", FIXED),
    Case("a folder", r"The table `split.csv` cannot be read: Is a directory.*`split.file=FILE`", FIXED, folder_instead("split.csv")),
    Case("an empty file", r"`split.csv` is empty, or its first line is", FIXED, put("split.csv", "")),
    Case("no parts", r"`split.file=split.csv` has no column `split`.*Did you mean `splits`", FIXED, put("split.csv", parts("val", "test").replace("split", "splits", 1))),
    Case("parts of other names", r"`split.file=split.csv`: `split` must be one of train, val, test, but 2 rows have something else \(rows 2, 3\)", FIXED, put("split.csv", parts("validation", "testing"))),
    Case("somebody in two parts", r"`split.file=split.csv`: each participant must be in one row, but 1 are in several \(rows 2, 14\)", FIXED, put("split.csv", parts("val", "test") + f"{IDS[0]},test\n")),
    Case("nobody of these people", r"`split.file=split.csv`: none of its 12 participants is in the cohort's table, which has 12", FIXED, put("split.csv", parts("val", "test").replace("7777", "X777"))),
    Case("nobody to validate", r"`split` leaves no participant in val, .*got train 11, val 0, test 1 of 12", FIXED, put("split.csv", parts("test"))),
    Case("a family in two parts", r"`split` puts 1 participants or families into more than one part", FIXED, both(put("split.csv", parts("val", "test")), table(people(family_id=["a", "a", *["n/a"] * 10])))),
    Case("nobody left to test", r"`split` leaves no participant in test, .*val 1, test 0 of 11", (*FIXED, "cohort.max_excluded_fraction=0.1"), both(put("split.csv", parts("val", "test")), scans(b"", people=IDS[1:2]))),
    Case("a fixed split of no file", r"`split.file` must be given, but got nothing. Add split.file=...", (*BIDS, "split=fixed")),
    Case("no fold", r"`split.fold` must be given", (*BIDS, "split=kfold")),
    Case("a fold too far", r"`split.fold` must be from 0 to 4, but got 5", (*BIDS, "split=kfold", "split.fold=5")),
    Case("one fold", r"`split.n_folds` must be 2 or more, but got 1", (*BIDS, "split=kfold", "split.fold=0", "split.n_folds=1")),
    Case("more folds than people", r"`split.n_folds=13` needs as many participants or more, but got 12", (*BIDS, "split=kfold", "split.fold=0", "split.n_folds=13")),
    Case("nobody who trains", r"`split.val_fraction \+ 1 / split.n_folds` must be under 1, .* but got 1.1", (*BIDS, "split=kfold", "split.fold=0", "split.val_fraction=0.9")),
    Case("a site that is none", r"`split.site` got 'nord'. Choose one of north, south. Did you mean `north`\?", (*BIDS, "split=leave_site_out", "split.site=nord")),
    Case("no sites", r"`split=leave_site_out` needs the site of every participant, but the table has none", (*BIDS, "split=leave_site_out", "split.site=north"), table(people(site=None))),
    Case("one site", r"`split` leaves no participant in train and val", (*BIDS, "split=leave_site_out", "split.site=north"), table(people(site=["north"] * 12))),
]  # fmt: skip

RESUME = ("resume=run",)
NO_CHECKPOINT = r"`/.*run/checkpoints/last.ckpt` must be a checkpoint that contains tensors and plain values only, but cannot be read"
NO_CONFIG = r"`run/config.yaml` must be the config of a run of this version, but cannot be read as one: "
CHECKPOINTS = [
    Case("half a checkpoint", NO_CHECKPOINT, RESUME, cut("run/checkpoints/last.ckpt", 1000)),
    Case("an empty checkpoint", NO_CHECKPOINT, RESUME, cut("run/checkpoints/last.ckpt", 0)),
    Case("a folder for a checkpoint", NO_CHECKPOINT, RESUME, folder_instead("run/checkpoints/last.ckpt")),
    Case("a checkpoint that runs code", NO_CHECKPOINT, RESUME, last_ckpt({"state_dict": Marker(), "epoch": 1})),
    Case("a list for a checkpoint", r"`/.*run/checkpoints/last.ckpt` must be a checkpoint, but has no `state_dict`", RESUME, last_ckpt([1])),
    Case("another project's checkpoint", r"`/.*run/checkpoints/last.ckpt` must be a checkpoint of this version of brainage", RESUME, last_ckpt({"state_dict": {}, "epoch": 1})),
    Case("a progress of no numbers", r"`/.*run/checkpoints/last.ckpt` must be a checkpoint of this version of brainage", RESUME, changed_checkpoint(lambda c: c["brainage"].update(epochs="many"))),
    Case("weights of no tensors", r"`/.*run/checkpoints/last.ckpt` must be a checkpoint, but its `state_dict` names no weights", RESUME, changed_checkpoint(lambda c: c.update(state_dict=[1, 2]))),
    Case("no state of the optimizer", r"`/.*run/checkpoints/last.ckpt` must be a checkpoint", RESUME, changed_checkpoint(lambda c: c.pop("optimizer_states"))),
    Case("another network's weights", r"`network.encoder.0.weight` has the shape \(2, 21, 3\) there, and \(4, 21, 3\)", RESUME, edit("run/config.yaml", "start_out: 2", "start_out: 4")),
    Case("half of the best checkpoint", r"`/.*run/checkpoints/best.ckpt` must be a checkpoint that contains tensors", RESUME, both(changed_checkpoint(lambda c: c["brainage"].update(best_epoch=7)), cut("run/checkpoints/best.ckpt", 500))),
    Case("no best checkpoint", r"`/.*run/checkpoints/best.ckpt` must exist, but does not", RESUME, both(changed_checkpoint(lambda c: c["brainage"].update(best_epoch=7)), gone("run/checkpoints/best.ckpt"))),
    Case("other series", r"`/.*run/checkpoints/last.ckpt` must be resumed with the data that it was trained on", RESUME, scans(SERIES.replace(b"\n", b"\n\n").replace(b"1", b"2"), people=IDS[4:5])),
    Case("other ages", r"`/.*run/checkpoints/last.ckpt` must be resumed with the data that it was trained on", RESUME, edit("tree/participants.tsv", "\t55\t", "\t56\t")),
    Case("no participants any more", r"`cohort.root` must be a folder, but `tree` is none", RESUME, gone("tree")),
    Case("no participants any more, where it had ended", r"`cohort.root` must be a folder, but `tree` is none", RESUME, both(gone("tree"), put("run/summary.json", '{"status": "interrupted"}'))),
    Case("no run", r"`resume=run` must be the folder of a run.* but it does not exist", RESUME, gone("run")),
    Case("a folder of no run", r"`resume=run` must be the folder of a run.* but it has none", RESUME, gone("run/config.yaml")),
    Case("a file for a run", r"`resume=ukb.csv` must be the folder of a run", ("resume=ukb.csv",)),
    Case("a config that is no YAML", NO_CONFIG, RESUME, put("run/config.yaml", "modality: [")),
    Case("an empty config", NO_CONFIG, RESUME, put("run/config.yaml", "")),
    Case("a list for a config", NO_CONFIG + "it has no keys", RESUME, put("run/config.yaml", "- 1\n")),
    Case("half a config", NO_CONFIG, RESUME, cut("run/config.yaml", 150)),
    Case("a config with an unknown key", NO_CONFIG + "Key 'n_eggs' not in", RESUME, edit("run/config.yaml", "n_times:", "n_eggs:")),
    Case("a config with words for numbers", NO_CONFIG + "Value 'many'", RESUME, edit("run/config.yaml", "batch_size: 4", "batch_size: many")),
    Case("a config with text for a group", r"`scheduler` must be one of its choices, but got 3", RESUME, edit("run/config.yaml", "scheduler: {}", "scheduler: 3")),
    Case("a config with a value out of range", r"`batch_size` must be 2 or more, but got 0", RESUME, edit("run/config.yaml", "batch_size: 4", "batch_size: 0")),
    Case("a config with an unset variable", r"`run/config.yaml` must hold values, as a run leaves them, but one refers to something else", RESUME, edit("run/config.yaml", "root: tree", "root: ${oc.env:NO_SUCH_VARIABLE}")),
    Case("a config that names a command", r"`run/config.yaml` must name nothing but .* names 'os.system'", RESUME, edit("run/config.yaml", "torch.optim.AdamW", "os.system")),
    Case("a config that names a callback", r"`run/config.yaml` must name nothing but .* names 'subprocess.run'", RESUME, edit("run/config.yaml", "callbacks: []", "callbacks: [{_target_: subprocess.run, args: [touch, marker]}]")),
    Case("a config that names what a trusted module imports", r"names 'torch.optim.optimizer.functools.partial'", RESUME, edit("run/config.yaml", "torch.optim.AdamW", "torch.optim.optimizer.functools.partial")),
    Case("other values with it", r"`resume=run` .*own config.* but got `seed=3`", (*RESUME, "seed=3")),
    Case("many at once", r"`resume=run` .*one run, but got --multirun", (*RESUME, "--multirun")),
    Case("no number of epochs", r"`trainer.max_epochs` must be a number .*but got None", (*RESUME, "trainer.max_epochs=null")),
    Case("fewer epochs than there are", r"`trainer.max_epochs` must be 2 or more, the epochs that are finished, but got 1", (*RESUME, "trainer.max_epochs=1")),
    Case("a config of an unknown cohort", r"`cohort.name` got 'ants'.*simulated, ukb or bids", RESUME, edit("run/config.yaml", "name: bids", "name: ants")),
    Case("a config of an unknown network", r"`model.name` got 'cnn'. Choose one of", RESUME, edit("run/config.yaml", "name: variable1dcnn", "name: cnn")),
    Case("a config without a modality", NO_CONFIG, RESUME, edit("run/config.yaml", "modality:\n", "modality: null\nmodality_:\n")),
    Case("a config with a number for a logger", r"`logger.mine` must be a logger's values, but got 3", RESUME, edit("run/config.yaml", "logger: {}", "logger: {mine: 3}")),
    Case("a config of another optimizer", r"`/.*run/checkpoints/last.ckpt` must be a checkpoint of a run with this config, but cannot be restored", RESUME, edit("run/config.yaml", "torch.optim.AdamW", "torch.optim.SGD")),
    Case("a config without an optimizer's values", r"`optimizer.lr` must be a number above 0, but got None", RESUME, edit("run/config.yaml", "  lr: 0.001\n", "")),
    Case("a folder in use", r"`.*run` must be a folder without a run, but it contains `metrics.csv`", (*BIDS, "hydra.run.dir=run")),
    Case("a multirun's folder in use", r"`.*` must be a folder without a run, but it contains `run/metrics.csv`", ("--multirun", *BIDS, "hydra.sweep.dir=.")),
]  # fmt: skip

ENVIRONMENT = [
    Case("a file where runs go", r"`hydra.run.dir=.*outputs/train.*` cannot be written: Not a directory.*hydra.run.dir=DIR", BIDS, put("outputs", "")),
    Case("a file where this run goes", r"`hydra.run.dir=.*here` cannot be written: .*hydra.run.dir=DIR", (*BIDS, "hydra.run.dir=here"), put("here", "")),
    Case("a variable of the run's folder", r"`hydra.run.dir`.*Environment variable 'NO_SUCH_VARIABLE' not found", (*BIDS, "hydra.run.dir=${oc.env:NO_SUCH_VARIABLE}")),
    Case("a file where stores go", r"`store.root=here` cannot be written: .*store.root=DIR", (*BIDS, "store.root=here"), put("here", "")),
    Case("a file where a logger writes", r"`logger.tensorboard` cannot be opened: .*or leave it out", (*BIDS, "logger=tensorboard", "hydra.run.dir=here"), put("here/tensorboard", "")),
    Case("a logger that is none", r"`logger.mine` names 'no.such.Logger', which cannot be made", (*BIDS, "+logger.mine._target_=no.such.Logger")),
    Case("a logger that takes checkpoints away", r"`logger.wandb.log_model` must be false, but got True", (*BIDS, "logger=wandb", "logger.wandb.log_model=true")),
    pytest.param(
        Case("a GPU that is not here", r"`trainer.accelerator` must be hardware that this machine has, but got 'gpu'", (*BIDS, "trainer=gpu")),
        marks=pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU"),
    ),
]  # fmt: skip

STORE = ("-m", "brainage.data.store")
SIMULATED = ("-m", "brainage.data.simulated", "--layout", "bids", "--participants", "2", "--out")
COMMANDS = [
    Case("stores that are not there", r"`--root nowhere` must be an existing folder", (*STORE, "verify", "--root", "nowhere")),
    Case("a file for stores", r"`--root ukb.csv` must be an existing folder", (*STORE, "list", "--root", "ukb.csv")),
    Case("a verb that is none", r"argument list\|verify\|purge: invalid choice: 'remove'", (*STORE, "remove")),
    Case("a purge of nobody", r"the following arguments are required: --ids", (*STORE, "purge")),
    Case("a purge without its list", r"The list of ids `gone.txt` cannot be read: No such file", (*STORE, "purge", "--ids", "gone.txt")),
    Case("a purge of two ids a line", r"Line 1 of `gone.txt` is not one id", (*STORE, "purge", "--ids", "gone.txt"), put("gone.txt", f"{IDS[0]},{IDS[1]}\n")),
    Case("a purge by bytes", r"The list of ids `gone.txt` is not UTF-8 text", (*STORE, "purge", "--ids", "gone.txt"), put("gone.txt", bytes(range(128, 256)))),
    Case("a purge of runs that are not there", r"`--outputs nowhere` must be an existing folder", (*STORE, "purge", "--ids", "gone.txt", "--outputs", "nowhere"), put("gone.txt", "1\n")),
    Case("a file to simulate into", r"`--out ukb.csv` cannot be made into a folder: File exists", (*SIMULATED, "ukb.csv")),
    Case("a full folder to simulate into", r"`--out full` must be a new or an empty folder, but it has files", (*SIMULATED, "full"), put("full/notes.txt", "")),
    Case("a simulation of nobody", r"`--participants` must be at least 1, but got 0", (*SIMULATED, "new", "--participants", "0")),
    Case("a simulation of no layout", r"the following arguments are required: --layout", ("-m", "brainage.data.simulated", "--out", "new", "--participants", "3")),
]  # fmt: skip

FINDINGS = [
    Case("a variable that no table has", r"`associations.variables` .*'grip_strenght'.*Did you mean `grip_strength`", (*TINY, "associations.variables=[grip_strenght]")),
    Case("an id as a variable", r"`associations.variables` .*got 'participant_id'", (*TINY, "associations.variables=[participant_id]")),
    Case("a correction that is none", r"`gap_correction` got 'cloe'\. Choose one of .*Did you mean `cole`", (*TINY, "gap_correction=cloe")),
    Case("rows that are none", r"`associations.rows` got 'val'\. Choose one of all, test, val\+test", (*TINY, "associations.rows=val")),
    Case("points that are none", r"`report.points` got 'few'", (*TINY, "report.points=few")),
    Case("too few resamples", r"`report.n_resamples` must be 100 or more, but got 10", (*TINY, "report.n_resamples=10")),
    Case("a kind of connectivity that is none", r"`model.kind` got 'covariance'", (*TINY[:1], "trainer=cpu", "cohort.n_participants=40", "model=ridge_connectivity", "model.kind=covariance")),
]  # fmt: skip

SWEEP = ("--multirun", "sweep=variable1dcnn", *TINY)


def other_study(folder: Path) -> None:
    """Begin a study of the name that the sweep would have, with another direction."""
    path = folder / "outputs" / "sweeps" / "variable1dcnn-ica25" / "study.db"
    path.parent.mkdir(parents=True)
    optuna.create_study(study_name="variable1dcnn-ica25", storage=f"sqlite:///{path}", direction="maximize")


SWEEPS = [
    Case("a sweep in one run", r"`sweep=variable1dcnn` .* needs --multirun. The command is: python train.py --multirun sweep=variable1dcnn model.depth=2", ("sweep=variable1dcnn", "model.depth=2")),
    Case("a sweep's experiment in one run", r"The command is: python train.py --multirun experiment=hyperparameter_sweep/ica25_good seed=1\n", ("experiment=hyperparameter_sweep/ica25_good", "hydra.mode=RUN", "seed=1")),
    Case("an experiment that is none", r"error: `experiment=manual_search/dept` does not exist. Choose one of .*demo.*ica100_all.* Did you mean `manual_search/depth`\?", ("experiment=manual_search/dept",)),
    Case("a sweep that is none", r"Could not find 'sweep/variable'\s+Available options[^/]*variable1dcnn", ("--multirun", "sweep=variable"), code=1),
    Case("a sampler that is none", r"Could not find 'hydra/sweeper/sampler/nothing'\s+Available options[\s\S]*\ttpe", (*SWEEP, "hydra/sweeper/sampler=nothing"), code=1),
    Case("a pruner that is none", r"Could not find 'hydra/sweeper/pruner/nothing'\s+Available options[\s\S]*\thyperband", (*SWEEP, "hydra/sweeper/pruner=nothing"), code=1),
    Case("a sampler of another library", r"`hydra.sweeper.sampler` must be one of Optuna's, but got dict", (*SWEEP, "hydra.sweeper.sampler={_target_: builtins.dict}")),
    Case("a pruner that cannot be made", r"`hydra.sweeper.pruner` names 'optuna.pruners.MedianPruner', which cannot be made: .*speed", (*SWEEP, "+hydra.sweeper.pruner.speed=3")),
    Case("a parameter that no config has", r"`model.kernal_size` must be a key of the config to be searched.*Did you mean `model.kernel_size`\?", (*SWEEP, "model.kernal_size=range(2,4)")),
    Case("an inverted range", r"`model.stride` must be a range with a value, but got range\(5,2,1\)", (*SWEEP, "model.stride=range(5,2)")),
    Case("a log range from 0", r"`optimizer.lr` must be above 0 to be searched logarithmically", (*SWEEP, "optimizer.lr=tag(log,interval(0,1))")),
    Case("a value that no config takes", r"`model.conv_dropout` must be in \[0, 1\), but got 1.5", (*SWEEP, "model.conv_dropout=choice(0.1,1.5)")),
    Case("a value of no type in a sweep", r"`hydra.sweeper.params` must have values that the config accepts, but at .*'many'", (*SWEEP, "batch_size=choice(8,many)")),
    Case("a choice that is none in a sweep", r"`hydra.sweeper.params` must have values that the config accepts, but at .*Could not find 'optimizer/nothing'", (*SWEEP, "optimizer=choice(adamw,nothing)")),
    Case("a space in which nothing can exist", r"no network can be built from any of [\d,]+ combinations. For example: `model.depth=1` is impossible", (*SWEEP, "model.kernel_size=range(300,310)")),
    Case("no trials", r"`hydra.sweeper.n_trials` must be a whole number from 1, but got 0", (*SWEEP, "hydra.sweeper.n_trials=0")),
    Case("half a worker", r"`hydra.sweeper.n_workers` must be a whole number from 1, but got 0.5", (*SWEEP, "hydra.sweeper.n_workers=0.5")),
    Case("a direction that is none", r"`hydra.sweeper.direction` must be minimize or maximize, but got 'down'", (*SWEEP, "hydra.sweeper.direction=down")),
    Case("two directions for one objective", r"`hydra.sweeper.direction` must name one direction an objective \(objective\), but got 2", (*SWEEP, "hydra.sweeper.direction=[minimize,minimize]")),
    Case("an objective that is none", r"`hydra.sweeper.objectives` must be of objective, parameters, each once, but got 'mae'", (*SWEEP, "hydra.sweeper.objectives=[mae]")),
    Case("a study's name that is no folder's", r"`hydra.sweeper.study_name` must be made of letters, .* but got '../a'", (*SWEEP, "hydra.sweeper.study_name=../a")),
    Case("a storage that does not answer", r"`hydra.sweeper.storage=postgresql://u:\*\*\*@127.0.0.1:1/d` cannot be reached", (*SWEEP, "hydra.sweeper.storage='postgresql://u:sesame@127.0.0.1:1/d'")),
    Case("a study of another direction", r"`hydra.sweeper.study_name=variable1dcnn-ica25` has the direction maximize, but now it is minimize", SWEEP, other_study),
    Case("a file in the sweep's place", r"outputs/sweeps/variable1dcnn-ica25` cannot be written", SWEEP, put("outputs/sweeps/variable1dcnn-ica25", "")),
    Case("a setting that no sweeper has", r"Could not override 'hydra.sweeper.trials'", (*SWEEP, "hydra.sweeper.trials=3"), code=1),
]  # fmt: skip

CASES = [*CONFIG, *TABLES, *FILES, *SPLITS, *ENVIRONMENT, *COMMANDS, *FINDINGS, *SWEEPS]


# --- Running them ---


@pytest.fixture(scope="module")
def cohorts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with cohorts, in which all is right."""
    folder = tmp_path_factory.mktemp("cohorts")
    write_cohorts(folder)
    return folder


@pytest.fixture(scope="module")
def interrupted(cohorts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a run of two epochs, out of four, in `run`."""
    folder = tmp_path_factory.mktemp("interrupted") / "all"
    shutil.copytree(cohorts, folder)
    with pytest.MonkeyPatch.context() as patch, running():
        patch.chdir(folder)
        patch.setattr(sys, "argv", [str(ROOT / "train.py"), *BIDS, "trainer.max_epochs=2", "hydra.run.dir=run"])
        with contextlib.suppress(SystemExit):  # of a run that ended well
            runpy.run_path(sys.argv[0], run_name="__main__")
    edit("run/config.yaml", "max_epochs: 2", "max_epochs: 4")(folder)
    for name in ("summary.json", "predictions.csv"):
        (folder / "run" / name).unlink()
    return folder


@contextmanager
def running() -> Iterator[None]:
    """Let Hydra begin as in a new process, and take away what it leaves."""
    handlers, level = list(logging.root.handlers), logging.root.level
    GlobalHydra.instance().clear()
    try:
        with warnings.catch_warnings():
            # What `python -m` finds in this process, where tests imported it.
            warnings.filterwarnings("ignore", message=".*found in sys.modules", category=RuntimeWarning)
            yield
    finally:
        GlobalHydra.instance().clear()
        HydraConfig.instance().cfg = None
        for handler in logging.root.handlers:
            if handler not in handlers:
                handler.close()
        logging.root.handlers, logging.root.level = handlers, level


def run_here(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> Ended:
    """Do what ``python WORDS`` does, inside this process."""
    capsys.readouterr()
    code: Any = 0
    with running():
        try:
            if words[0] == "-m":
                monkeypatch.setattr(sys, "argv", list(words[1:]))
                runpy.run_module(words[1], run_name="__main__", alter_sys=True)
            else:
                monkeypatch.setattr(sys, "argv", [str(ROOT / words[0]), *words[1:]])
                runpy.run_path(sys.argv[0], run_name="__main__")
        except SystemExit as stop:
            code = stop.code
    said = capsys.readouterr()
    return Ended(code or 0, said.out, said.err)


def whole_words(case: Case) -> tuple[str, ...]:
    return case.words if case.words[0] == "-m" else ("train.py", *case.words)


def content(folder: Path) -> dict[str, bytes]:
    """Return every file but logs and locks, which a command may always write."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix not in (".log", ".lock") and path.name != ".lock"
    }


def check_said(case: Case, ended: Ended) -> None:
    """One message, the expected one, without anybody's id."""
    assert ended.code == case.code, ended.text
    assert re.search(case.message, ended.err), ended.text
    assert "Traceback" not in ended.text
    if case.code == 2:
        assert ended.err.count("error: ") == 1
        told = ended.err[ended.err.index("error: ") :]
        assert told.count("\n") == 1, ended.err
    if case.code == 2 and "usage: " not in ended.err:
        assert ended.err.startswith("error: ")
    for person in IDS:
        assert person not in ended.text


def check_left(case: Case, ended: Ended, folder: Path, before: dict[str, bytes]) -> None:
    """Nothing half-made: no unfinished file, no result, whole stores; and what was there is as it was."""
    after = content(folder)
    new = {name: data for name, data in after.items() if before.get(name) != data}
    assert not [name for name in before if name not in after]
    assert {name for name in new if name in before} == set()
    assert not [path for path in folder.rglob("*") if "partial" in path.name or "writable" in path.name]
    assert not [name for name in new if name.endswith(("predictions.csv", "metrics.csv", ".ckpt", "marker"))]
    for name, data in new.items():
        may_name_people = name.endswith(("splits.csv", "exclusions.csv", "index.txt"))
        assert may_name_people or not [person for person in IDS if person.encode() in data], name
    # Whatever folder a run began in has its summary, with just what was said.
    for name in new:
        if name.endswith("config.yaml") and ".hydra" not in name or name.endswith("splits.csv"):
            assert (folder / name).with_name("summary.json").is_file()
    for name in (name for name in new if name.endswith("summary.json")):
        summary = json.loads(new[name])
        assert summary["status"] in ("failed", "impossible")
        assert ended.err == f"error: {summary['reason']}\n"
    for store in (path for root in folder.rglob("store") if root.is_dir() for path in list_stores(root)):
        assert all(intact for _, _, intact in stream_rows(load_store(store)))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_bad_input_is_answered_with_one_message_and_leaves_nothing_half_made(
    case: Case,
    cohorts: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "all"
    shutil.copytree(cohorts, folder)
    check(case, folder, capsys, monkeypatch)


@pytest.mark.parametrize("case", CHECKPOINTS, ids=lambda case: case.name)
def test_a_run_that_cannot_be_taken_up_is_refused_with_one_message_and_stays_as_it_is(
    case: Case,
    interrupted: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "all"
    shutil.copytree(interrupted, folder)
    check(case, folder, capsys, monkeypatch)


def check(case: Case, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    if case.prepare is not None:
        case.prepare(folder)
    before = content(folder)
    monkeypatch.chdir(folder)
    ended = run_here(capsys, monkeypatch, *whole_words(case))
    check_said(case, ended)
    check_left(case, ended, folder, before)


def test_a_run_that_is_under_way_is_not_taken_up(
    interrupted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "all"
    shutil.copytree(interrupted, folder)
    with FileLock(folder / "run" / ".lock"):
        check(Case("", r"`.*run` must belong to one process at a time", RESUME), folder, capsys, monkeypatch)


def named(name: str) -> Case:
    (case,) = (case for case in [*CASES, *CHECKPOINTS] if isinstance(case, Case) and case.name == name)
    return case


@pytest.mark.parametrize(
    "name", ["an interpolation to nowhere", "ages in words", "no run", "a config that names a command"]
)
def test_the_command_of_its_own_process_says_the_same(name: str, interrupted: Path, tmp_path: Path) -> None:
    case, folder = named(name), tmp_path / "all"
    shutil.copytree(interrupted, folder)
    if case.prepare is not None:
        case.prepare(folder)
    before = content(folder)
    ended = run_command(folder, *whole_words(case))
    check_said(case, ended)
    check_left(case, ended, folder, before)


@pytest.mark.parametrize("words", [BIDS, UKB], ids=["tree", "UK Biobank"])
def test_where_all_is_right_the_same_command_ends_well(
    words: tuple[str, ...],
    cohorts: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "all"
    shutil.copytree(cohorts, folder)
    monkeypatch.chdir(folder)
    ended = run_here(capsys, monkeypatch, "train.py", *words)
    assert (ended.code, ended.err) == (0, "")


def test_a_run_that_can_be_taken_up_is(
    interrupted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "all"
    shutil.copytree(interrupted, folder)
    monkeypatch.chdir(folder)
    ended = run_here(capsys, monkeypatch, "train.py", *RESUME)
    assert (ended.code, ended.err) == (0, "")
