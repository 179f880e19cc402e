"""Analysis of a table of predictions: everything that is printed, written and reported is computed here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainage.errors import EvaluationError
from brainage.evaluation.accuracy import Accuracy, measure_accuracy
from brainage.evaluation.against import BaselinePredictions, measure_against
from brainage.evaluation.associations import Associations, associate, variables_of
from brainage.evaluation.by_age import gap_by_age
from brainage.evaluation.caveats import caveats, missing, other_groups, saturated
from brainage.evaluation.chance import measure_chance
from brainage.evaluation.conformal import BOUNDS, Intervals, intervals_in
from brainage.evaluation.corrected import corrected_correlation, known_fit
from brainage.evaluation.covariates import Covariates
from brainage.evaluation.coverage import measure_coverage
from brainage.evaluation.disclosure import MIN_SHOWN, may_describe
from brainage.evaluation.findings import AnalysisSettings, Findings
from brainage.evaluation.gap import Correction, corrected_gaps, held_out, rows_of
from brainage.evaluation.group_difference import GroupDifferences, measure_differences
from brainage.evaluation.groups import measure_groups
from brainage.evaluation.intervals import Estimate
from brainage.evaluation.known_truth import measure_truth
from brainage.evaluation.motion import Motion, measure_motion
from brainage.evaluation.residuals import measure_residuals
from brainage.evaluation.sample import sample_by_part
from brainage.evaluation.sites import Sites, harmonized, measure_sites, site_caveats
from brainage.evaluation.variables import check_variables, in_reference

_Mask = NDArray[np.bool_]

# Corrected gaps, by the index of the predictions, and the fits that corrected them.
Corrected = tuple[pd.Series, list[Correction]]


def analyse(
    predictions: pd.DataFrame,
    phenotypes: pd.DataFrame | None,
    settings: AnalysisSettings,
    baselines: Sequence[BaselinePredictions] = (),
    corrected: Corrected | None = None,
    intervals: Intervals | None = None,
    notes: Iterable[str] = (),
    progress: Callable[[Sequence[str]], Iterable[str]] = iter,
) -> Findings:
    """Analyse predictions.

    Parameters
    ----------
    predictions : DataFrame
        ``participant_id, split, age, predicted_age``; `split` may be empty or missing.
    phenotypes : DataFrame or None
        ``participant_id``, and the other columns of the cohort's table; None if that cannot be read, of which `notes`
        say what is missing.
    settings : AnalysisSettings
        How.
    baselines : sequence of BaselinePredictions
        Of the same participants.
    corrected : (Series, list of Correction) or None
        Corrected gaps, by the index of `predictions`, and their fits; None corrects here.
    intervals : Intervals or None
        Of `predictions`; None fits them to the validation rows.
    notes : iterable of str
        The caller's caveats; they precede those of the analysis.
    progress : callable
        See `brainage.evaluation.associations.associate`.

    Raises
    ------
    EvaluationError
        There are no rows to analyse, none of them is in the table of phenotypes, or a variable does not exist.
    """
    reference = reference_of(predictions, phenotypes, settings)
    table, fits, correction_notes = _with_gaps(predictions, settings, corrected, reference)
    table, intervals = _with_intervals(table, settings, intervals)
    tables = _tables(table, phenotypes, settings)
    rows, known = tables.rows, tables.known
    motion = measure_motion(rows, tables.known_training)
    resampling = {"n_resamples": settings.n_resamples, "seed": settings.seed}
    sites = measure_sites(rows, tables.known_training, seen=settings.seen_sites, **resampling)
    trend, associations, own_notes = _associated(tables, settings, fits, motion, progress)
    return Findings(
        settings=settings,
        predictions=table,
        rows=rows,
        accuracy=_measure(rows, mean_age=tables.mean_age, **resampling),
        mean_age_of="the training participants" if len(tables.training) else "these participants themselves",
        other_parts=_other_parts(tables),
        corrections=fits,
        trend=trend,
        by_age=gap_by_age(rows),
        sample=sample_by_part(_with_columns(table, known), rows),
        groups=measure_groups(rows, settings.group_column, **resampling),
        sites=sites,
        differences=_differences(table, known, settings),
        residuals=measure_residuals(rows),
        intervals=intervals.fits,
        no_intervals=intervals.reason,
        coverage=measure_coverage(rows, **resampling),
        associations=associations,
        motion=motion,
        baselines=measure_against(rows, baselines, **resampling),
        chance=measure_chance(rows, n_permutations=settings.permutations, seed=settings.seed),
        truth=measure_truth(rows, tables.training, known),
        notes=(*notes, *correction_notes, *_caveats(tables, settings, sites, reference), *own_notes),
    )


@dataclass(frozen=True)
class _Tables:
    """The tables of an analysis: all predictions, the analysed ones with phenotypes, phenotypes, training."""

    all: pd.DataFrame
    rows: pd.DataFrame
    known: pd.DataFrame
    is_readable: bool  # the table of phenotypes
    training: pd.DataFrame
    known_training: pd.DataFrame

    @property
    def mean_age(self) -> float:
        """Of training participants if there are any."""
        return float((self.training if len(self.training) else self.rows)["age"].mean())


def _tables(table: pd.DataFrame, found: pd.DataFrame | None, settings: AnalysisSettings) -> _Tables:
    phenotypes = table[["participant_id"]] if found is None else found
    chosen = _chosen(table, phenotypes, settings)
    known = phenotypes.drop(columns=[name for name in phenotypes if name in table and name != "participant_id"])
    training = table[table["split"] == "train"]
    rows = chosen.merge(known, on="participant_id", how="left")
    return _Tables(table, rows, known, found is not None, training, training.merge(known, on="participant_id"))


def _associated(
    tables: _Tables,
    settings: AnalysisSettings,
    fits: Sequence[Correction],
    motion: Motion | None,
    progress: Callable[[Sequence[str]], Iterable[str]],
) -> tuple[Estimate | None, Associations, list[str]]:
    """Return the correlation of corrected gaps with age, associations, and notes on variables."""
    rows, variables = tables.rows, _variables(tables.known, settings)
    fit, covariates = known_fit(fits, rows), Covariates(rows, settings.covariates, settings.confounds)
    associations = associate(rows, variables, progress, fit, covariates, settings.planned or ())
    notes = [
        *(missing(rows, variables, tables.known, motion) if tables.is_readable else ()),
        *saturated(associations, rows),
        *(f"Not adjusted for {name}: {reason}." for name, reason in covariates.unusable.items()),
    ]
    return _trend(rows, fit), associations, notes


def _with_intervals(
    table: pd.DataFrame, settings: AnalysisSettings, intervals: Intervals | None
) -> tuple[pd.DataFrame, Intervals]:
    """Return the predictions with the bounds of their intervals, which are fitted here if none are given."""
    if intervals is None:
        intervals = intervals_in(table, settings.interval_level, settings.interval_kind)
    if intervals.fits:
        table = table.drop(columns=[*BOUNDS], errors="ignore").join(intervals.bounds)
    return table, intervals


def _caveats(tables: _Tables, settings: AnalysisSettings, sites: Sites | None, reference: _Mask) -> Iterator[str]:
    yield from caveats(tables.rows, tables.all, tables.training, settings.rows)
    yield from site_caveats(sites)
    yield from harmonized(settings.harmonize, tables.rows, tables.known_training)
    yield from other_groups(tables.all, tables.rows, reference)


def reference_of(predictions: pd.DataFrame, phenotypes: pd.DataFrame | None, settings: AnalysisSettings) -> _Mask:
    """Return which predictions are of the reference group, whom corrections are fitted on; all without groups.

    Fewer than ten others in a held-out part count too: a fit without them would describe them.
    """
    groups = settings.groups
    if groups is None or phenotypes is None or len(phenotypes.columns) < 2:  # no table could be read
        return np.ones(len(predictions), dtype=bool)
    check_variables([groups.column], map(str, phenotypes.columns), "groups.column")
    known = phenotypes[["participant_id", groups.column]].drop_duplicates("participant_id")
    column = predictions[["participant_id"]].merge(known, on="participant_id", how="left")[groups.column]
    is_reference = in_reference(column, groups.reference).to_numpy()
    parts = predictions["split"].fillna("").to_numpy(str) if "split" in predictions else np.full(len(predictions), "")
    few = pd.Series(~is_reference).groupby(parts).transform("sum").lt(MIN_SHOWN).to_numpy() & (parts != "train")
    return np.asarray(is_reference | few)


def _differences(table: pd.DataFrame, known: pd.DataFrame, settings: AnalysisSettings) -> GroupDifferences | None:
    """Compare the groups in the test rows, or in all rows where there are no parts of a split."""
    if settings.groups is None or settings.groups.column not in known:
        return None
    tested = rows_of(table, "test").merge(known, on="participant_id")
    return measure_differences(tested, settings.groups, seed=settings.seed)


def _with_gaps(
    predictions: pd.DataFrame, settings: AnalysisSettings, corrected: Corrected | None, reference: _Mask
) -> tuple[pd.DataFrame, list[Correction], list[str]]:
    """Return the predictions with gaps and corrected gaps, the fits, and notes."""
    if "split" not in predictions:
        predictions = predictions.assign(split=None)
    table = predictions.assign(bag=predictions["predicted_age"] - predictions["age"])
    gaps, fits, notes = _corrected(table, settings, reference) if corrected is None else (*corrected, [])
    return (table.assign(bag_corrected=gaps) if gaps.notna().any() else table), fits, notes


def _trend(rows: pd.DataFrame, fit: Correction | None) -> Estimate | None:
    if "bag_corrected" not in rows or rows["bag_corrected"].isna().any() or not may_describe(len(rows)):
        return None
    age = rows["age"].to_numpy(float)
    return corrected_correlation(rows["bag_corrected"].to_numpy(float), age, age, fit)[0]


def _with_columns(table: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Return all predictions with what a table of the sample describes."""
    columns = [name for name in ("participant_id", "sex", "site", "head_motion") if name in known]
    return table.merge(known[columns], on="participant_id", how="left")


def _chosen(table: pd.DataFrame, phenotypes: pd.DataFrame, settings: AnalysisSettings) -> pd.DataFrame:
    chosen = rows_of(table, settings.rows)
    if chosen.empty:
        raise EvaluationError(
            f"`associations.rows={settings.rows}` must name existing rows, but none of {len(table)} predictions is in "
            "that part. Use associations.rows=all, or a table whose `split` contains test."
        )
    if len(phenotypes) and not chosen["participant_id"].isin(set(phenotypes["participant_id"])).any():
        raise EvaluationError(
            f"None of the {len(chosen)} analysed participants is among the {len(phenotypes)} of the cohort's table: "
            "their ids must be the same. Check that the predictions belong to this table."
        )
    return chosen


def _corrected(
    table: pd.DataFrame, settings: AnalysisSettings, reference: _Mask
) -> tuple[pd.Series, list[Correction], list[str]]:
    try:
        gaps, fits = _gaps_of_all(table, settings, reference)
        return gaps.reindex(table.index), fits, []
    except EvaluationError as error:
        if settings.strict:
            raise
        return pd.Series(np.nan, table.index), [], [f"No corrected gap: {error}"]


def _gaps_of_all(table: pd.DataFrame, settings: AnalysisSettings, reference: _Mask) -> Corrected:
    """Correct the gaps of all rows, with ``in_sample`` of the analysed rows, by fits on the reference group."""
    method = settings.gap_correction
    if method == "crossfit":
        return corrected_gaps(table, held_out(table[reference]), method)
    if method in ("in_sample", "none"):
        return corrected_gaps(rows_of(table, settings.rows), rows_of(table[reference], settings.rows), method)
    return corrected_gaps(table, table[table["split"].eq("val") & reference], method)


def _variables(known: pd.DataFrame, settings: AnalysisSettings) -> list[str]:
    columns = list(map(str, known.columns))
    check_variables([name for name in settings.covariates or () if name != "age"], columns, "associations.covariates")
    if settings.variables is None:
        variables = [name for name in variables_of(known) if name not in settings.confounds]
    else:
        variables = list(dict.fromkeys(map(str, settings.variables)))
        check_variables(variables, columns)
    check_variables(settings.planned or (), variables, "associations.planned")
    return variables


def _other_parts(tables: _Tables) -> dict[str, Accuracy]:
    """Return the accuracy in the parts that are not analysed, without intervals."""
    others = tables.all[~tables.all["split"].isin(tables.rows["split"])].groupby("split", sort=False)
    return {str(part): _measure(group, mean_age=tables.mean_age, n_resamples=0, seed=0) for part, group in others}


def _measure(rows: pd.DataFrame, *, mean_age: float, n_resamples: int, seed: int) -> Accuracy:
    ages = rows["age"], rows["predicted_age"]
    return measure_accuracy(*ages, mean_age=mean_age, n_resamples=n_resamples, seed=seed).described()
