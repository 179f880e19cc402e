"""Files of strangers: what is too large, too deep or no file is refused before it needs memory or time."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from brainage.errors import EvaluationError
from brainage.system.reading import read_csv, read_json, read_text, read_yaml, reason_of

LAUGHS = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 40))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file"


@pytest.mark.more
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"l0: &l0 ha\n{LAUGHS}", "more than 20,000 values"),
        (f"l0: &l0 {{a: 1}}\n{LAUGHS.replace('[', '{<<: [').replace(']', ']}')}", "more than 20,000 values"),
        ("a: &a [*a]", "refers to itself"),
        ("[" * 100 + "]" * 100, "more than 50 levels"),
        ("[" * 100_000, "more than 50 levels"),
        ("{a: " * 300 + "}" * 300, "more than 50 levels"),
        ("- " * 100_000, "more than 50 levels"),
        (f"a: [{'1,' * 30_000}]", "more than 20,000 values"),
    ],
    ids=["aliases", "merged aliases", "a circle", "deep", "deeper", "deep mappings", "deep blocks", "long"],
)
def test_yaml_that_would_grow_is_refused(text: str, reason: str, path: Path) -> None:
    path.write_text(text)
    with pytest.raises(ValueError, match=reason):
        read_yaml(path)


def test_yaml_is_read_with_aliases_and_numbers_as_omegaconf_reads_them(path: Path) -> None:
    path.write_text("a: &a {x: 1e-3, y: [1, 2]}\nb: {<<: *a, z: *a}\nc: ''\n")
    a = {"x": 0.001, "y": [1, 2]}
    assert read_yaml(path) == {"a": a, "b": {**a, "z": a}, "c": ""}
    path.write_text("")
    assert read_yaml(path) is None
    path.write_text("a: !!python/object/apply:os.getcwd []")
    with pytest.raises(yaml.YAMLError):
        read_yaml(path)


@pytest.mark.parametrize("text", ["[" * 100 + "]" * 100, "[" * 500_000, '{"a":' * 200_000])
def test_nested_json_is_refused(text: str, path: Path) -> None:
    path.write_text(text)
    with pytest.raises(ValueError, match="more than 50 levels"):
        read_json(path)


def test_json_is_read(path: Path) -> None:
    value: Any = {"a": [1, {"b": None}], "c": {}}
    path.write_text(json.dumps(value))
    assert read_json(path) == value


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(3 * 2**30)


def linked(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (os.mkfifo, "no regular file"),
        (sparse, "3,221,225,472 bytes"),
        (linked, "is a link"),
        (Path.mkdir, "Is a directory"),
    ],
    ids=["a pipe", "a sparse file", "a link to a device", "a folder"],
)
def test_what_is_no_file_of_a_run_is_refused(make: Any, reason: str, path: Path) -> None:
    make(path)
    for read in (read_text, read_json, read_yaml):
        with pytest.raises(OSError, match=reason):
            read(path)
    with pytest.raises(EvaluationError, match=rf"`{path}` cannot be read: .*{reason}.*Restore it"):
        read_csv(path)


def test_a_reason_is_one_line() -> None:
    assert reason_of(OSError(22, "file is no regular file")) == "file is no regular file"
    assert reason_of(ValueError("a\nb")) == "a"
    assert reason_of(KeyError()) == "KeyError"
