"""Integrated gradients without captum."""

from __future__ import annotations

import importlib
import sys

import pytest

from brainage.errors import ConfigError


def test_a_missing_captum_gets_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    monkeypatch.delitem(sys.modules, "brainage.explanation.gradients", raising=False)
    with pytest.raises(ConfigError, match=r'captum.*not installed: pip install "brainage\[explain\]"'):
        importlib.import_module("brainage.explanation.gradients")
