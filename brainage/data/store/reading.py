"""What a modality says of participants' files: their shape, their orientation, and the names of their channels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from brainage.data.store.parse import FloatArray, Recording, is_number, recording_of
from brainage.data.store.resample import n_resampled
from brainage.errors import SeriesError

# Settings that are among those of a store only where they are not the default.
_FLAGS = ("rows_are_channels", "several")
_LIMITS = ("max_missing", "max_interpolated", "resample_to")

# Time points of the shortest series that has a standard deviation.
_MIN_TIMES = 2


@dataclass(frozen=True)
class Reading:
    """How files are read.

    Parameters
    ----------
    n_channels : int
        Channels in a file.
    n_times : int or None
        Time points that are kept; None keeps all.
    rows_are_channels : bool, default=False
        Whether a row of a file is a channel, and not a time point.
    several : bool, default=False
        Whether participants may have several scans, which follow each other.
    max_missing : float or None
        Share of the channels that may be missing, constant or not finite, and are zero then; None excludes.
    max_interpolated : float, default=0
        Share of a channel's time points that may be missing, and are interpolated then.
    names : tuple of str or None
        Names of the channels, as most files have them; files with the same names in another order are put in order.
        Without them, files must have no names.
    resample_to : float or None
        The repetition time, in seconds, that series are resampled to, before they are cut; None keeps theirs.
    """

    n_channels: int
    n_times: int | None
    rows_are_channels: bool = False
    several: bool = False
    max_missing: float | None = None
    max_interpolated: float = 0.0
    names: tuple[str, ...] | None = None
    resample_to: float | None = None

    @property
    def n_times_of_row(self) -> int | None:
        """Time points of every participant; None if they differ."""
        return None if self.several else self.n_times

    def settings(self) -> list[Any]:
        """Return what the content of a store depends on, besides the files."""
        flags = [name for name in _FLAGS if getattr(self, name)]
        given = {name: getattr(self, name) for name in _LIMITS if getattr(self, name) != getattr(type(self), name)}
        return [self.n_channels, self.n_times, *flags, *given.items()]

    @classmethod
    def of(cls, settings: Sequence[Any], names: tuple[str, ...] | None) -> Reading:
        """Return the reading with these `settings`."""
        given = {item[0]: item[1] for item in settings[2:] if item[0] in _LIMITS}
        given |= {name: name in settings for name in _FLAGS}
        return cls(settings[0], settings[1], names=names, **given)

    def series(self, raw: Recording | FloatArray) -> FloatArray:
        """Return values of shape (n_times, n_channels), with the channels in order, or raise SeriesError.

        They are not resampled yet.
        """
        recording = recording_of(raw)
        if self.rows_are_channels and recording.rows_are_times:
            return replace(self, rows_are_channels=False).series(recording)
        values = recording.values.T if self.rows_are_channels else recording.values
        self._check_shape(recording)
        found = channel_names(recording, self.rows_are_channels)
        if found == self.names:
            return values
        if found is None or self.names is None:
            have = "no names of channels, which" if found is None else "names of channels, and"
            raise SeriesError("other channels", f"{have} the other files have{'' if found is None else ' none'}")
        n_other = len(set(found) - set(self.names)) or len(found) - len(set(found))
        if n_other:
            raise SeriesError("other channels", f"{n_other} of {len(found)} names are not those of the other files")
        place = {name: number for number, name in enumerate(found)}
        return values[:, [place[name] for name in self.names]]

    def _check_shape(self, recording: Recording) -> None:
        n_rows, n_columns = recording.values.shape
        rows, columns = ("channels", "time points") if self.rows_are_channels else ("time points", "channels")
        times, channels = (n_columns, n_rows) if self.rows_are_channels else (n_rows, n_columns)
        if not self.rows_are_channels and not all(map(is_number, recording.row_names or ())):
            raise SeriesError("names in the first column", "are channels in rows? modality.orientation says so")
        n_needed = self.n_times or _MIN_TIMES
        if channels != self.n_channels:
            fits = times == self.n_channels and channels >= n_needed
            hint = f"; {n_rows} rows, {n_columns} columns: are {columns} in rows?" if fits else ""
            where = "rows" if self.rows_are_channels else "columns"
            raise SeriesError(f"wrong number of {where}", f"{channels}, expected {self.n_channels}{hint}")
        self._check_length(times, n_needed, recording.t_r)

    def _check_length(self, times: int, n_needed: int, t_r: float | None) -> None:
        found = str(times)
        if self.resample_to is not None:
            if t_r is None:
                raise SeriesError("unknown repetition time", "modality.resample needs it; cohort.t_r=SECONDS says it")
            times = n_resampled(times, t_r, self.resample_to)
            found = f"{found}, {times} of them at {self.resample_to:g} s" if found != str(times) else found
        if times < n_needed:
            raise SeriesError("too few time points", f"{found}, expected at least {n_needed}")


def channel_names(recording: Recording, rows_are_channels: bool) -> tuple[str, ...] | None:
    """Return the names of a file's channels; None without."""
    return recording.row_names if rows_are_channels else recording.column_names


def common_names(recordings: Iterable[Recording], rows_are_channels: bool) -> tuple[str, ...] | None:
    """Return the names that most of these files have, in their order; None if most have none."""
    counts = Counter(channel_names(recording, rows_are_channels) for recording in recordings)
    return counts.most_common(1)[0][0] if counts else None
