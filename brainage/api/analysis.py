"""The findings of a report, for any table of predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from brainage.data.cohorts.columns import STANDARD_COLUMNS, participant_ids, phenotype, standard_table
from brainage.data.cohorts.ids import ID_NAMES
from brainage.data.cohorts.tables import read_columns, read_header, unique_names
from brainage.errors import EvaluationError
from brainage.evaluation.analyse import analyse
from brainage.evaluation.conformal import BOUNDS
from brainage.evaluation.findings import AnalysisSettings, Findings
from brainage.evaluation.group_difference import GroupSettings
from brainage.runs import predictions_table

_PREDICTIONS = ("participant_id", "split", "age", "predicted_age")


def analyze(
    table: pd.DataFrame,
    *,
    rows: str = "all",
    gap_correction: str | None = None,
    variables: Sequence[str] | None = None,
    covariates: Sequence[str] | None = None,
    planned: Sequence[str] | None = None,
    groups: tuple[str, str] | None = None,
    **bootstrap: int,
) -> Findings:
    """Analyse predictions: accuracy, brain-age gap, its correction and its associations, as a report does.

    Parameters
    ----------
    table : DataFrame
        One row a participant: ``age`` and ``predicted_age`` in years; optional are ``participant_id``, ``split``
        (``train``, ``val``, ``test``), ``sex`` (0 and 1, or F and M), ``site``, ``head_motion`` (mm), ``family_id``
        and any phenotypes.
    rows : {"all", "test", "val+test"}, default="all"
        The analysed rows.
    gap_correction : {"linear", "cole", "crossfit", "in_sample", "none"}, optional
        By default "linear" where `split` has validation rows, otherwise "in_sample".
    variables : sequence of str, optional
        Phenotypes that the gap is correlated with; by default all.
    covariates : sequence of str, optional
        Columns that partial correlations are adjusted for, besides age and age squared; by default sex, head motion and
        site, where they are known.
    planned : sequence of str, optional
        Variables that were planned before the data were seen: they are corrected for multiple tests by themselves.
    groups : (str, str), optional
        A column of groups, and its value for the reference group, such as ``("diagnosis", "control")``: the other
        groups' gaps are compared with it, and a correction of the gap is fitted on it alone.
    **bootstrap
        ``n_resamples=2000`` and ``seed=43``, which is that of permutations, too.

    Returns
    -------
    Findings
        See `brainage.evaluation.findings.Findings`.

    Raises
    ------
    EvaluationError, CohortError
        A column is missing, a value cannot be used, or there are no rows to analyse.

    Examples
    --------
    >>> import pandas as pd, brainage as ba
    >>> table = pd.DataFrame({"age": range(40, 70), "predicted_age": range(42, 72), "sex": ["F", "M"] * 15})
    >>> found = ba.analyze(table, n_resamples=100)
    >>> round(found.accuracy.estimates["mae"].value, 2)
    2.0
    """
    table = _with_ids(table)
    has_val = "split" in table and table["split"].eq("val").any()
    settings = AnalysisSettings(
        rows=rows,
        gap_correction=gap_correction or ("linear" if has_val else "in_sample"),
        variables=variables,
        covariates=covariates,
        planned=planned,
        strict=gap_correction is not None,
        groups=None if groups is None else GroupSettings(str(groups[0]), str(groups[1])),
    )
    predictions = table[[name for name in _PREDICTIONS if name in table]]
    predictions = predictions.astype({"participant_id": str, "age": float, "predicted_age": float})
    complete = predictions[predictions["age"].notna() & predictions["predicted_age"].notna()].reset_index(drop=True)
    n_excluded = len(table) - len(complete)
    notes = [f"{n_excluded} of {len(table)} rows have no age or no prediction and are excluded."] * (n_excluded > 0)
    return analyse(complete, _phenotypes(table), _with_bootstrap(settings, **bootstrap), notes=notes)


def _with_ids(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with ids, by default the numbers of its rows; raise unless it has ages and predictions."""
    missing = [name for name in ("age", "predicted_age") if name not in table]
    if missing:
        raise EvaluationError(
            f"`table` must have the columns age and predicted_age, but lacks {' and '.join(missing)}. Rename them."
        )
    table = table.reset_index(drop=True)
    return table if "participant_id" in table else table.assign(participant_id=table.index.astype(str))


def _with_bootstrap(
    settings: AnalysisSettings, *, n_resamples: int = AnalysisSettings.n_resamples, seed: int = AnalysisSettings.seed
) -> AnalysisSettings:
    return replace(settings, n_resamples=n_resamples, seed=seed)


def _phenotypes(table: pd.DataFrame) -> pd.DataFrame:
    """Return the columns besides predictions; standard ones are read as from a file."""
    standard = [name for name in STANDARD_COLUMNS if name in table and name != "age"]
    text = {name: table[name].map(_as_text) for name in standard}
    others = table.drop(columns=[*standard, *_PREDICTIONS, "bag", "bag_corrected", *BOUNDS], errors="ignore")
    return pd.concat([standard_table(text, "`table`"), others], axis=1)


def _as_text(value: Any) -> str:
    return "" if pd.isna(value) else str(value)


def read_predictions(path: str | Path, ids: str = "plain") -> pd.DataFrame:
    r"""Read a table of predictions with its ids as text, leading zeros included.

    Parameters
    ----------
    path : str or Path
        ``predictions.csv`` of a run or of ``brainage predict``, or one made elsewhere.
    ids : {"plain", "bids"}, default="plain"
        "bids" writes ``sub-`` before each id, as ``participants.tsv`` has it.

    Returns
    -------
    DataFrame
        ``participant_id, age, predicted_age`` and all other columns of the file.

    Examples
    --------
    >>> predictions = ba.read_predictions("predictions.csv", ids="bids")  # doctest: +SKIP
    >>> participants = pd.read_csv("participants.tsv", sep="\t", dtype={"participant_id": str})  # doctest: +SKIP
    >>> participants.merge(predictions.drop(columns="age"), on="participant_id")  # doctest: +SKIP
    """
    if ids not in ("plain", "bids"):
        raise EvaluationError(f"`ids` must be plain or bids, but got {ids!r}.")
    path = Path(path).expanduser()
    predictions_table.read_predictions(path, "predictions")  # raises what is wrong with it
    text = read_columns(path, unique_names(read_header(path), (), f"`{path}`"), "predictions").reset_index(drop=True)
    name = next(name for name in ID_NAMES if name in text)
    bare = participant_ids(text[name], f"`{path}`")
    table = text.drop(columns=name).apply(phenotype)
    table.insert(0, "participant_id", "sub-" + bare if ids == "bids" else bare)
    return table
