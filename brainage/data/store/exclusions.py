"""Participants of a store whose file cannot be used."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd

from brainage.data.store.layout import Store
from brainage.errors import CohortError
from brainage.system.console import log


def exclusions_of(store: Store) -> pd.DataFrame:
    """Return the excluded participants, and those with a scan that is not used: participant_id, reason."""
    reasons = [(one, f"{kind}: {detail}" if detail else kind) for one, (kind, detail) in store.excluded.items()]
    for participant, unused in zip(store.participant_ids, store.unused, strict=False):
        unused = () if participant in store.excluded else unused
        reasons += [(participant, f"one of several scans: {label}: {kind}: {detail}") for label, kind, detail in unused]
    return pd.DataFrame(reasons, columns=["participant_id", "reason"])


def check_excluded(store: Store, n_scanned: int, max_fraction: float, folder: Path) -> None:
    """Log how many participants are excluded, by reason; raise if they exceed the fraction, or none is left."""
    if not store.excluded:
        return
    counts = Counter(kind for kind, _ in store.excluded.values()).most_common()
    listed = ", ".join(f"{count} x {kind}" for kind, count in counts)
    n_excluded = len(store.excluded)
    fraction = n_excluded / n_scanned
    if fraction > max_fraction or n_excluded == n_scanned:
        raise CohortError(
            f"`cohort.max_excluded_fraction={max_fraction}` is exceeded: {n_excluded} of {n_scanned} participants with "
            f"a file ({fraction:.1%}) cannot be used: {listed}. The reasons are in {folder / 'exclusions.csv'}; "
            "correct the files, or raise the limit. A file that cannot be read now is read again by the next run."
        )
    log.warning("%d of %d participants with a file are excluded (exclusions.csv): %s", n_excluded, n_scanned, listed)
