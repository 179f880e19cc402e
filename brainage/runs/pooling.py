"""The test participants of all folds together; with several draws of folds, the mean of what the draws predict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from brainage.errors import EvaluationError
from brainage.evaluation.accuracy import measure_accuracy
from brainage.evaluation.against import BaselinePredictions
from brainage.evaluation.analyse import Corrected, reference_of
from brainage.evaluation.conformal import Intervals, intervals_in
from brainage.evaluation.disclosure import shown_summary
from brainage.evaluation.findings import AnalysisSettings
from brainage.evaluation.folds import FoldResults, fold_of
from brainage.evaluation.gap import corrected_across_folds, corrected_gaps
from brainage.evaluation.repeats import Repeats
from brainage.runs.read import Run


@dataclass(frozen=True)
class Draw:
    """The runs of all folds of one draw, and their test participants, each once."""

    runs: Sequence[Run]
    predictions: pd.DataFrame

    def corrected(self, phenotypes: pd.DataFrame | None, settings: AnalysisSettings) -> Corrected:
        """Return gaps corrected by the validation participants of each fold, or by the other folds."""
        if settings.gap_correction == "crossfit":
            folds = [fold_name(run) for run in self.runs for part in run.predictions["split"] if part == "test"]
            reference = reference_of(self.predictions, phenotypes, settings)
            return corrected_across_folds(self.predictions, pd.Series(folds, self.predictions.index), reference)
        found = [_corrected_in(run, settings.gap_correction) for run in self.runs]
        return pd.concat([gaps for gaps, _ in found], ignore_index=True), [fit for _, fits in found for fit in fits]

    def baselines(self, found: Sequence[Sequence[BaselinePredictions]]) -> list[BaselinePredictions]:
        """Return what baselines, fitted in each fold, predict of its test participants, if all folds have them."""
        each = [{one.name: one for one in baselines} for baselines in found]
        pooled = []
        for name, first in each[0].items():
            if all(name in others for others in each):
                tables = [
                    others[name].table[others[name].table["participant_id"].isin(_tested(run))]
                    for run, others in zip(self.runs, each, strict=True)
                ]
                pooled.append(replace(first, table=pd.concat(tables, ignore_index=True)))
        return pooled

    def results(self) -> FoldResults:
        """Return the accuracy of each fold on its test participants."""
        shown = [shown_summary(run.summary) for run in self.runs]
        label = label_of(self.runs[0])
        folds = [
            fold_of(
                str(getattr(run.config.split, label, None)),
                run.predictions[run.predictions["split"] == "test"],
                summary["metrics"]["test"],
            )
            for run, summary in zip(self.runs, shown, strict=True)
        ]
        return FoldResults(label, folds)


@dataclass(frozen=True)
class Pool:
    """The draws of the folds of one model, by number; folds that were drawn once are one draw, with an empty name."""

    draws: dict[str, Draw]

    @property
    def first(self) -> Draw:
        """The first draw."""
        return next(iter(self.draws.values()))

    @property
    def is_repeated(self) -> bool:
        """Whether there are several draws."""
        return len(self.draws) > 1

    @property
    def runs(self) -> list[Run]:
        """All runs, draw by draw."""
        return [run for draw in self.draws.values() for run in draw.runs]

    @property
    def label(self) -> str:
        """``fold`` or ``site``."""
        return label_of(self.first.runs[0])

    @property
    def title(self) -> str:
        """The title of a page."""
        model, n = self.first.runs[0].label, len(self.first.runs)
        how = f"mean over {len(self.draws)} draws of {n} folds" if self.is_repeated else f"{n} folds pooled"
        return f"{model}, {how}"

    @property
    def notes(self) -> list[str]:
        """Return what to know of means over draws."""
        if not self.is_repeated:
            return []
        n = len(self.draws)
        return [
            f"Each prediction is the mean of {n} trainings, one of each draw of folds, none on the participant. Its "
            "error is therefore lower than that of one training, which is in the section on repeated folds."
        ]

    @property
    def predictions(self) -> pd.DataFrame:
        """Return the test participants, each once, with the mean prediction over draws."""
        mean = _mean_prediction([draw.predictions for draw in self.draws.values()])
        table = self.first.predictions
        return table.assign(predicted_age=table["participant_id"].map(mean))

    def with_fold(
        self, phenotypes: pd.DataFrame | None, settings: AnalysisSettings
    ) -> tuple[pd.DataFrame | None, AnalysisSettings]:
        """Return phenotypes with each participant's fold, as one more covariate: each fold's network has an offset."""
        if phenotypes is None or self.label == "site" or self.is_repeated:
            return phenotypes, settings
        name = next(name for name in ("fold", "split.fold") if name not in phenotypes)
        folds = [fold_name(run) for run in self.first.runs for _ in _tested(run)]
        fold = pd.DataFrame({"participant_id": self.first.predictions["participant_id"], name: folds})
        known = phenotypes.merge(fold, on="participant_id", how="left")
        return known, replace(settings, confounds=(*settings.confounds, name))

    def corrected(self, phenotypes: pd.DataFrame | None, settings: AnalysisSettings) -> Corrected:
        """Return the corrected gap of each participant, the mean over draws, and all fits."""
        found = [(draw, *draw.corrected(phenotypes, settings)) for draw in self.draws.values()]
        gaps = _mean([gaps.set_axis(draw.predictions["participant_id"]) for draw, gaps, _ in found])
        ids = self.first.predictions["participant_id"]
        return ids.map(gaps).rename(None), [fit for _, _, fits in found for fit in fits]

    def baselines(self, found: Sequence[Sequence[BaselinePredictions]]) -> list[BaselinePredictions]:
        """Return the baselines of the folds; `found` are those of each of `runs`. Of draws, the mean."""
        each, begin = [], 0
        for draw in self.draws.values():
            each.append(draw.baselines(found[begin : begin + len(draw.runs)]))
            begin += len(draw.runs)
        return [replace(first, table=_mean_table([one.table for one in same])) for first, same in _shared(each)]

    def intervals(self, settings: AnalysisSettings) -> Intervals:
        """Return the intervals of test participants, each by the validation participants of its fold."""
        if self.is_repeated:
            return Intervals(reason="They are of one training, and each prediction is the mean over draws of folds.")
        found = [
            intervals_in(run.predictions, settings.interval_level, settings.interval_kind) for run in self.first.runs
        ]
        if reason := next((one.reason for one in found if one.reason), ""):
            return Intervals(reason=reason)
        bounds = pd.concat([one.bounds for one in found], ignore_index=True)
        return Intervals(bounds, [fit for one in found for fit in one.fits])

    def fold_results(self) -> FoldResults | None:
        """Return the accuracy of each fold; None for several draws."""
        return None if self.is_repeated else self.first.results()

    def repeats(self, settings: AnalysisSettings) -> Repeats | None:
        """Return the accuracy of each draw; None for one."""
        if not self.is_repeated:
            return None
        draws = {}
        for number, draw in self.draws.items():
            results, table = draw.results(), draw.predictions
            accuracy = measure_accuracy(
                table["age"], table["predicted_age"], mean_age=float(table["age"].mean()),
                n_resamples=settings.n_resamples, seed=settings.seed,
            )  # fmt: skip
            draws[number] = replace(results, accuracy=None if results.hides_few else accuracy)
        return Repeats("", draws)


def pool_of(runs: Sequence[Run], source: Path) -> Pool:
    """Return the test participants of all folds, by draw.

    Raises
    ------
    EvaluationError
        There are none, or a draw tests a participant twice, or two draws test other participants.
    """
    if not runs:
        raise EvaluationError(
            f"`run={source}` must contain the runs of its folds, but there are none. Resume its jobs, or report "
            f"predictions={source / 'pooled_predictions.csv'} gap_correction=in_sample."
        )
    grouped: dict[str, list[Run]] = {}
    for run in runs:
        grouped.setdefault(str(getattr(run.config.split, "repeat", "")), []).append(run)
    draws = {}
    for name, own in sorted(grouped.items(), key=lambda item: (len(item[0]), item[0])):
        tested = pd.concat([run.predictions[run.predictions["split"] == "test"] for run in own], ignore_index=True)
        if tested["participant_id"].duplicated().any():
            raise EvaluationError(
                f"`run={source}` must contain folds that test each participant once, but some are tested in several of "
                f"its {len(own)} runs. Report one run at a time."
            )
        draws[name] = Draw(own, tested)
    if len({frozenset(draw.predictions["participant_id"]) for draw in draws.values()}) > 1:
        raise EvaluationError(
            f"`run={source}` must contain draws of folds that test the same participants, but they differ. Purge those "
            "who withdrew from all runs, or report one run at a time."
        )
    return Pool(draws)


def _shared(
    each: Sequence[Sequence[BaselinePredictions]],
) -> list[tuple[BaselinePredictions, list[BaselinePredictions]]]:
    """Return the baselines that all draws have: the first, and those of all."""
    named = [{one.name: one for one in own} for own in each]
    return [(one, [own[one.name] for own in named]) for one in each[0] if all(one.name in own for own in named)]


def _mean(columns: Sequence[pd.Series]) -> pd.Series:
    """Return the mean over draws by participant."""
    return pd.concat(columns, axis=1).mean(axis=1, skipna=False)


def _mean_prediction(tables: Sequence[pd.DataFrame]) -> pd.Series:
    return _mean([one.set_index("participant_id")["predicted_age"] for one in tables])


def _mean_table(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    return _mean_prediction(tables).rename("predicted_age").reset_index()


def _tested(run: Run) -> pd.Series:
    return run.predictions.loc[run.predictions["split"] == "test", "participant_id"]


def _corrected_in(run: Run, method: str) -> Corrected:
    parts = {part: group for part, group in run.predictions.groupby("split")}
    gaps, fits = corrected_gaps(parts["test"], parts["val"], method)
    return gaps, [replace(fit, fitted_on=f"validation of {fold_name(run)}") for fit in fits]


def label_of(run: Run) -> str:
    """Return what a run's test participants are: ``fold`` or ``site``."""
    return "site" if hasattr(run.config.split, "site") else "fold"


def fold_name(run: Run) -> str:
    """Return the name of a run's fold, with its draw where there are several."""
    label, repeat = label_of(run), getattr(run.config.split, "repeat", None)
    return f"{label} {getattr(run.config.split, label, None)}" + ("" if repeat is None else f" of draw {repeat}")
