"""Wrong files of series."""

# ruff: noqa: E501 (the tables have a case a line)

from __future__ import annotations

import gzip
import re

import numpy as np
import pytest

from brainage.data.cohorts.simulated_writing import series_text
from tests.commands.bad_inputs.cases import (
    BIDS,
    IDS,
    MEMBER,
    NUMBERS,
    SERIES,
    UKB,
    Case,
    Marker,
    constant,
    lines,
    npy,
    of_many_kinds,
    scans,
    zipped,
    zips,
)
from tests.commands.bad_inputs.conftest import Answer
from tests.conftest import every_third


def unusable(kinds: str, n: int = 12, share: str = "100.0%") -> str:
    """Return what is said where too many people's files cannot be used."""
    detail = r"( \([^)]*\))?"
    kinds = kinds.replace(", ", f"{detail}, ") + detail
    return rf"`cohort.max_excluded_fraction=0.05` is exceeded: {n} of 12 participants .*\({share}\) cannot be used: {kinds}\. The reasons are in .*exclusions.csv"


FILES = [
    Case("empty files", unusable("12 x empty file"), BIDS, scans(b"")),
    Case("bytes", unusable("12 x not a text file"), BIDS, scans(bytes(range(256)) * 9)),
    Case("words", unusable("12 x empty file"), BIDS, scans(b"Dear reader\n")),
    Case("commas for points", unusable("12 x not a number where a number belongs"), BIDS, scans(SERIES.replace(b".", b","))),
    Case("digits of another script", unusable("12 x not a number where a number belongs"), BIDS, scans("٣ ٤\n".encode())),
    Case("lines of many lengths", unusable("12 x lines of different length"), BIDS, scans(b"1 2\n1 2 3\n")),
    Case("too few time points", unusable(r"12 x too few time points \(most often 59, expected at least 60; modality\.n_times\)"), BIDS, scans(lines(59))),
    Case("too many components", unusable("12 x wrong number of columns"), BIDS, scans(series_text(np.hstack([NUMBERS, NUMBERS])).encode())),
    Case("gaps", unusable("12 x NaN or infinity"), BIDS, scans(b"nan " + SERIES.partition(b"  ")[2])),
    Case("a component that is off", unusable("12 x constant component"), BIDS, scans(constant())),
    Case("three bad files among twelve", unusable("3 x empty file", 3, "25.0%"), BIDS, scans(b"", people=IDS[:3])),
    Case("bad files of many kinds", unusable("3 x empty file, 1 x too few time points", 4, "33.3%"), BIDS, of_many_kinds),
    Case("pickles", unusable("12 x unreadable file"), BIDS, scans(npy(np.array([[Marker()]], dtype=object)), ".npy")),
    Case("arrays of text", unusable("12 x not a table of numbers"), BIDS, scans(npy(NUMBERS.astype(str)), ".npy")),
    Case("half gzip files", unusable("12 x unreadable file"), BIDS, scans(gzip.compress(SERIES)[:-9], ".csv.gz")),
    Case("half zips", unusable("12 x not a whole zip archive"), UKB, zips(zipped(MEMBER, SERIES)[:-40])),
    Case("zips of something else", unusable("12 x not in the archive"), UKB, zips(zipped("readme.txt", SERIES))),
]  # fmt: skip


@pytest.mark.parametrize("case", every_third(FILES), ids=lambda case: case.name)
def test_wrong_series_are_one_message(case: Case, answer: Answer) -> None:
    ended = answer(case)
    assert ended.code == case.code, ended.text
    assert re.search(case.message, ended.err), ended.text
