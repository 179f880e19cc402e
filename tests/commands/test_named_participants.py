"""A query that names somebody is refused, however it comes in, and is in nothing that is left or said."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Command

QUERY = "eid != 7654321"

EXPERIMENTS = {
    "query": f"""\
# @package _global_
cohort:
  include: "{QUERY}"
""",
    "grid": f"""\
# @package _global_
hydra:
  mode: MULTIRUN
  sweeper:
    params:
      cohort.include: "'{QUERY}'"
""",
}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((f"cohort.include={QUERY}",), 2),
        ((f"++cohort.include='{QUERY}'",), 2),
        ((f"cohort={{include: '{QUERY}'}}",), 2),
        (("sweep=variable1dcnn", f"cohort.include={QUERY}"), 2),
        (("resume=run", f"cohort.include={QUERY}"), 2),
        (("--multirun", "seed=1,2", f"cohort.include={QUERY}"), 2),
        (("--multirun", "sweep=variable1dcnn", f"cohort.include={QUERY}"), 2),
        (("--config-dir", "mine", "experiment=query"), 2),
        (("--config-dir", "mine", "experiment=grid"), 2),
        (("--config-dir", "mine", "--multirun", "experiment=query,demo", "trainer.max_epochs=0"), 1),
    ],
)
def test_it_is_nowhere(words: tuple[str, ...], code: int, command: Command, tmp_path: Path) -> None:
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    for name, text in EXPERIMENTS.items():
        (tmp_path / "mine" / "experiment" / f"{name}.yaml").write_text(text)
    ended = command("train.py", *words, "trainer=cpu")
    assert ended.code == code, ended.text
    assert "`cohort.include` must not name participants or families" in ended.text
    assert "7654321" not in ended.text
    left = [path for path in tmp_path.rglob("*") if path.is_file() and tmp_path / "mine" not in path.parents]
    assert not [path for path in left if b"7654321" in path.read_bytes()]
