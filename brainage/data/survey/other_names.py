"""Patterns of paths that are not named as BIDS asks, by the ids of a table."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from brainage.data.store.formats import EXTENSIONS

_ID = "{participant_id}"
_Words = tuple[str, ...]


def shared_patterns(paths: Sequence[str], ids: Collection[str]) -> Iterator[tuple[str, int, bool]]:
    """Yield patterns of paths with an id of the table, how many participants have one, and whether some have several.

    Paths are alike if they have the same separators between words. Words in which a participant's own files differ,
    such as the name of an atlas, make different patterns; other words that differ become ``*``.
    """
    known = frozenset(ids)
    groups: dict[tuple[str, ...], list[_Words]] = defaultdict(list)
    for path in paths:
        extension = max((end for end in EXTENSIONS if path.endswith(end)), key=len)
        parts = re.split(r"([^A-Za-z0-9]+)", path.removesuffix(extension))
        groups[(*parts[1::2], extension)].append(tuple(parts[::2]))
    for (*separators, extension), group in groups.items():
        place = max(
            range(len(group[0])), key=lambda at: len({one for words in group if (one := _id_in(words[at], known))})
        )
        owned: dict[str, list[_Words]] = defaultdict(list)
        for words in group:
            if (found := _id_in(words[place], known)) is not None:
                owned[found].append(_masked(words, found))
        for kind in _by_kind(owned).values():
            several = any(len(set(files)) > 1 for files in kind.values())
            yield (
                _joined([words for files in kind.values() for words in files], separators) + extension,
                len(kind),
                several,
            )


def _id_in(word: str, ids: Collection[str]) -> str | None:
    """Return the id in a word: all of it, or all behind zeros or letters."""
    bare = re.sub(r"^[A-Za-z]*", "", word)
    n_zeros = len(bare) - len(bare.lstrip("0"))
    return next((one for one in (word, *(bare[zeros:] for zeros in range(n_zeros + 1))) if one in ids), None)


def _masked(words: _Words, participant: str) -> _Words:
    """Return words with the placeholder for the id, which zeros or letters may precede."""
    return tuple(word.removesuffix(participant) + _ID if _id_in(word, {participant}) else word for word in words)


def _by_kind(owned: Mapping[str, Sequence[_Words]]) -> dict[_Words, dict[str, list[_Words]]]:
    """Split files by the words in which files of one participant differ."""
    n_words = len(next(iter(owned.values()))[0]) if owned else 0
    differing = [
        at for at in range(n_words) if any(len({words[at] for words in files}) > 1 for files in owned.values())
    ]
    kinds: dict[_Words, dict[str, list[_Words]]] = defaultdict(lambda: defaultdict(list))
    for participant, files in owned.items():
        for words in files:
            kinds[tuple(words[at] for at in differing)][participant].append(words)
    return kinds


def _joined(group: Sequence[_Words], separators: Sequence[str]) -> str:
    columns = [set(column) for column in zip(*group, strict=True)]
    words = [next(iter(column)) if len(column) == 1 else "*" for column in columns]
    return "".join(word + separator for word, separator in zip(words, [*separators, ""], strict=True))
