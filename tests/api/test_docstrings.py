"""The examples in the docstrings give what they say."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest

import brainage


@pytest.mark.parametrize("name", ["analysis", "bundles", "regressor", "runs", "training"])
def test_examples_give_what_they_say(name: str) -> None:
    found = doctest.testmod(import_module(f"brainage.api.{name}"))
    assert found.attempted > 0
    assert found.failed == 0


def test_every_public_name_is_listed_and_imported() -> None:
    assert set(brainage.__all__) <= set(dir(brainage))
    assert all(getattr(brainage, name).__doc__ for name in brainage.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'load_runs'"):
        brainage.load_runs  # noqa: B018
