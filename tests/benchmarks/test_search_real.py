"""Real searches: their table, and the section of the docs, from results that are written here."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from benchmarks.measure import with_section
from benchmarks.search_real import ARMS, Search, read_searches, search_all, section, warm_and_cold, write_searches

ABOUT = {"date": "2026-01-02", "commit": "abc", "machine": "a machine, 2 cores"}


def search(arm: str, seed: int, minutes: float = 15.0, **curve: float) -> Search:
    """Return a search with values by time: ``at_60=20.0``."""
    seconds = [float(name.removeprefix("at_")) for name in curve]
    return Search(arm, seed, minutes, 20, 5, 70, seconds, list(curve.values()), ABOUT)


SEARCHES = [
    search("published", 1, at_100=25.0, at_600=21.0),
    search("default", 1, at_45=20.0),
    search("published", 2, at_300=19.0),
    search("default", 2, at_90=22.0, at_450=20.5),
    search("published", 3),
    search("default", 3, at_10=30.0),
]
LONG = [
    search("cold", 1, 45.0, at_2000=18.0),
    search("warm", 1, 45.0, at_400=18.5, at_900=17.0),
    search("cold", 2, 45.0, at_800=18.0),
    search("warm", 2, 45.0, at_400=18.5),
]


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_searches(tmp_path / "table.csv", [*SEARCHES, *LONG])
    assert read_searches(tmp_path / "table.csv") == [*SEARCHES, *LONG]
    assert read_searches(tmp_path / "none.csv") == []


def test_searches_of_the_table_are_not_run_again(tmp_path: Path) -> None:
    write_searches(tmp_path / "table.csv", SEARCHES)
    found = search_all(tmp_path / "folder", ARMS, [3, 1], 15, tmp_path / "table.csv")
    assert [(one.arm, one.seed) for one in found] == [
        ("published", 3),
        ("default", 3),
        ("published", 1),
        ("default", 1),
    ]
    assert not (tmp_path / "folder").exists()


def test_a_search_has_the_lowest_value_by_time() -> None:
    one = SEARCHES[0]
    assert (one.best, one.best_at(599), one.best_at(99)) == (21.0, 25.0, math.inf)
    assert (one.reached(25.0), one.reached(22.0), one.reached(20.9)) == (100.0, 600.0, math.inf)


def test_the_target_is_the_median_final_best_of_the_published_searches() -> None:
    """It is 21: one published search found 19, and one nothing."""
    text = "\n".join(section(SEARCHES))
    assert "until the median final best of these searches (21.00)" in text
    assert "| published | 1 | 15 | 20 | 25% | 70 | 25.00 | 25.00 | 21.00 | 21.00 | 600 s |" in text
    assert "| published | 3 | 15 | 20 | 25% | 70 | none | none | none | none | > 900 s |" in text
    assert "- published: median share of the time 0.67; 2 of 3 searches reached the target." in text
    assert "- default: median share of the time 0.50; 2 of 3 searches reached the target." in text
    unreached = "\n".join(section([*SEARCHES, search("default", 4), search("default", 5)]))
    assert "- default: median share of the time more than 1; 2 of 5 searches reached the target." in unreached
    assert "(2026-01-02, abc, a machine, 2 cores)" in text and "warm" not in text.partition("\n|")[2]


def test_without_complete_trials_there_is_no_target() -> None:
    *_, last = section([search("published", 1), search("published", 2, at_9=3.0), search("published", 3), SEARCHES[1]])
    assert last == "Most published searches had no complete trial, so there is no target."


def test_warm_searches_are_compared_with_the_cold_one_of_the_same_seed() -> None:
    text = "\n".join(section([*SEARCHES, *LONG]))
    assert "| warm | 1 | 45 | 20 | 25% | 70 | 18.50 | 17.00 | 17.00 | 17.00 | 900 s |" in text
    assert "| warm | 2 | 45 | 20 | 25% | 70 | 18.50 | 18.50 | 18.50 | 18.50 | > 2700 s |" in text


def test_warm_searches_need_an_earlier_study(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="must have the default's search for 25 components .* none with seed 2"):
        warm_and_cold(tmp_path, [2], 45)


def test_a_section_of_the_page_is_replaced_or_added() -> None:
    page = "# A\n\ntext\n\n## B\n\nold\n\n## C\n\nend\n"
    assert with_section(page, "B", "## B\n\nnew") == "# A\n\ntext\n\n## B\n\nnew\n\n## C\n\nend\n"
    assert with_section(page, "C", "## C\n\nnew\n") == "# A\n\ntext\n\n## B\n\nold\n\n## C\n\nnew\n"
    assert with_section(page, "D", "## D\n\nnew") == page + "\n## D\n\nnew\n"
