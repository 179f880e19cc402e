"""The model card of a bundle, in Markdown."""

from __future__ import annotations

from typing import Any

from brainage.config.saved import training_summary, with_batch_size
from brainage.data.scale import IN_WORDS
from brainage.data.t_r import text
from brainage.evaluation.adaptation_errors import LABELS
from brainage.evaluation.disclosure import may_describe
from brainage.evaluation.training_stats import Spread
from brainage.runs.channels import shown_names
from brainage.trained.network import Trained, TrainedStack
from brainage.trained.t_r import t_rs_of

_UNITS = {"mae": "MAE, years", "rmse": "RMSE, years", "r2": "R²", "pearson_r": "r"}


def model_card(trained: Trained, config: dict[str, Any]) -> str:
    """Return the card; see `brainage.trained.bundle.write_bundle` for the arguments."""
    parts = (_head(trained), _data(trained, config), _accuracy(trained), *_fits(trained), _LIMITS, _use(trained))
    return "\n\n".join(parts) + "\n"


def stack_card(stack: TrainedStack) -> str:
    """Return the card of a stack, whose members have their own."""
    parts = (_stack_head(stack), _stacked(stack), _accuracy(stack), *_fits(stack), _LIMITS, _use(stack))
    return "\n\n".join(parts) + "\n"


def _stack_head(stack: TrainedStack) -> str:
    return (
        f"# Brain age: {stack.label}\n\nThe weighted mean of the ages, in years, that {len(stack.members)} models "
        "predict from time series of resting-state fMRI. Each is a bundle of its own, with a card that says "
        "which series it takes."
    )


def _stacked(stack: TrainedStack) -> str:
    """Return which runs were stacked, their weights, and the participants on whom these were fitted."""
    runs, fitted_on = stack.facts.get("runs"), stack.facts.get("fitted_on", "validation participants")
    rows = ["| model | folder | weight |", "|---|---|---|"]
    rows += [
        f"| {member.label} | member-{number} | {weight:.3f} |"
        for number, (member, weight) in enumerate(zip(stack.members, stack.weights, strict=True), start=1)
    ]
    text = f"The weights were fitted on {fitted_on}, from predictions by models that were not trained on them."
    if "val" in (stack.facts.get("metrics") or {}):
        text += " The validation error of the stack is therefore a little too low."
    without = sum(weight == 0 for weight in runs.values()) if isinstance(runs, dict) else 0
    if without:
        text += f" Stacked runs with the weight 0, which are not contained: {without}."
    if stack.correction is not None:
        text += " The correction of the gap was fitted on the same participants."
    return "## Members\n\n" + "\n".join(rows) + f"\n\n{text}"


def _head(trained: Trained) -> str:
    modality = trained.modality
    series = f"{modality.n_channels} of {modality.dimension} {_channels(trained)}"
    is_ridge = trained.architecture.is_baseline
    n_weights = sum(
        tensor.numel() for name, tensor in trained.weights.items() if not name.endswith("num_batches_tracked")
    )
    what, numbers = ("ridge", "arrays") if is_ridge else ("network", "weights and running statistics")
    origin = trained.facts.get("imported_from")
    imported = f"\n\nImported from a checkpoint, `{origin}`; what is missing below is unknown." if origin else ""
    return (
        f"# Brain age: {trained.label}\n\nA {what} that predicts age, in years, from the time series of {series} of "
        f"resting-state fMRI, {modality.n_times} time points at {_repetition_times(trained)}, each channel "
        f"{IN_WORDS[modality.scale]}. Its {numbers} are {n_weights:,} numbers.{imported}"
    )


def _repetition_times(trained: Trained) -> str:
    known = " and ".join(map(text, t_rs_of(trained)))
    return f"a repetition time of {known}" if known else "unknown repetition times"


def _channels(trained: Trained) -> str:
    if trained.channel_names is not None:
        return f"channels ({shown_names(trained.channel_names)}; bundle.json lists them)"
    return f"components ({trained.modality.components if trained.modality.channels is None else 'chosen by number'})"


def _data(trained: Trained, config: dict[str, Any]) -> str:
    cohort = (config.get("cohort") or {}).get("name", "not known")
    include = (config.get("cohort") or {}).get("include")
    lines = [f"- cohort: {cohort}{f', selected by `{include}`' if include else ''}"]
    if (ages := trained.ages) is not None and may_describe(ages.n):
        lines.append(
            f"- training participants: N = {ages.n:,}, age {ages.mean:.1f} ± {ages.sd:.1f} years{_range(ages)}"
        )
    else:
        lines.append("- training participants: not known")
    if config.get("optimizer"):
        config = with_batch_size(config, trained.run.summary if trained.run else {})
        lines.append(f"- training: {training_summary(config)}")
    lines += [
        f"- {name}: {spread.mean:.3f} ± {spread.sd:.3f}{_range(spread)}"
        for name, spread in trained.series.items()
        if may_describe(spread.n)
    ]
    return "## Data\n\n" + "\n".join(lines) + "\n\nThis folder contains no participant's data or id."


def _range(spread: Spread) -> str:
    return f", 5th to 95th percentile {spread.range_text}" if spread.range_text else ""


def _accuracy(trained: Trained | TrainedStack) -> str:
    if isinstance(adapted := trained.facts.get("adapted"), dict):
        return _adaptation(adapted)
    metrics, n = trained.facts.get("metrics"), trained.facts.get("n") or {}
    if not metrics:
        return "## Accuracy\n\nUnknown. Measure it on participants of known age before you use the network."
    rows = ["| | N | " + " | ".join(_UNITS.values()) + " |", "|---|---|" + "---|" * len(_UNITS)]
    for part in ("train", "val", "test"):
        values = metrics.get(part) or {}
        cells = ["-" if values.get(key) is None else f"{values[key]:.2f}" for key in _UNITS]
        rows.append(f"| {part} | {n.get(part, '-')} | " + " | ".join(cells) + " |")
    of_mean = ((trained.facts.get("baseline") or {}).get("test") or {}).get("mae")
    baseline = (
        f" Predicting the training participants' mean age has a test MAE of {of_mean:.2f} years." if of_mean else ""
    )
    return (
        "## Accuracy\n\nOf predictions without correction.\n\n" + "\n".join(rows) + "\n\n"
        "The test participants were drawn from the same cohort: elsewhere, with another scanner, processing or age "
        f"range, errors are larger.{baseline}"
    )


def _fits(trained: Trained | TrainedStack) -> tuple[str, str]:
    return _correction(trained), _intervals(trained)


def _intervals(trained: Trained | TrainedStack) -> str:
    fit = trained.intervals
    if isinstance(fit, str):
        return f"## Prediction intervals\n\nNone. {fit}".rstrip()
    low, high = min(fit.half_widths), max(fit.half_widths)
    width = f"± {low:g} years" if low == high else f"± {low:g} to {high:g} years, by predicted age"
    return (
        f"## Prediction intervals\n\n{width} ({fit.kind}), fitted on {fit.n:,} held-out participants: expected to "
        f"contain the age of {fit.level:.0%} of similar participants. The youngest and oldest are covered less."
    )


def _adaptation(adapted: dict[str, Any]) -> str:
    """Return the parent of an adapted network, and its errors."""
    parent = adapted["parent"]
    rows = ["| | MAE, years | mean gap, years |", "|---|---|---|"]
    for name, error in adapted["errors"].items():
        rows.append(f"| {LABELS[name]} | {error['mae']['value']:.2f} | {error['mean_gap']['value']:+.2f} |")
    test = parent["test_mae"]
    known = "" if test is None else f", with a test MAE of {test:.2f} years in its own cohort"
    return (
        f"## Adaptation\n\nAdapted to another site ({LABELS[adapted['method']]}: {adapted['change']}) from the bundle "
        f"whose weights have the SHA-256 `{parent['weights_sha256']}`{known}. The data above are those of that "
        f"training.\n\nErrors by cross-validation on the {adapted['n']:,} controls of the new site, each predicted by "
        "a fit to the others:\n\n" + "\n".join(rows)
    )


def _correction(trained: Trained | TrainedStack) -> str:
    fit = trained.correction
    if fit is None:
        return f"## Correction of the gap for age\n\nNone. {trained.uncorrected}".rstrip()
    formula = (
        f"(predicted age - {fit.intercept:.3f}) / {fit.slope:.4f} - age"
        if fit.method == "cole"
        else f"gap - ({fit.intercept:.3f} + {fit.slope:.4f} x age)"
    )
    return (
        f"## Correction of the gap for age\n\n`{fit.method}`, fitted on {fit.n:,} {fit.fitted_on} participants: "
        f"corrected gap = {formula}. It applies to similar participants only."
    )


_LIMITS = """## Intended use and limits

For research on groups. A brain-age gap is a difference between a prediction and an age. It is not a diagnosis, and it
is not reliable for one person: individual errors are far larger than their mean suggests.

- Use it only for series that were made in the same way: the same decomposition (the same group maps), the same length
  and repetition time, comparable cleaning. `brainage predict` warns if series or ages are outside the training range.
- Predictions are biased towards the mean age: young participants look older, old participants younger. Compare
  corrected gaps only.
- Head motion, site and sex correlate with age and can be part of what a network uses."""


def _use(trained: Trained | TrainedStack) -> str:
    facts = trained.facts
    versions = ", ".join(f"{name} {version}" for name, version in (facts.get("versions") or {}).items())
    made = [f"- commit: {facts['commit']}"] if facts.get("commit") else []
    made += [f"- versions: {versions}"] if versions else []
    return "## Use\n\n    brainage predict bundle=DIR cohort=bids cohort.root=DIR" + (
        "\n\n" + "\n".join(made) if made else ""
    )
