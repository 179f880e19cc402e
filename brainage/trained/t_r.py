"""Repetition times that a network was trained at, and those of the participants that it is applied to."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import replace

import pandas as pd

from brainage.data.store.resample import same
from brainage.data.t_r import check_t_r, text
from brainage.errors import EvaluationError
from brainage.trained.network import Trained


def t_rs_of(trained: Trained) -> list[float]:
    """Return the repetition times, in seconds, that a network was trained at; nothing where they are unknown."""
    if trained.modality.t_r is not None:
        return [trained.modality.t_r]
    seen = trained.facts.get("t_r")
    found = []
    for name in seen if isinstance(seen, dict) else ():
        with suppress(ValueError):  # "unknown" and "other"
            found.append(float(name))
    return [t_r for t_r in found if 0 < t_r < math.inf]


def resampling(trained: Trained) -> Trained:
    """Return a network to whose repetition time the series of new participants are resampled.

    Raises EvaluationError if it was trained on several.
    """
    if trained.modality.t_r is None:
        raise EvaluationError(
            f"`resample=true` needs a network that was trained at one repetition time, but `{trained.folder}` was "
            "trained with modality.t_r=null. Leave it out, or train one with modality.resample=true."
        )
    modality = replace(trained.modality, resample=True)
    return replace(trained, architecture=replace(trained.architecture, modality=modality))


def check_new(trained: Trained, table: pd.DataFrame) -> None:
    """Raise CohortError if the column ``t_r`` of new participants has what the network was not trained at."""
    known = t_rs_of(trained)
    if trained.modality.resample or not known:
        return
    one = trained.modality.t_r
    check_t_r(
        table,
        known,
        f"The network `{trained.folder}` was trained at {' and '.join(map(text, known))} and predicts series of the "
        "same repetition time, to within 1 %",
        "Choose a network that was trained at theirs, or participants with `cohort.include`."
        if one is None
        else f"Use resample=true (in Python resample=True), which resamples their series to {text(one)}.",
    )


def t_r_caveats(trained: Trained, which: str, table: pd.DataFrame) -> list[str]:
    """Return notes on participants of unknown repetition time, and on those whose series were resampled."""
    known, notes, t_r = t_rs_of(trained), [], table["t_r"]
    if not known:
        notes.append(f"The repetition times that {which} was trained at are unknown.")
    elif n_unknown := int(t_r.isna().sum()):
        notes.append(
            f"The repetition time of {n_unknown:,} of {len(table):,} participants is unknown; {which} was trained at "
            f"{' and '.join(map(text, known))}. If theirs is another, predictions are shifted by years: give it with "
            "cohort.t_r=SECONDS."
        )
    if trained.modality.resample and (n := int((t_r.notna() & ~same(t_r, trained.modality.t_r)).sum())):
        slower = int((t_r > trained.modality.t_r).sum())
        lost = " Frequencies above their own Nyquist frequency are missing in them." if slower else ""
        notes.append(f"The series of {n:,} of {len(table):,} participants were resampled to {text(known[0])}.{lost}")
    return notes
