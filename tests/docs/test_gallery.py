"""The scripts of the gallery are notebooks of users: what they need is public. ``make docs`` runs them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import brainage
from tests.conftest import ROOT

SCRIPTS = sorted((ROOT / "docs" / "gallery").glob("*.py"))


def test_there_are_eight_scripts_in_the_order_of_their_numbers() -> None:
    assert [path.name.split("_")[:2] for path in SCRIPTS] == [["plot", str(number)] for number in range(1, 9)]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_draws_figures_and_uses_public_names_only(script: Path) -> None:
    tree = ast.parse(script.read_text(encoding="utf-8"))
    imported = [name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names]
    assert [name.asname for name in imported if name.name.partition(".")[0] == "brainage"] == ["ba"]
    sources = [str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not any(source.partition(".")[0] == "brainage" for source in sources)
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    names = {node.attr for node in attributes if isinstance(node.value, ast.Name) and node.value.id == "ba"}
    assert names and names <= set(brainage.__all__)
    assert not any(node.attr.startswith("_") and node.attr != "__name__" for node in attributes)
    assert any(node.attr == "show" for node in attributes)
