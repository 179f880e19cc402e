"""Patterns of the paths of participants' files: ``sub-{participant_id}/**/func/*_seg-{atlas}_*timeseries.tsv``."""

from __future__ import annotations

import re
import string
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from brainage.errors import ConfigError

ANY_DEPTH = "**"
_ID = "{participant_id}"
_OWN = ("participant_id", "dimension")


@dataclass(frozen=True)
class Level:
    """One level of a pattern, in which ``*`` is any text."""

    text: str

    @property
    def has_id(self) -> bool:
        """Whether the participant's id is in it."""
        return _ID in self.text

    @property
    def is_wild(self) -> bool:
        """Whether it may stand for several names."""
        return "*" in self.text

    def of(self, participant: str) -> str:
        """Return the level of one participant."""
        return self.text.replace(_ID, participant)

    def among(self, names: Sequence[str], participant: str = "") -> list[str]:
        """Return those of sorted names that this level of a participant stands for."""
        pieces = [piece.replace(_ID, participant) for piece in self.text.split("*")]
        return [name for name in _candidates(names, pieces) if _is_like(name, pieces)]

    def ids_of(self, names: Iterable[str], more: str = "") -> set[str]:
        """Return the ids in names that this level may stand for, with `more`, a regular expression, at their ends."""
        first, *others = map(_regex, self.text.split("*"))
        # Up to the first place of what follows: each name has one match at most to look for.
        regex = first + "".join(f".*?{piece}" if "(" in piece else f"(?:(?!{piece}).)*{piece}" for piece in others[:-1])
        regex += "".join(f".*{piece}" for piece in others[-1:])
        pattern = re.compile(regex.replace("(.+?)", "\0", 1).replace("(.+?)", r"\1").replace("\0", "(.+?)") + more)
        return {match[1] for name in names if (match := pattern.fullmatch(name))}


def _regex(piece: str) -> str:
    return re.escape(piece).replace(re.escape(_ID), "(.+?)").replace(r"\{dimension\}", r"\d+")


def _candidates(names: Sequence[str], pieces: Sequence[str]) -> Iterator[str]:
    """Yield a few names that include all that have these pieces: a folder may have the files of all participants."""
    if not pieces[0]:
        longest = max(pieces, key=len)
        yield from (name for name in names if longest in name)
        return
    at = bisect_left(names, pieces[0])
    while at < len(names) and names[at].startswith(pieces[0]):
        yield names[at]
        at += 1


def _is_like(name: str, pieces: Sequence[str]) -> bool:
    """Return whether a name has these pieces, in order, and any text between them."""
    first, *middle, last = pieces if len(pieces) > 1 else (pieces[0], "")
    if len(pieces) == 1:
        return name == first
    at, end = len(first), len(name) - len(last)
    if end < at or not name.startswith(first) or not name.endswith(last):
        return False
    for piece in middle:
        if (found := name.find(piece, at, end)) < 0:
            return False
        at = found + len(piece)
    return True


@dataclass(frozen=True)
class PathPattern:
    """A path below a cohort's folder, with placeholders and wildcards.

    Parameters
    ----------
    text : str
        ``{participant_id}`` is the id without ``sub-``, ``{dimension}`` the modality's number of channels; ``*`` is any
        text within a level, and a level ``**`` any number of folders. A name that begins with ``*`` is looked for in
        ``sub-{participant_id}/`` and below.
    entities : mapping of str to str
        The values of all other placeholders.

    Raises
    ------
    ConfigError
        The pattern cannot be used.
    """

    text: str
    entities: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the pattern."""
        if rule := self._broken_rule():
            raise ConfigError(
                f"`cohort.pattern` {rule}, but got `{self.text}`. Write a path below `cohort.root` such as "
                "`sub-{participant_id}/**/func/*_seg-{atlas}_*timeseries.tsv`, and values of other placeholders into "
                "cohort.entities={atlas: NAME}."
            )

    @property
    def whole(self) -> str:
        """The pattern, with the folder that is left out where it begins with ``*``."""
        is_bare = self.text.startswith("*") and _ID not in self.text
        return f"sub-{_ID}/{ANY_DEPTH}/{self.text}" if is_bare else self.text

    @property
    def extension(self) -> str:
        """The last suffix, two if it ends in ``.gz``; none if it has a placeholder or a wildcard."""
        name = PurePath(self.text)
        suffix = "".join(name.suffixes[-2:]) if name.suffix == ".gz" else name.suffix
        return "" if set(suffix) & set("{}*") else suffix

    def levels(self, dimension: int | None = None) -> list[Level]:
        """Return the folders, and the file without its extension; without `dimension`, its placeholder stays."""
        stem = self.whole.removesuffix(self.extension).removesuffix(".*")
        number = "{dimension}" if dimension is None else dimension
        return [Level(part) for part in PurePath(self._filled(stem, number)).parts]

    def _filled(self, text: str, dimension: int | str) -> str:
        return text.format(participant_id=_ID, dimension=dimension, **self.entities)

    def _broken_rule(self) -> str | None:
        """Return the rule that is broken, or None."""
        known = [f"{{{name}}}" for name in (*_OWN, *self.entities)]
        try:
            fields = [field for _, *field in string.Formatter().parse(self.text) if field[0] is not None]
            if any(specification or conversion for _, specification, conversion in fields):
                raise ValueError("a placeholder with a format of its own")
            names = {name for name, *_ in fields}
            if not names <= {*_OWN, *self.entities}:
                return f"may have the placeholders {', '.join(known[:-1])} and {known[-1]} only"
            whole = self._filled(self.whole, 25)
        except (ValueError, LookupError):
            return "must be a valid format with its braces in pairs"
        if unused := self.entities.keys() - names:
            return f"must have the placeholder {{{min(unused)}}}, because `cohort.entities` has a value of it"
        if _ID not in whole:
            return "must have {participant_id} or begin with *, or all participants would have the same file"
        return _broken_rule_of_levels(PurePath(whole))


def _broken_rule_of_levels(path: PurePath) -> str | None:
    if path.is_absolute() or ".." in path.parts:
        return "must stay below `cohort.root`"
    if any(ANY_DEPTH in part and part != ANY_DEPTH for part in path.parts) or path.name == ANY_DEPTH:
        return "must have ** as a level of its own, above the file"
    if f"{_ID}*" in str(path) or f"*{_ID}" in str(path):
        return "must not have * next to {participant_id}, or 1 would have the files of 10"
    return None
