"""Where UK Biobank's bulk files are."""

from __future__ import annotations

import itertools
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from brainage.data.cohorts.folders import is_kind, look_into
from brainage.data.cohorts.looking import contents
from brainage.data.store.series import FileScan, Scan, ZipScan
from brainage.errors import CohortError, MissingPathError

ICA_FIELD = 20227
"""The bulk field of resting-state images, with the series of ICA components."""

# Kinds of places of a scan, in order of preference.
_FOLDER, _BARE_FOLDER, _IN_SESSION, _ZIP = range(4)
_Place = tuple[int, Path]


@dataclass(frozen=True)
class UkbFiles:
    """The series of a bulk field and an imaging visit, in one of the layouts that institutes use.

    These are zips ``<eid>_<field>_<instance>_0.zip`` or folders of that name (at instance 2 also ``<eid>``), directly
    or in two-digit folders as on the Research Analysis Platform; such folders in ``<eid>/``, or in a session's folder
    there; ``sub-<eid>/ses-<instance>/``, with or without ``<field>_<instance>_0/`` below; or ``<instance><eid>``,
    where the table has no participant of that number.

    Parameters
    ----------
    root : Path
        The folder.
    field : int
        The bulk field.
    instance : int
        2 is the first imaging visit, 3 the repeat.
    member : str
        Path of the series inside a zip or folder, with or without its ``fMRI/`` level.
    ids_of_table : callable
        Returns the ids of all participants, also of those who are not asked for.
    """

    root: Path
    field: int
    instance: int
    member: str
    ids_of_table: Callable[[], frozenset[str]]

    def find(self, participant_ids: Iterable[str]) -> dict[str, Scan]:
        """Find scans; an extracted folder comes before a zip.

        A folder without the member is ignored. Zips are not opened here; a missing member is reported when the scan is
        read.
        """
        ids = list(participant_ids)
        places = self._places(frozenset(ids))
        named = [path for found in places.values() for kind, path in found if kind in (_FOLDER, _BARE_FOLDER)]
        files = look_into(self.root, named, self._file_in)
        # Only of participants without a file so far, whose folders are listed.
        left = (found for found in places.values() if not any(files.get(path) for _, path in found))
        below = [path for found in left for kind, path in found if kind == _IN_SESSION]
        files |= look_into(self.root, below, self._file_in_session)
        scans = ((participant, self._scan(places.get(participant, []), files)) for participant in ids)
        return {participant: scan for participant, scan in scans if scan is not None}

    def ids(self) -> set[str]:
        """Return the ids of all zips and folders of this visit; a folder named by an eid alone is visit 2."""
        table: frozenset[str] = frozenset()
        with suppress(CohortError, MissingPathError):  # the table's own reader says what is wrong with it
            table = self.ids_of_table()
        owners = (self._owner(entry, table) for entry in self._entries(frozenset()))
        return {
            participant
            for participant, [(kind, _), *_] in owners
            if kind in (_FOLDER, _ZIP) or re.fullmatch(r"\d{5,}", participant)
        }

    def describe(self, participant_ids: Sequence[str]) -> str:
        """Return where files were looked for, and what is there instead, without ids."""
        places = self._places(frozenset(participant_ids))
        owner, folder = next(((one, path) for one, [(_, path), *_] in places.items()), ("", self.root))
        while not folder.is_dir():
            folder = folder.parent
        names = sorted(f"{path.name}/" if path.is_dir() else path.name for path in folder.iterdir())
        there = "it" if folder == self.root else "the folder of the first participant"
        owner = "" if folder == self.root else owner
        return (
            f"The first paths looked for were `{self._name('{eid}')}.zip` and `{self._name('{eid}')}/{self.member}` in "
            f"`cohort.root={self.root}`, and {there} has {contents(names, owner)}. cohort.instance, cohort.member and "
            "the modality change these paths: modality=ukb_schaefer reads field 31018, ukb_tian field 31019."
        )

    def _name(self, participant: str) -> str:
        return f"{participant}_{self.field}_{self.instance}_0"

    @property
    def _members(self) -> tuple[str, str]:
        bare = self.member.removeprefix("fMRI/")
        return self.member, f"fMRI/{bare}" if bare == self.member else bare

    def _places(self, ids: frozenset[str]) -> dict[str, list[_Place]]:
        """Return the possible places of each participant's scan from one pass over the folder."""
        places: dict[str, list[_Place]] = {}
        for entry in self._entries(ids):
            participant, found = self._owner(entry, ids)
            if participant in ids and is_kind(entry.is_file if found[0][0] == _ZIP else entry.is_dir):
                places.setdefault(participant, []).extend(found)
        return places

    def _owner(self, entry: os.DirEntry[str], ids: frozenset[str]) -> tuple[str, list[_Place]]:
        """Return the participant that a zip or folder may be of, and the places in it of a scan."""
        name, visit, path = entry.name, self.instance, Path(entry.path)
        if match := re.fullmatch(self._name("(.+)") + r"(\.zip)?", name):
            return match[1], [(_ZIP if match[2] else _FOLDER, path)]
        if name.startswith("sub-"):
            session = path / f"ses-{visit}"
            return name.removeprefix("sub-"), [(_FOLDER, session), (_FOLDER, session / f"{self.field}_{visit}_0")]
        if name[:1] == str(visit) and name[1:] in ids and name not in ids and name not in self.ids_of_table():
            return name[1:], [(_BARE_FOLDER, path)]
        # The name of a bare folder does not contain the visit; it is assumed to be the first.
        bare = [(_BARE_FOLDER, path)] if visit == 2 else []
        return name, [*bare, (_IN_SESSION, path / self._name(name))]

    def _entries(self, ids: frozenset[str]) -> Iterator[os.DirEntry[str]]:
        """List the folder and its two-digit folders, and nothing else: 40,000 scans take one listing."""
        try:
            with os.scandir(self.root) as listing:
                entries = list(listing)
        except OSError as error:
            raise MissingPathError(
                f"`cohort.root` must be a folder that can be read, but `{self.root}` cannot: {error.strerror}. Name "
                "the folder of the bulk files with `cohort.root=DIR`."
            ) from None
        shards = [
            entry
            for entry in entries
            if re.fullmatch(r"\d\d", entry.name) and entry.name not in ids and is_kind(entry.is_dir)
        ]
        yield from (entry for entry in entries if entry not in shards)
        listed = look_into(self.root, [Path(shard.path) for shard in shards], lambda path: list(os.scandir(path)))
        yield from itertools.chain.from_iterable(listed.values())

    def _file_in(self, folder: Path) -> Path | None:
        """Return the file that a folder has; an OSError is about the folder or what is in it."""
        for member in self._members:
            with suppress(FileNotFoundError, NotADirectoryError):
                if stat.S_ISREG((folder / member).stat().st_mode):
                    return folder / member
        return None

    def _file_in_session(self, folder: Path) -> Path | None:
        """Return the file in a folder of this name, directly in the participant's folder or in a session's there."""
        with os.scandir(folder.parent) as listed:
            sessions = sorted(entry.path for entry in listed if entry.is_dir(follow_symlinks=False))
        found = (self._file_in(place) for place in (folder, *(Path(session, folder.name) for session in sessions)))
        return next((file for file in found if file is not None), None)

    def _scan(self, places: Sequence[_Place], files: dict[Path, Path | None]) -> Scan | None:
        for kind, path in sorted(places):
            if kind == _ZIP:
                return ZipScan(path, self.root, self._members[0], self._members[1:])
            if (file := files.get(path)) is not None:
                return FileScan(file, self.root)
        return None
