"""Rules of config values: types, bounds, choices and subclasses."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated

import pytest

from brainage.config.rules import Bounds, Count, Share, checked, choice, require
from brainage.errors import ConfigError


@checked("window")
@dataclass
class Window:
    length: Count = 5
    overlap: Share = 0.5
    shape: Annotated[str, choice("hann", "boxcar")] = "hann"


@checked("window")
@dataclass
class Tapered(Window):
    edges: list[int] = field(default_factory=lambda: [1, 1])
    ripple: Annotated[float | None, Bounds(ge=0, le=9)] = None

    def __post_init__(self) -> None:
        require(len(self.edges) == 2, "window.edges", "two lengths", self.edges)


@pytest.mark.parametrize(
    ("values", "facts"),
    [
        ({"length": 0}, ["`window.length`", "1 or more", "got 0"]),
        ({"overlap": 1.0}, ["`window.overlap`", "(0, 1)", "got 1.0"]),
        ({"shape": "han"}, ["`window.shape`", "'han'", "boxcar, hann", "Did you mean `hann`?"]),
        ({"ripple": 10.0}, ["`window.ripple`", "from 0 to 9", "got 10.0"]),
        ({"edges": [3]}, ["`window.edges`", "two lengths", "got [3]"]),
        ({"length": "many"}, ["`window.length`", "'many'"]),
        ({"lenght": 7}, ["`window.lenght`", "Unexpected keyword argument"]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_broken_rule_is_one_message_with_key_rule_and_value(values: dict[str, object], facts: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"^`window\.") as raised:
        Tapered(**values)  # type: ignore[arg-type]
    assert [fact for fact in facts if fact not in str(raised.value)] == []


def test_defaults_are_not_shared_and_changed_copies_are_checked() -> None:
    first = Tapered(length=7)
    first.edges.append(2)
    assert (first.length, first.shape, Tapered().edges) == (7, "hann", [1, 1])
    assert isinstance(first, Window)
    with pytest.raises(ConfigError, match=r"`window.length`"):
        replace(Tapered(), length=-1)
