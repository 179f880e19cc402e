"""Everything that a table of predictions tells, in one place: what is printed, written and reported comes from here."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from brainage.errors import EvaluationError, nearest
from brainage.evaluation.accuracy import Accuracy, measure_accuracy
from brainage.evaluation.associations import MIN_ROWS, Associations, associate, pearson, variables_of
from brainage.evaluation.gap import Correction, corrected_gaps, gap_by_age, has_labels, rows_of
from brainage.evaluation.intervals import MIN_RESAMPLED
from brainage.evaluation.motion import Motion, measure_motion
from brainage.evaluation.paired import Difference, paired_difference

# Columns that tell who people are, or what the simulation made of them.
_NO_VARIABLES = ("participant_id", "family_id", "age", "table_row", "true_gap")

# Predictions whose SD is a smaller share of that of age tell next to nothing.
_LITTLE = 0.1


@dataclass(frozen=True)
class Options:
    """How predictions are analysed.

    Parameters
    ----------
    rows : {"test", "val+test", "all"}
        Which rows.
    gap_correction : {"linear", "cole", "in_sample", "none"}
        See `brainage.evaluation.gap.Correction`.
    variables : sequence of str or None
        What the gap is correlated with; None is every phenotype.
    n_resamples, seed : int
        Of the bootstrap.
    strict : bool
        Whether a correction that cannot be had is an error, or a note.
    """

    rows: str = "test"
    gap_correction: str = "linear"
    variables: Sequence[str] | None = None
    n_resamples: int = 2000
    seed: int = 43
    strict: bool = False


@dataclass(frozen=True)
class Truth:
    """How well gaps are recovered that are known, beside a line that knows the true brain age.

    Parameters
    ----------
    r, r_corrected : float or None
        Correlation of gap and of corrected gap with the true gap.
    best_r : float
        Of the gap of that line, which predicts age from true brain age.
    best_mae : float
        Its error, in years.
    """

    r: float | None
    r_corrected: float | None
    best_r: float
    best_mae: float


@dataclass(frozen=True)
class Findings:
    """What predictions tell.

    Parameters
    ----------
    options : Options
        How they were analysed.
    predictions : DataFrame
        ``participant_id, split, age, predicted_age, bag``, and ``bag_corrected`` where there is one.
    rows : DataFrame
        Those that are analysed, with their phenotypes.
    accuracy : Accuracy
        Of the raw predictions of these rows.
    mean_age_of : str
        Whose mean age the mean predictor says.
    other_parts : dict of str to Accuracy
        Of the other parts of the split, without intervals.
    corrections : list of Correction
        What the gap was corrected with.
    by_age : DataFrame
        See `gap_by_age`.
    associations : Associations
        With phenotypes.
    motion : Motion or None
        None where it is not known.
    against_ridge : Difference or None
        To the connectivity ridge, on the same rows.
    truth : Truth or None
        None where true gaps are not known.
    notes : list of str
        What could not be told and why; what to be careful with.
    """

    options: Options
    predictions: pd.DataFrame
    rows: pd.DataFrame
    accuracy: Accuracy
    mean_age_of: str
    other_parts: dict[str, Accuracy]
    corrections: list[Correction]
    by_age: pd.DataFrame
    associations: Associations
    motion: Motion | None
    against_ridge: Difference | None
    truth: Truth | None
    notes: list[str]

    def as_json(self) -> dict[str, Any]:
        """Return what is no table as plain values; of people there is only a hash."""
        plain = {
            "options": dataclasses.asdict(self.options),
            "accuracy": dataclasses.asdict(self.accuracy),
            "mean_age_of": self.mean_age_of,
            "gap_correction": [dataclasses.asdict(fit) for fit in self.corrections],
            "motion": dataclasses.asdict(self.motion) if self.motion else None,
            "against_ridge": dataclasses.asdict(self.against_ridge) if self.against_ridge else None,
            "true_gap": dataclasses.asdict(self.truth) if self.truth else None,
            "left_out": self.associations.left_out,
            "flagged": self.associations.flagged,
            "coding": self.associations.coding,
            "notes": self.notes,
        }
        return plain


def analyse(
    predictions: pd.DataFrame,
    phenotypes: pd.DataFrame,
    options: Options,
    ridge: pd.DataFrame | None = None,
    corrected: tuple[pd.Series, list[Correction]] | None = None,
) -> Findings:
    """Analyse predictions.

    Parameters
    ----------
    predictions : DataFrame
        ``participant_id, split, age, predicted_age``; `split` may be empty.
    phenotypes : DataFrame
        ``participant_id``, and what is known of people beside their age.
    options : Options
        How.
    ridge : DataFrame or None
        ``participant_id, predicted_age`` of the connectivity ridge.
    corrected : tuple or None
        Gaps that were corrected already, by the index of `predictions`, and the fits; None corrects here.

    Returns
    -------
    Findings
        What could not be told is in its notes.

    Raises
    ------
    EvaluationError
        There are no rows to analyse, nobody of them is in the table of phenotypes, or a variable does not exist.
    """
    table, notes = predictions.assign(bag=predictions["predicted_age"] - predictions["age"]), []
    labelled = has_labels(table)
    gaps, fits, said = _corrected(table, options) if corrected is None else (*corrected, [])
    notes += said
    if gaps.notna().any():
        table = table.assign(bag_corrected=gaps)
    chosen = _chosen(table, phenotypes, options)
    known = phenotypes.drop(columns=[name for name in phenotypes if name in table and name != "participant_id"])
    rows = chosen.merge(known, on="participant_id", how="left")
    training = table[table["split"] == "train"] if labelled else table.iloc[:0]
    mean_age = float(training["age"].mean()) if len(training) else float(rows["age"].mean())
    measured = {
        part: _accuracy(group, mean_age, options, n_resamples=0)
        for part, group in table.groupby("split", sort=False)
        if labelled and part not in set(chosen["split"])
    }
    notes += [*_outside(rows, training), *_said_of_rows(rows, table, options)]
    return Findings(
        options=options,
        predictions=table,
        rows=rows,
        accuracy=_accuracy(rows, mean_age, options, n_resamples=options.n_resamples),
        mean_age_of="the training participants" if len(training) else "these participants themselves",
        other_parts={str(part): accuracy for part, accuracy in measured.items()},
        corrections=fits,
        by_age=gap_by_age(rows),
        associations=associate(rows, _variables(rows, known, options, notes)),
        motion=_motion(rows, training, known, notes),
        against_ridge=_against(rows, ridge, options),
        truth=_truth(rows, training, known),
        notes=notes,
    )


def _chosen(table: pd.DataFrame, phenotypes: pd.DataFrame, options: Options) -> pd.DataFrame:
    """Return the rows to analyse, if there are any and the phenotypes are of the same people."""
    chosen = rows_of(table, options.rows)
    if chosen.empty:
        raise EvaluationError(
            f"`associations.rows={options.rows}` must name rows that exist, but none of {len(table)} predictions is of "
            "that part. Use associations.rows=all, or a table whose `split` says test."
        )
    if len(phenotypes) and not chosen["participant_id"].isin(set(phenotypes["participant_id"])).any():
        raise EvaluationError(
            f"None of the {len(chosen)} participants who are analysed is among the {len(phenotypes)} of the cohort's "
            "table: their ids must be the same. See whether this is the table that they came from."
        )
    return chosen


def _said_of_rows(rows: pd.DataFrame, table: pd.DataFrame, options: Options) -> list[str]:
    """Return what there is to be careful with in the rows that are analysed, out of all."""
    notes, labelled = [], has_labels(table)
    n_learned = int((rows["split"] == "train").sum()) if labelled else 0
    if n_learned:
        notes.append(
            f"{n_learned} of the {len(rows)} rows were learned from: accuracy on them says nothing of new people."
        )
    n_unlabelled = int(table["split"].isna().sum()) if labelled and options.rows != "all" else 0
    if n_unlabelled:
        notes.append(f"{n_unlabelled} of {len(table)} rows are of no part of the split, and are left out.")
    spread, of_ages = float(rows["predicted_age"].std(ddof=0)), float(rows["age"].std(ddof=0))
    if spread < _LITTLE * of_ages:
        notes.append(
            f"Predictions hardly differ between people (SD {spread:.2f} years, that of their ages {of_ages:.2f}): the "
            "gap is age turned round, and a corrected gap is noise."
        )
    if len(rows) < MIN_RESAMPLED:
        notes.append(
            f"No intervals of accuracy: {len(rows)} participants are analysed, and {MIN_RESAMPLED} are needed."
        )
    return notes


def _corrected(table: pd.DataFrame, options: Options) -> tuple[pd.Series, list[Correction], list[str]]:
    """Correct everybody's gap, but with ``in_sample``, which is of the rows that are analysed."""
    method = options.gap_correction
    try:
        if method in ("in_sample", "none"):
            gaps, fits = corrected_gaps(rows_of(table, options.rows), table.iloc[:0], method)
            return gaps.reindex(table.index), fits, []
        is_val = table["split"].eq("val") if has_labels(table) else pd.Series(False, table.index)
        validation = table[is_val]
        if options.rows == "test":
            gaps, fits = corrected_gaps(table[~is_val], validation, method)
            with suppress(EvaluationError):  # these are not analysed: too few for ten parts is no matter
                of_validation, (_, *others) = corrected_gaps(validation, validation, method)
                gaps, fits = pd.concat([gaps, of_validation]), [*fits, *others]
            return gaps.reindex(table.index), fits, []
        return *corrected_gaps(table, validation, method), []
    except EvaluationError as error:
        if options.strict:
            raise
        return pd.Series(np.nan, table.index), [], [f"No corrected gap: {error}"]


def _accuracy(rows: pd.DataFrame, mean_age: float, options: Options, *, n_resamples: int) -> Accuracy:
    return measure_accuracy(
        rows["age"], rows["predicted_age"], mean_age=mean_age, n_resamples=n_resamples, seed=options.seed
    )


def check_variables(variables: Sequence[str], columns: Iterable[str]) -> None:
    """Refuse variables that the cohort's table does not have, or that tell who somebody is.

    Parameters
    ----------
    variables : sequence of str
        ``associations.variables``.
    columns : iterable of str
        The table's.

    Raises
    ------
    EvaluationError
        The message holds the nearest column.
    """
    choices = [name for name in columns if name not in _NO_VARIABLES]
    for name in variables:
        if name not in choices:
            raise EvaluationError(
                f"`associations.variables` names {name!r}, which is no column of the cohort's table. "
                f"{nearest(name, choices) if choices else 'The table has none besides the age.'}"
            )


def _variables(rows: pd.DataFrame, known: pd.DataFrame, options: Options, notes: list[str]) -> list[str]:
    given = options.variables
    variables = variables_of(known) if given is None else list(dict.fromkeys(map(str, given)))
    check_variables(variables, map(str, known.columns))
    if variables and len(rows) < MIN_ROWS:
        notes.append(f"No associations: {len(rows)} participants are analysed, and {MIN_ROWS} are needed.")
    elif not variables:
        notes.append("No associations: the cohort's table has no phenotypes.")
    return variables


def _motion(rows: pd.DataFrame, training: pd.DataFrame, known: pd.DataFrame, notes: list[str]) -> Motion | None:
    if "head_motion" not in known:
        notes.append("Head motion is not known: what it does to these predictions cannot be told.")
        return None
    motion = measure_motion(rows, training.merge(known[["participant_id", "head_motion"]], on="participant_id"))
    if motion is None:
        notes.append(f"Head motion is known of too few: {MIN_ROWS} participants are needed, whose motion differs.")
    return motion


def _against(rows: pd.DataFrame, ridge: pd.DataFrame | None, options: Options) -> Difference | None:
    if ridge is None:
        return None
    tested = rows[rows["split"] == "test"] if has_labels(rows) else rows
    both = tested.merge(ridge, on="participant_id", suffixes=("", "_ridge"))
    return paired_difference(
        both["age"],
        both["predicted_age"],
        both["predicted_age_ridge"],
        n_resamples=options.n_resamples,
        seed=options.seed,
    )


def _truth(rows: pd.DataFrame, training: pd.DataFrame, known: pd.DataFrame) -> Truth | None:
    if "true_gap" not in known:
        return None
    known = known[["participant_id"]].assign(true_gap=pd.to_numeric(known["true_gap"], errors="coerce"))
    rows = rows.drop(columns="true_gap").merge(known[np.isfinite(known["true_gap"])], on="participant_id")
    if len(rows) < MIN_ROWS:
        return None
    fitted = training.merge(known[np.isfinite(known["true_gap"])], on="participant_id")
    fitted = fitted if len(fitted) >= MIN_ROWS else rows
    slope, intercept = np.polyfit(fitted["age"] + fitted["true_gap"], fitted["age"], 1)
    true_gap = rows["true_gap"].to_numpy(float)
    best = intercept + slope * (rows["age"].to_numpy(float) + true_gap) - rows["age"].to_numpy(float)
    corrected = rows["bag_corrected"].to_numpy(float) if "bag_corrected" in rows else None
    return Truth(
        _known(pearson(rows["bag"].to_numpy(float), true_gap)),
        None if corrected is None or np.isnan(corrected).any() else _known(pearson(corrected, true_gap)),
        pearson(best, true_gap),
        float(np.abs(best).mean()),
    )


def _outside(rows: pd.DataFrame, training: pd.DataFrame) -> list[str]:
    if training.empty:
        return []
    low, high = training["age"].min(), training["age"].max()
    n_outside = int(((rows["age"] < low) | (rows["age"] > high)).sum())
    if not n_outside:
        return []
    return [
        f"{n_outside} of {len(rows)} participants are younger or older than anybody whom the network was trained on "
        f"({low:.1f} to {high:.1f} years): their predictions are extrapolations."
    ]


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
