"""The methods of a run as a paragraph for a paper, made from its own numbers, with the works that it cites."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from brainage.config.saved import is_shuffled, with_batch_size
from brainage.data.scale import IN_WORDS
from brainage.evaluation.disclosure import may_describe
from brainage.evaluation.findings import Findings
from brainage.models.features import FEATURES, in_words
from brainage.reporting.about import About
from brainage.reporting.page import Section
from brainage.reporting.run_sections import rows_name
from brainage.reporting.text import integer, interval, number, percent, with_interval
from brainage.reporting.works import WORKS
from brainage.system.reading import yaml_values

# What a network is, by its name; any other is a one-dimensional convolutional network.
_NETWORKS = {
    "mean_mlp": "multi-layer perceptron that is applied at each time point and averaged over time (Popov et al. 2024)",
    "residual1dcnn": "one-dimensional residual convolutional network (Wang et al. 2017)",
    "covariance1dcnn": "one-dimensional convolutional network that reads the covariances of its features over time",
}
_OPTIMIZERS = {"Adam": "Kingma and Ba 2015", "AdamW": "Loshchilov and Hutter 2019"}


def methods_section(findings: Findings, about: About) -> Section:
    """Return the paragraph and its references."""
    text = methods(findings, about)
    return Section("Methods, ready to paste", [text, *(work for name, work in WORKS.items() if name in text)])


def methods(findings: Findings, about: About) -> str:
    """Return the methods and results of a run as a paragraph; without the training where only a table is known."""
    config = with_batch_size(yaml_values(about.config) or {}, about.summary)
    training = _training(about, config) if about.summary else []
    parts = (_accuracy, _intervals, _gap, _differences, _associations)
    return " ".join([*training, *(sentence for part in parts for sentence in part(findings))])


def _training(about: About, config: Mapping[str, Any]) -> list[str]:
    summary = about.summary
    model, version = summary["model"]["name"], (summary.get("versions") or {}).get("brainage", "")
    commit = f", commit {summary['commit'][:12]}" if summary.get("commit") else ""
    sentences = [
        f"We predicted age from resting-state fMRI with brainage {version}{commit}, which builds on work by Riedel.",
        *_participants(about, config.get("split") or {}),
        _series(config.get("modality") or {}),
    ]
    if about.is_baseline:
        harmonized = _HARMONIZED.get(config.get("harmonize", "none"))
        return [*sentences, _baseline(model, config.get("model") or {}), *([harmonized] if harmonized else [])]
    sentences += _network(summary, config)
    if not about.is_pooled:
        sentences.append(
            f"Of {summary['epochs']} epochs, number {summary['best_epoch'] + 1} had the lowest validation error and "
            f"was used (seed {summary['seed']})."
        )
    return sentences


def _participants(about: About, split: Mapping[str, Any]) -> list[str]:
    n, cohort = about.summary["n"], about.summary["cohort"]
    of = f"participants of the cohort {cohort['name']}"
    if about.repeats is not None:
        draws = list(about.repeats.draws.values())
        return [
            f"The {of} were divided into {len(draws[0].folds)} folds {len(draws)} times, each fold was tested by a "
            "network that was trained on others, and a participant's predictions were averaged over the draws."
        ]
    if about.folds is not None:
        return [
            f"The {of} were divided into {len(about.folds.folds)} {about.folds.label}s, each of which was tested by a "
            "network that was trained on others."
        ]
    excluded = cohort.get("n_excluded")
    return [
        *([f"{integer(excluded)} participants were excluded because of their series."] if excluded else []),
        f"{integer(sum(n.values()))} {of} were divided into {integer(n['train'])} training, {integer(n['val'])} "
        f"validation and {integer(n['test'])} test participants{_split(split)}.",
    ]


def _series(modality: Mapping[str, Any]) -> str:
    t_r = f" and a repetition time of {modality['t_r']:g} s" if modality.get("t_r") else ""
    of = f"{modality.get('n_channels')} of {modality['dimension']}" if modality.get("dimension") else "all"
    times = "in windows of" if modality.get("windows") == "all" else "with"
    return (
        f"The time series of {of} channels ({modality.get('name')}), {times} {modality.get('n_times')} time points"
        f"{t_r}, were {IN_WORDS.get(modality.get('scale', ''), IN_WORDS['zscore'])}."
    )


def _split(split: Mapping[str, Any]) -> str:
    if split.get("name") == "random":
        return f" at random (seed {split['seed']})"
    if split.get("name") == "kfold":
        return f" (fold {split['fold']}, counted from 0, of {split['n_folds']})"
    if split.get("name") == "repeated_kfold":
        draw = f"draw {split['repeat']} of {split['n_repeats']}"
        return f" (fold {split['fold']} of {split['n_folds']}, {draw}, both counted from 0)"
    return " (all participants of one site were tested)" if split.get("name") == "leave_site_out" else ""


# Of a feature set or a baseline: the works that a paper cites.
_BASELINE_WORKS = {
    "tangent": "; Varoquaux et al. 2010",
    "random_convolutions": "; Dempster et al. 2020",
    "kernel_ridge": "; He et al. 2020",
}


_HARMONIZED = {
    "center": "Differences between the means of sites, given age and sex, were estimated in the training participants "
    "and subtracted from the features.",
    "combat": "The features were harmonised between sites with ComBat (Johnson et al. 2007; Fortin et al. 2018), whose "
    "effects of sites were estimated in the training participants, given age and sex, and applied without these.",
}


def _baseline(model: str, config: Mapping[str, Any]) -> str:
    if model == "site_mean":
        return "Age was predicted by the mean age of the training participants of the same site."
    one = {
        "ridge_connectivity": str(config.get("kind", "correlation")).removesuffix(" correlation"),
        "ridge_motion": "motion",
        "ridge_spectrum": "spectrum",
        "random_convolutions": "random_convolutions",
    }
    names = [one[model]] if model in one else config.get("features") or []
    if not names or not set(names) <= set(FEATURES):
        return f"Age was predicted by the baseline {model}, fitted on the training participants."
    how = "kernel ridge regression on the similarity of" if model == "kernel_ridge" else "ridge regression on"
    works = "".join(_BASELINE_WORKS.get(name, "") for name in dict.fromkeys([model, *names]))
    return (
        f"Age was predicted by {how} {in_words(names)}, fitted on the training "
        f"participants, with a penalty chosen by leave-one-out cross-validation within them{_in_parentheses(works)}."
    )


def _in_parentheses(works: str) -> str:
    return f" ({works[2:]})" if works else ""


def _network(summary: Mapping[str, Any], config: Mapping[str, Any]) -> list[str]:
    model, optimizer, recipe = summary["model"], config.get("optimizer") or {}, config.get("recipe") or {}
    name = str(optimizer.get("_target_", "")).rpartition(".")[2]
    rates = f"learning rate {optimizer.get('lr')}, weight decay {optimizer.get('weight_decay')}"
    work = f"; {_OPTIMIZERS[name]}" if name in _OPTIMIZERS else ""
    changes = [
        *(["circular shifts of the series in time"] if recipe.get("circular_shift") else []),
        *([f"CutMix (parameter {recipe['cutmix']:g}; Yun et al. 2019)"] if recipe.get("cutmix") else []),
    ]
    kind = _NETWORKS.get(model["name"], "one-dimensional convolutional network")
    sentences = [
        f"A {kind} ({model['name']}, {integer(model['parameters'])} parameters) was "
        f"trained on the mean squared error with {name} ({rates}{work}) in batches of {config.get('batch_size')}"
        f"{', with ' + ' and '.join(changes) if changes else ''}."
    ]
    if is_shuffled(config):
        sentences.append(
            "In training and in predictions, the time points of each participant's series were shuffled, with one "
            "permutation for all channels."
        )
    if averaged := recipe.get("weight_averaging"):
        sentences.append(f"Weights were averaged over training steps (decay {averaged:g}; Polyak and Juditsky 1992).")
    return sentences


def _accuracy(findings: Findings) -> list[str]:
    accuracy = findings.accuracy
    if not may_describe(accuracy.n):
        return [f"{accuracy.n} participants are too few to describe the accuracy."]
    ages = f"{number(accuracy.age_mean)} ± {number(accuracy.age_sd)} years"
    names = ("mae", "r2", "pearson_r", "slope")
    mae, r2, r, slope = (with_interval(accuracy.estimates[name]) for name in names)
    sentences = [
        f"In {integer(accuracy.n)} participants ({rows_name(findings)}; age {ages}), the mean absolute error of the "
        f"raw predictions was {mae} years, R² {r2}, Pearson's r {r}, and the slope of predicted on true age {slope} "
        f"(95 % intervals from {findings.settings.n_resamples:,} bootstrap resamples of participants; Efron and "
        "Tibshirani 1993; de Lange et al. 2022).",
        f"Predicting the mean age of {findings.mean_age_of} gives a mean absolute error of "
        f"{number(accuracy.mean_mae)} years.",
    ]
    if (ridge := findings.ridge) is not None:
        difference = ridge.difference.mae
        sentences.append(
            f"The difference from the error of a {ridge.label}, trained and tested on the same participants, was "
            f"{number(difference.value)} years (95 % interval {interval(difference)})."
        )
    return sentences


def _intervals(findings: Findings) -> list[str]:
    if not findings.coverage:
        return []
    fit, whole = findings.intervals[0], findings.coverage[0]
    how = ", with errors divided by their mean at similar predicted ages" if fit.kind == "adaptive" else ""
    whom = f"{integer(fit.n)} validation participants{' a fold' if len(findings.intervals) > 1 else ''}"
    covered = f"{percent(whole.coverage.value)} ({percent(whole.coverage.low)} to {percent(whole.coverage.high)})"
    return [
        f"Prediction intervals of {percent(fit.level)} by split conformal prediction from {whom}{how} (Lei et al. "
        f"2018) contained the age of {covered} and were {number(whole.width.value)} years wide on average."
    ]


# Of a correction: how, and the works.
_CORRECTED = {
    "linear": "by a linear regression of the gap on age in {} (Beheshti et al. 2019; de Lange and Cole 2020)",
    "cole": "by inverting the regression of predicted on true age in {} (Cole et al. 2018; de Lange and Cole 2020)",
    "in_sample": "by removing the linear trend with age of {}, by which its correlation with age is zero",
    "crossfit": "by a linear regression of the gap on age in {} (cross-fitting; de Lange and Cole 2020)",
}


def _gap(findings: Findings) -> list[str]:
    if not findings.corrections or not may_describe(findings.accuracy.n):
        return []
    fit = findings.corrections[0]
    on = {"validation": f"{integer(fit.n)} validation participants", "the analysed rows": "the same participants"}
    fitted = "other held-out participants" if fit.method == "crossfit" else on.get(fit.fitted_on, fit.fitted_on)
    if fit.fitted_on.startswith("validation of "):
        fitted = "the validation participants of the same network"
    return [
        "The brain-age gap is predicted minus chronological age; it was corrected for its dependence on age "
        f"{_CORRECTED[fit.method].format(fitted)}."
    ]


def _differences(findings: Findings) -> list[str]:
    found = findings.differences
    if found is None or found.table.empty:
        return []
    return [
        f"Gaps of the groups of {found.settings.column} in test participants were compared with those of "
        f"{found.settings.reference} by regression on group, {_in_words(found.table['covariates'])}, with "
        "heteroscedasticity-consistent standard errors (HC3; Long and Ervin 2000), by the t distribution and by "
        f"{integer(found.settings.n_permutations)} permutations of residuals (Freedman and Lane 1983); effect sizes "
        "are Hedges' g (Hedges 1981)."
    ]


def _associations(findings: Findings) -> list[str]:
    table = findings.associations.table
    if table.empty:
        return []
    return [
        f"Associations of the gap with {len(table)} variables are partial correlations adjusted for "
        f"{_in_words(table['covariates'])}, except for the variable itself (Le et al. 2018), with "
        "heteroscedasticity-consistent standard errors (HC3; Long and Ervin 2000) and the false discovery rate "
        "controlled over the variables (Benjamini and Hochberg 1995)."
    ]


def _in_words(covariates: Iterable[str]) -> str:
    """Return the covariates of a table's rows in words."""
    names = list(dict.fromkeys(name for row in covariates for name in row.split()))
    known = {
        "age^2": "age squared",
        "sex:age": "sex by age",
        "head_motion": "head motion",
        "log(head_motion)": "the logarithm of head motion",
        "spline(head_motion)": "a restricted cubic spline of head motion",
        "spline(log(head_motion))": "a restricted cubic spline of the logarithm of head motion",
    }
    shown = [known.get(name, name) for name in names]
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)
