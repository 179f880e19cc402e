"""Several scans of a participant: sessions, and runs of a session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from brainage.data.store.checked import Checked
from brainage.data.store.reading import Reading
from brainage.data.store.resample import same
from brainage.data.store.series import Scan, UnreadableNowError, read_checked
from brainage.errors import SeriesError


@dataclass(frozen=True)
class LabelledScan:
    """One of a participant's scans.

    Parameters
    ----------
    label : str
        Which it is, such as ``ses-1_run-2``; it names no participant.
    scan : Scan
        Where it is.
    age : float or None
        Age at the scan, in years; None if only the participant's age is known.
    """

    label: str
    scan: Scan
    age: float | None = None


@dataclass(frozen=True)
class SeveralScans:
    """Scans of one participant, of which all that can be used are, or only the longest.

    A participant is excluded if none can be used.
    """

    scans: tuple[LabelledScan, ...]
    only_longest: bool = False

    def read(self) -> NoReturn:
        """Raise TypeError: `read_scan` reads several scans."""
        raise TypeError("several scans have no series of their own")

    def stamp(self) -> tuple[str | int | float, ...]:
        """Return what changes with any of the scans; see Scan."""
        stamps = [value for one in self.scans for value in (one.label, *one.scan.stamp())]
        return ("longest" if self.only_longest else "all", *stamps)


def read_scan(scan: Scan, reading: Reading) -> Checked[NDArray[np.float32]]:
    """Read and check a participant's scan, or all of them; see `read_checked`."""
    if not isinstance(scan, SeveralScans):
        return read_checked(scan, reading)
    found: list[tuple[str, Checked[NDArray[np.float32]]]] = []
    unused: list[tuple[str, str, str]] = []
    for one in scan.scans:
        try:
            found.append((one.label, read_checked(one.scan, reading)))
        except UnreadableNowError:
            raise
        except SeriesError as error:
            unused.append((one.label, error.kind, error.detail))
    if not found:
        label, kind, detail = unused[0]
        raise SeriesError(kind, f"{detail} ({label}, and {len(unused) - 1} more)" if len(unused) > 1 else detail)
    if scan.only_longest:
        found = [max(found, key=lambda item: item[1].series.shape[1])]
    checked = [one for _, one in found]
    t_rs = [one.t_r for one in checked if one.t_r is not None]
    if reading.resample_to is None and not all(same(t_r, t_rs[0]) for t_r in t_rs):
        listed = " and ".join(f"{t_r:g} s" for t_r in t_rs)
        raise SeriesError("scans of several repetition times", f"{listed}; modality.resample makes them the same")
    return Checked(
        np.concatenate([one.series for one in checked], axis=1),
        max(one.n_missing for one in checked),
        sum(one.n_interpolated for one in checked),
        t_rs[0] if t_rs else None,
        tuple((label, one.series.shape[1]) for label, one in found),
        tuple(unused),
        np.concatenate([one.moments for one in checked if one.moments is not None]),
    )


def first_of(scan: Scan) -> Scan:
    """Return a participant's scan, or the first of them."""
    return scan.scans[0].scan if isinstance(scan, SeveralScans) else scan
