"""Participants that a config selects."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from brainage.data.cohorts.bids import BidsCohort
from brainage.data.cohorts.select import select_participants
from brainage.data.cohorts.tables import read_columns
from brainage.data.cohorts.withdrawn import Withdrawn
from brainage.errors import CohortError, EvaluationError
from brainage.evaluation.variables import columns_to_read
from brainage.system.redaction import redacted
from tests.conftest import run_command
from tests.data.store.scans import FakeScan


@dataclass(frozen=True)
class FakeCohort:
    """Five participants; the last has no age, the fourth no scan."""

    scanned: tuple[str, ...] = ("id-a", "id-b", "id-c")
    label: str = "`t.tsv`"

    def read_table(self, columns: Collection[str] = ()) -> pd.DataFrame:
        ids = ["id-c", "id-a", "id-b", "id-d", "id-e"]
        table = pd.DataFrame({"participant_id": ids, "age": [70.0, 50.0, 60.0, 65.0, math.nan]}, index=range(2, 7))
        return table.assign(**{name: range(5) for name in columns})

    def phenotype_names(self) -> list[str]:
        return ["steps", "sleep"]

    def find_scans(self, participant_ids: Iterable[str], dimension: int) -> dict[str, FakeScan]:
        return {one: FakeScan(dimension) for one in participant_ids if one in self.scanned}


def test_the_table_has_all_participants_with_an_age_and_scans_are_of_those_who_have_one() -> None:
    found = select_participants(FakeCohort(), dimension=25)
    assert found.table["participant_id"].tolist() == ["id-a", "id-b", "id-c", "id-d"]
    assert sorted(found.scans) == ["id-a", "id-b", "id-c"]
    assert "steps" not in found.table


def test_phenotypes_are_read_as_chosen_and_columns_of_the_query_always() -> None:
    def phenotypes(variables: list[str] | None, include: str | None = None) -> set[str]:
        chosen = partial(columns_to_read, variables)
        found = select_participants(FakeCohort(), dimension=25, phenotypes=chosen, include=include)
        return {"steps", "sleep"} & set(found.table)

    assert phenotypes(None) == {"steps", "sleep"}
    assert phenotypes(["sleep"]) == {"sleep"}
    assert phenotypes(["sleep"], "steps < 2") == {"steps", "sleep"}
    found = select_participants(FakeCohort(), dimension=25, include="steps < 2")
    assert found.table["participant_id"].tolist() == ["id-a", "id-c"]
    assert "sleep" not in found.table


@pytest.mark.parametrize(("variable", "message"), [("slep", "Did you mean `sleep`"), ("sex", "got 'sex'")])
def test_a_variable_that_the_table_lacks_is_refused_before_scans_are_looked_for(variable: str, message: str) -> None:
    with pytest.raises(EvaluationError, match=f"`associations.variables` .*{message}"):
        select_participants(FakeCohort(scanned=()), dimension=25, phenotypes=partial(columns_to_read, [variable]))


def test_only_the_variables_of_a_table_are_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    header, *rows = "participant_id age steps sex sleep", "id-a 50 3 F 8", "id-b 60 x M 7"
    (tmp_path / "participants.tsv").write_text("\n".join([header, *rows]).replace(" ", "\t"))
    for one in ("id-a", "id-b"):
        (tmp_path / f"{one}.txt").write_text("1 2\n")
    kept: list[str] = []

    def read(path: Path, names: Iterable[str]) -> pd.DataFrame:
        kept.extend(table := read_columns(path, names))
        return table

    monkeypatch.setattr("brainage.data.cohorts.joined.read_columns", read)
    cohort = BidsCohort(root=tmp_path, pattern="{participant_id}.txt")
    found = select_participants(cohort, dimension=2, phenotypes=partial(columns_to_read, ["sleep"]))
    assert kept == ["participant_id", "age", "sex", "sleep"]
    assert list(found.phenotypes) == ["participant_id", "sex", "sleep"]


_READS = """
import sys, time
from functools import partial
from pathlib import Path
from brainage.data.cohorts.select import select_participants
from brainage.data.cohorts.ukb import UkbCohort
from brainage.evaluation.variables import columns_to_read
cohort = UkbCohort(root=Path("bulk"), phenotypes=(Path("ukb.csv"),))
started = time.process_time()
found = select_participants(cohort, dimension=25, phenotypes=partial(columns_to_read, sys.argv[1:]))
# The peak of getrusage includes that of the process that started this one.
peak = next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(*found.table.shape, time.process_time() - started, peak)
"""


@pytest.mark.slow
@pytest.mark.parametrize("quote", ["", '"'], ids=["plain", "quoted"])
def test_five_of_5000_columns_of_50000_participants_take_seconds_and_little_memory(quote: str, tmp_path: Path) -> None:
    def line(*values: object) -> str:
        return ",".join(f"{quote}{value}{quote}" for value in values)

    names = [f"{field}-2.0" for field in range(30_000, 35_000)]
    tails = [line(*((number * column) % 997 / 8 for column in range(5000))) for number in range(1, 50)]
    with (tmp_path / "ukb.csv").open("w") as file:
        file.write(line("eid", "21003-2.0", "31-0.0", *names) + "\n")
        for number in range(50_000):
            file.write(f"{line(1_000_000 + number, 45 + number % 35, number % 2)},{tails[number % 49]}\n")
    scan = tmp_path / "bulk" / "1000000_20227_2_0" / "fMRI" / "rfMRI_25.dr" / "dr_stage1.txt"
    scan.parent.mkdir(parents=True)
    scan.write_text("1 2\n")
    done = run_command(tmp_path, "-c", _READS, *names[::1000], names[-1])
    (tmp_path / "ukb.csv").unlink()
    assert done.code == 0, done.text
    n_rows, n_columns, seconds, peak_kb = done.out.split()
    assert (int(n_rows), int(n_columns)) == (50_000, 3 + 6 + 1)
    assert float(seconds) < 20
    assert int(peak_kb) < 1e6


def test_withdrawn_participants_stay_in_the_table_and_lose_their_scan(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "brainage")
    (tmp_path / "gone").write_text("id-a\nid-z\n")
    found = select_participants(FakeCohort(), dimension=25, withdrawn=Withdrawn(tmp_path / "gone"))
    assert "id-a" in set(found.table["participant_id"])
    assert sorted(found.scans) == ["id-b", "id-c"]
    assert "1 of the 2 ids" in caplog.text


def test_a_scan_without_an_age_is_an_error_unless_ages_are_not_needed() -> None:
    cohort = FakeCohort(scanned=("id-a", "id-e"))
    with pytest.raises(CohortError, match="1 of 2 participants with a scan have no age: row 6"):
        select_participants(cohort, dimension=25)
    found = select_participants(cohort, dimension=25, need_ages=False)
    assert len(found.table) == 5
    assert sorted(found.scans) == ["id-a", "id-e"]


def test_no_scan_at_all_is_an_error_with_the_counts() -> None:
    counts = r"25 components.*5 participants, 4 of them with an age, 0 with a scan, 0 withdrawn"
    with pytest.raises(CohortError, match=counts):
        select_participants(FakeCohort(scanned=()), dimension=25)


def test_ids_that_partly_lost_their_leading_zeros_are_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number in (8, 9, 10, 11):
        (tmp_path / f"{number:03d}.txt").write_text("1 2\n")
    (tmp_path / "100.txt").write_text("1 2\n")
    cohort = BidsCohort(root=tmp_path, pattern="{participant_id}.txt")
    rows = ["8\t50", "9\t50", "12\t60", "011\t60", "100\t70"]  # 8 and 9 lost zeros, 12 has no file, 10 no row
    (tmp_path / "participants.tsv").write_text("\n".join(["participant_id\tage", *rows]))
    assert sorted(select_participants(cohort, dimension=2).scans) == ["011", "100"]
    assert "2 participants have no file" in caplog.text and "as text, all of 3 digits" in caplog.text
    caplog.clear()
    (tmp_path / "participants.tsv").write_text("\n".join(["participant_id\tage", *rows[2:]]))
    select_participants(cohort, dimension=2)
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_ids_are_registered_for_redaction() -> None:
    select_participants(FakeCohort(), dimension=25)
    assert redacted("KeyError: id-d") == "KeyError: <participant>"
