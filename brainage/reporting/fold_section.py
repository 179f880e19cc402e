"""The section and the cards of folds, in the page of a multirun and of pooled folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from brainage.evaluation.accuracy import Accuracy
from brainage.evaluation.folds import FoldResults
from brainage.evaluation.repeats import Repeats
from brainage.reporting.page import Card, Section, Table, some
from brainage.reporting.run_figures import predicted
from brainage.reporting.text import integer, interval, mean_sd, number, signed, signed_interval, with_interval, years

_METRICS = {"mae": "MAE (years)", "rmse": "RMSE (years)", "r2": "R²", "pearson_r": "Pearson r"}


def fold_cards(found: FoldResults) -> list[Card]:
    """Return mean and SD over folds, and the errors of all test participants together."""
    cards = []
    if (spread := found.mean_sd("mae")) is not None:
        cards.append(Card(f"MAE (years), mean ± SD of {len(found.folds)} {found.label}s", mean_sd(*spread)))
    if found.accuracy is not None:
        estimates = found.accuracy.estimates
        cards += [
            Card("MAE, pooled", years(estimates["mae"].value), f"95 % interval {interval(estimates['mae'])}"),
            Card("R², pooled", number(estimates["r2"].value), f"95 % interval {interval(estimates['r2'])}"),
            Card("Pearson r, pooled", number(estimates["pearson_r"].value),
                 f"95 % interval {interval(estimates['pearson_r'])}"),
            Card("participants", integer(found.accuracy.n), "each predicted once, by a model not trained on them"),
        ]  # fmt: skip
    return cards


def fold_section(found: FoldResults, place: int = 0) -> Section:
    """Return the table of folds with mean and SD, and the pooled predictions; `place` distinguishes figures."""
    rows = [
        [fold.name, integer(fold.n), *(number(fold.metrics.get(key)) for key in _METRICS), signed(fold.mean_gap)]
        for fold in found.folds
    ]
    spreads = [found.mean_sd(key) for key in _METRICS]
    if any(spreads):
        rows.append(["mean ± SD", "", *("-" if spread is None else mean_sd(*spread) for spread in spreads), ""])
    if within := found.within():
        rows.append(
            [
                f"within {found.label}s",
                "",
                *(with_interval(within[key]) if key in within else "" for key in _METRICS),
                "",
            ]
        )
    table = Table(
        (found.label, "test participants", *_METRICS.values(), "mean gap (years)"), rows, note=_WITHIN if within else ""
    )
    drawn = []
    if found.accuracy is not None and found.predictions is not None:
        table = Table(table.header, [*rows, _pooled_row(found.accuracy)], note=f"{_WITHIN} {_POOLED}")
        drawn = some([predicted(found.predictions, found.accuracy, points="none")])
        drawn = [replace(figure, name=f"pooled-{place}" if place else "pooled") for figure in drawn]
    kind = "Left-out sites" if found.label == "site" else "Folds"
    title = f"{kind}: {found.name}" if found.name else kind
    return Section(title, [found.sentence] if found.sentence else [], [table], drawn)


def models_section(found: Sequence[FoldResults]) -> Section:
    """Return the validation errors of several models, and the test error of the one with the lowest MSE."""
    header = (
        "model",
        *(f"validation {_METRICS.get(key, 'MSE (years²)')}" for key in ("mse", "mae")),
        "test MAE (years)",
    )
    rows = []
    for each in found:
        tested = each.mean_sd("mae") if each.chosen else None
        spreads = (each.validation.get("mse"), each.validation.get("mae"), tested)
        rows.append([each.name, *("-" if spread is None else mean_sd(*spread) for spread in spreads)])
    text = (
        "Mean ± SD over folds. The test error is that of the model with the lowest mean validation MSE: no model may "
        "be chosen by it. Compare the folds of all models with brainage compare runs=FOLDER."
    )
    return Section("Models", [text], [Table(header, rows)])


_WITHIN = (
    "Mean and SD are over folds. Within folds, the MAE has a standard error for cross-validation: training sets "
    "overlap, so its variance over folds is multiplied by 1 / folds + 1 / (folds - 1) (Nadeau and Bengio 2003, doi "
    "10.1023/A:1024068626366); that of Bates et al. (2024, doi 10.1080/01621459.2023.2197686) needs many times the "
    "trainings, and repeated folds (split=repeated_kfold) narrow this one. R² is around the mean age of each fold, and "
    "r is averaged as Fisher's z."
)
_POOLED = (
    "The last row is of all test participants together, with a bootstrap interval that takes them to be independent, "
    "which they are not: models share training participants, so it is too narrow (Bates et al.)."
)


def _pooled_row(accuracy: Accuracy) -> list[str]:
    estimates = accuracy.estimates
    metrics = (with_interval(estimates[key]) for key in _METRICS)
    return ["pooled", integer(accuracy.n), *metrics, signed_interval(estimates["mean_gap"])]


def repeat_cards(found: Repeats) -> list[Card]:
    """Return the mean error over all folds of all draws."""
    if (tested := found.mae) is None:
        return []
    of = f"MAE (years), mean over {len(found.draws)} draws of {(tested.df + 1) // len(found.draws)} folds"
    return [Card(of, years(tested.mean.value), f"95 % interval {interval(tested.mean)}")]


def repeat_section(found: Repeats) -> Section:
    """Return the error over all draws of folds."""
    header = ("draw", *_METRICS.values())
    rows = [
        [number, *("-" if each.accuracy is None else with_interval(each.accuracy.estimates[key]) for key in _METRICS)]
        for number, each in found.draws.items()
    ]
    note = (
        "Each draw tests every participant once. The interval of the mean is over all folds of all draws: training "
        "sets overlap, so the variance over folds is multiplied by 1 / (repeats × folds) + 1 / (folds - 1) (Nadeau and "
        "Bengio 2003, doi 10.1023/A:1024068626366). It holds for this cohort."
    )
    title = f"Repeated folds: {found.name}" if found.name else "Repeated folds"
    return Section(title, [found.sentence], [Table(header, rows, note=note)])
