"""Users' own code: what a config may name of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from brainage.config import code
from brainage.config.code import is_own, load_code


def test_a_target_is_own_only_if_it_is_defined_in_the_loaded_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code, "_LOADED", [])
    monkeypatch.setattr("sys.path", [*code.sys.path])
    path = tmp_path / "labels_of_test_code.py"
    path.write_text("import os\nfrom os import system\n\nclass Label:\n    pass\n")
    assert not is_own("labels_of_test_code.Label")
    load_code(str(path), [f"code={path}"])
    names = ["Label", "os.system", "system", "missing", "Label.__init__"]
    assert {name for name in names if is_own(f"labels_of_test_code.{name}")} == {"Label"}
    assert not is_own("os.system")
