"""Tables that fit the terminal."""

from __future__ import annotations

import pytest

from brainage.system.tables import table_text

WORDS = "model.kernel_size=3 optimizer.lr=0.001 split.fold=0"
JOBS = [
    ["0", WORDS, "finished", "33.111", "4.551", "5.876", "225,025", "30", "5.166"],
    ["1", "split.fold=1", "impossible", "-", "-", "-", "-", "-", "12.000"],
]
HEADER = ["job", "overrides", "status", "val/mse", "val/mae", "test/mae", "parameters", "epochs", "seconds"]
RUNS = [[f"{n}: variable1dcnn, ica25", *["5.91 (4.54 to 7.34)", "-0.01 (-0.17 to 0.02)"] * 3] for n in (1, 2)]


@pytest.mark.parametrize("width", [60, 80, 100, 120])
@pytest.mark.parametrize(
    ("header", "rows"),
    [(HEADER, JOBS), (["run", "MAE", "RMSE", "R²", "Pearson r", "Spearman ρ", "skill"], RUNS)],
    ids=["jobs", "runs"],
)
def test_a_table_fits_the_terminal_and_no_word_or_number_is_broken(
    width: int, header: list[str], rows: list[list[str]]
) -> None:
    text = table_text(header, rows, width)
    assert max(map(len, text.splitlines())) <= width
    assert {word for row in [header, *rows] for cell in row for word in cell.split()} <= set(text.split())
    whole = [cell for row in rows for cell in row[1:] if not cell[:1].isalpha()]
    assert all(cell in text for cell in whole)
    # Each block of columns has the first one.
    assert text.count(header[0]) == len(text.split("\n\n"))


def test_without_a_width_each_row_is_one_line_with_numbers_to_the_right() -> None:
    header, first, second = table_text(HEADER, JOBS).splitlines()
    assert first.index(WORDS) == second.index("split.fold=1") == header.index("overrides")
    assert header.endswith("  epochs  seconds") and first.endswith("30    5.166") and second.endswith("-   12.000")


def test_columns_of_other_scripts_are_aligned_and_a_word_that_is_too_long_is_whole() -> None:
    assert table_text(["", "n"], [["日本", "2"], ["é", "10"]]) == "       n\n日本   2\né     10"
    assert table_text(["", ""], [["x" * 30, "1"]], 20) == f"{'x' * 30}  1"


def test_a_table_without_rows_is_its_header() -> None:
    assert table_text(["", ""], []) == ""
    assert table_text(["a", "b"], [], 80) == "a  b"
