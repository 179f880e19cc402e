import pandas as pd
import pytest

from brainage.data.cohorts.columns import participant_ids
from brainage.system import redaction


@pytest.mark.parametrize(
    ("text", "ids", "expected"),
    [
        ("KeyError: 'sub-a1'", {"a1"}, "KeyError: '<participant>'"),
        ("1000011_20227_2_0.zip: 1000011.0", {"1000011", "1000012"}, "<participant>_20227_2_0.zip: <participant>.0"),
        ("line 1 of 101", {"1", "01"}, "line <participant> of 101"),
        ("a.b and a.bc", {"a.b", "a.bc"}, "<participant> and <participant>"),
        ("nobody", {"x"}, "nobody"),
    ],
)
def test_registered_ids_are_replaced_as_whole_words(
    monkeypatch: pytest.MonkeyPatch, text: str, ids: set[str], expected: str
) -> None:
    monkeypatch.setattr(redaction, "_registered", set())
    redaction.register(ids)
    assert redaction.redacted(text) == expected


def test_ids_of_a_table_are_registered_when_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_registered", set())
    participant_ids(pd.Series(["sub-x17", "x18"], name="participant_id", index=[2, 3]), "table")
    assert redaction.redacted("no file of x17 and sub-x18") == "no file of <participant> and <participant>"
