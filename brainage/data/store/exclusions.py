"""Participants of a store whose file cannot be used."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd

from brainage.data.store.layout import Store
from brainage.errors import CohortError
from brainage.system.console import log

# One or two unusable files are no sign of a systematic cause, whatever share of a small cohort they are.
_FEW = 2


def exclusions_of(store: Store) -> pd.DataFrame:
    """Return the excluded participants, and those with a scan that is not used: participant_id, reason."""
    reasons = [(one, f"{kind}: {detail}" if detail else kind) for one, (kind, detail) in store.excluded.items()]
    for participant, unused in zip(store.participant_ids, store.unused, strict=False):
        unused = () if participant in store.excluded else unused
        reasons += [(participant, f"one of several scans: {label}: {kind}: {detail}") for label, kind, detail in unused]
    return pd.DataFrame(reasons, columns=["participant_id", "reason"])


# The keys that change what excludes a participant.
_KEYS = {
    "too few time points": "modality.n_times",
    "wrong number of columns": "modality.dimension and modality.orientation",
    "wrong number of rows": "modality.dimension and modality.orientation",
    "names in the first column": "modality.orientation",
    "NaN or infinity": "modality.missing",
    "constant component": "modality.missing",
    "too many missing channels": "modality.max_missing_fraction",
    "not one table of numbers": "cohort.key",
    "mean near 0": "modality.scale",
}


def exceeds(n_excluded: int, n: int, max_fraction: float) -> bool:
    """Return whether so many of `n` participants may not be excluded."""
    return n_excluded == n or (n_excluded > _FEW and n_excluded / n > max_fraction)


def check_excluded(store: Store, n_scanned: int, max_fraction: float, folder: Path) -> None:
    """Log how many participants are excluded, by reason; raise if they are too many."""
    if not store.excluded:
        return
    listed = ", ".join(_reasons(store))
    n_excluded = len(store.excluded)
    if exceeds(n_excluded, n_scanned, max_fraction):
        raise CohortError(
            f"`cohort.max_excluded_fraction={max_fraction}` is exceeded: {n_excluded} of {n_scanned} participants with "
            f"a file ({n_excluded / n_scanned:.1%}) cannot be used: {listed}. The reasons are in "
            f"{folder / 'exclusions.csv'}; correct the files, or raise the limit. A file that cannot be read now is "
            "read again by the next run."
        )
    log.warning("%d of %d participants with a file are excluded (exclusions.csv): %s", n_excluded, n_scanned, listed)


def _reasons(store: Store) -> list[str]:
    """Return how many are excluded for each kind of reason, with its commonest detail and the keys that change it."""
    kinds = Counter(kind for kind, _ in store.excluded.values())
    found = []
    for kind, count in kinds.most_common():
        ((detail, _),) = Counter(detail for of, detail in store.excluded.values() if of == kind).most_common(1)
        facts = [f"most often {detail}" if detail and count > 1 else detail, _KEYS.get(kind, "")]
        shown = "; ".join(fact for fact in facts if fact)
        found.append(f"{count} x {kind}{f' ({shown})' if shown else ''}")
    return found
