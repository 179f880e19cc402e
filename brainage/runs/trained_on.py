"""Whether data that were moved or lost participants are those that a run was trained on, by ``fingerprints.csv``."""

from __future__ import annotations

import zlib
from pathlib import Path

import pandas as pd

from brainage.data.cohorts.columns import participant_ids
from brainage.data.cohorts.select import withdrawn_from
from brainage.data.cohorts.tables import read_columns
from brainage.data.cohorts.withdrawn import Withdrawn
from brainage.data.participants import Participants
from brainage.errors import EvaluationError
from brainage.runs.read import Run

FINGERPRINTS = "fingerprints.csv"

# Tolerated difference between an age and what `predictions.csv` has of it, in years.
_SAME_AGE = 1e-6


def fingerprints(participants: Participants) -> pd.DataFrame:
    """Return ``age, series`` as CRC-32, in the order of ``splits.csv``; there are no ids."""
    ages = [f"{zlib.crc32(age.tobytes()):08x}" for age in participants.ages]
    return pd.DataFrame({"age": ages, "series": [f"{checksum:08x}" for checksum in participants.checksums]})


def trained_on(folder: Path) -> pd.DataFrame | None:
    """Return ``participant_id, split, age, series`` of a run that finished an epoch; None without.

    None is also returned for a run of an earlier version, and if the fingerprints are not those of the split.
    """
    split = trained_split(folder)
    if split is None or not (folder / FINGERPRINTS).is_file():
        return None
    known = read_columns(folder / FINGERPRINTS, ("age", "series"), "resume").reset_index(drop=True)
    return pd.concat([split.reset_index(), known], axis=1) if len(known) == len(split) else None


def trained_split(folder: Path) -> pd.Series[str] | None:
    """Return the split of a run that finished an epoch, by id, without participants who were purged since."""
    path = folder / "splits.csv"
    if not (path.is_file() and (folder / "checkpoints" / "last.ckpt").exists()):
        return None
    table = read_columns(path, ("participant_id", "split"), "resume")
    return table.assign(participant_id=participant_ids(table["participant_id"], f"`{path}`")).set_index(
        "participant_id"
    )["split"]


def differences(known: pd.DataFrame, participants: Participants, withdrawn: Withdrawn) -> list[str]:
    """Return in words how participants differ from those of a run, besides those who withdrew."""
    current = pd.concat([participants.table[["participant_id", "split"]], fingerprints(participants)], axis=1)
    both = known.merge(current, on="participant_id", suffixes=("", "_now"))
    gone = known["participant_id"][~known["participant_id"].isin(set(both["participant_id"]))]
    counts = {
        "are missing (they have no row, no age or no usable file)": len(gone) - len(withdrawn.of(gone)),
        "are new": len(current) - len(both),
        **{f"have {what}": int((both[name] != both[f"{name}_now"]).sum()) for name, what in _CHANGES.items()},
    }
    return [f"{count} of {len(known)} participants {what}" for what, count in counts.items() if count]


_CHANGES = {"split": "another part", "age": "another age", "series": "other series"}


def check_same(run: Run, table: pd.DataFrame, participants: Participants | None) -> None:
    """Raise an EvaluationError if a cohort's table, or its participants with series, are not those of a finished run.

    Without `participants`, and for runs of earlier versions, only ages are compared.
    """
    withdrawn, known = withdrawn_from(run.config.cohort, [run.config.store.root]), trained_on(run.folder)
    differing = _differing_ages(run.predictions, table, withdrawn)
    if participants is not None and known is not None:
        differing = differences(known, participants, withdrawn) or differing
    if differing:
        raise EvaluationError(
            f"`cohort` must name the data of the run `{run.folder}`, but {', '.join(differing)}. Name the place of the "
            "same data with cohort.root=DIR and cohort.phenotypes=FILE, and list participants who withdrew in a file "
            "for cohort.exclude_ids=FILE."
        )


def _differing_ages(predictions: pd.DataFrame, table: pd.DataFrame, withdrawn: Withdrawn) -> list[str]:
    """Return in words how a cohort's table differs from the ages in a run's ``predictions.csv``."""
    ages = predictions["participant_id"].map(table.set_index("participant_id")["age"])
    missing = predictions["participant_id"][ages.isna()]
    counts = {
        "are missing (they have no row or no age)": len(missing) - len(withdrawn.of(missing)),
        "have another age": int(((ages - predictions["age"]).abs() > _SAME_AGE).sum()),
    }
    return [f"{count} of {len(predictions)} participants {what}" for what, count in counts.items() if count]
