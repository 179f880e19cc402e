"""Keys of keyed hashes."""

from __future__ import annotations

from pathlib import Path

import pytest

from brainage.system.keys import make_key, read_key


def test_a_key_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "key"
    assert read_key(path) is None
    key = make_key(path)
    assert len(key) == 32
    assert make_key(path) == read_key(path) == key
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_link_is_not_followed_where_a_key_would_be_made(tmp_path: Path) -> None:
    (tmp_path / "key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileNotFoundError, match="key"):
        make_key(tmp_path / "key")
    assert not (tmp_path / "elsewhere").exists()
