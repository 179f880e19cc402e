"""Facts of a run for its page, from its summary and its plain config; runs of earlier versions have fewer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from brainage.config.saved import is_shuffled, training_summary, with_batch_size
from brainage.data.scale import IN_WORDS
from brainage.evaluation.disclosure import shown_counts
from brainage.models import is_baseline
from brainage.reporting.run_summary import epochs_text
from brainage.reporting.text import integer
from brainage.runs.channels import CHANNELS, shown_names

# Names and values.
Facts = list[tuple[str, str]]

_REPAIRED = {
    "n_with_missing_channels": "missing channels, set to zero",
    "n_with_interpolated_time_points": "interpolated time points",
}


def key_facts(summary: Mapping[str, Any], config: Mapping[str, Any], names: Sequence[str] | None) -> Facts:
    """Return what a reader needs to know first: model, series, recipe and cohort; `names` are those of the channels."""
    modality, model, cohort = config.get("modality") or {}, summary["model"], summary["cohort"]
    known = {
        "model": f"{model['name']}, {integer(model['parameters'])} parameters",
        "modality": modality.get("name"),
        "channels": _n_channels(modality, names),
        "time points": modality.get("n_times"),
        "scale": None if modality.get("scale", "zscore") == "zscore" else IN_WORDS.get(modality["scale"]),
        "repetition time": _t_r(summary.get("t_r") or {}, modality.get("t_r")),
        "recipe": None if is_baseline(model["name"]) else _recipe(config),
        "cohort": f"{cohort['name']}, {integer(cohort['n_participants'])} participants",
    }
    return [(name, str(value)) for name, value in known.items() if value is not None]


def _recipe(config: Mapping[str, Any]) -> str | None:
    name: str | None = (config.get("recipe") or {}).get("name")
    return f"{name}, shuffled time points" if is_shuffled(config) else name


def _n_channels(modality: Mapping[str, Any], names: Sequence[str] | None) -> str | None:
    n, n_all = modality.get("n_channels") or (names and len(names)), modality.get("dimension")
    return None if n is None else f"{n} of {n_all}" if n_all else str(n)


def _t_r(counts: Mapping[str, Any], configured: float | None) -> str | None:
    """Return the different repetition times of ten participants or more, else the configured one."""
    totals: Counter[str] = Counter()
    for part in counts.values():
        totals.update(part or {})
    found = [_t_r_text(name) for name in sorted(shown_counts(totals))]
    return ", ".join(found) or (None if configured is None else f"{configured:g} s")


def run_facts(summary: Mapping[str, Any], config: Mapping[str, Any], names: Sequence[str] | None) -> Facts:
    """Return everything that a page says of what was run."""
    model, cohort = summary["model"], summary["cohort"]
    training = [
        ("training", training_summary(with_batch_size(config, summary))),
        ("epochs", epochs_text(summary["epochs"], summary["best_epoch"])),
    ]
    n_participants = integer(cohort["n_participants"])
    return [
        ("model", f"{model['name']}, {integer(model['parameters'])} parameters"),
        ("cohort", f"{cohort['name']}, {n_participants} participants, store {cohort['fingerprint']}"),
        ("participants", ", ".join(f"{part} {n}" for part, n in summary["n"].items())),
        *((name, f"{integer(cohort[key])} participants") for key, name in _REPAIRED.items() if cohort.get(key)),
        *_t_r_fact(summary.get("t_r") or {}, config.get("modality") or {}),
        *([] if is_baseline(model["name"]) else training),
        ("seed", str(summary["seed"])),
        ("time", ", ".join(f"{name} {value:.1f} s" for name, value in summary["seconds"].items() if value is not None)),
        ("commit", summary["commit"] or "unknown"),
        ("versions", ", ".join(f"{name} {version}" for name, version in summary["versions"].items())),
        *_channels(names, config),
    ]


def _t_r_fact(counts: Mapping[str, Any], modality: Mapping[str, Any]) -> Facts:
    """Return the repetition times of a run's participants; runs of earlier versions did not record them."""
    parts = {part: shown_counts(found) for part, found in counts.items() if found}
    if not parts:
        return []
    if len(names := {name for found in parts.values() for name in found}) == 1:
        text = _t_r_text(names.pop())
    else:
        listed = (
            f"{part} {', '.join(f'{_t_r_text(name)} ({n})' for name, n in found.items())}"
            for part, found in parts.items()
        )
        text = "; ".join(listed)
    t_r = modality.get("t_r")
    if t_r is not None and modality.get("resample"):
        text += f"; resampled to {t_r:g} s"
    elif t_r is not None and "unknown" in text:
        text += f"; {t_r:g} s is assumed"
    return [("repetition time", text)]


def _t_r_text(name: str) -> str:
    return name if name in ("unknown", "other") else f"{name} s"


def _channels(names: Sequence[str] | None, config: Mapping[str, Any]) -> Facts:
    dimension = (config.get("modality") or {}).get("dimension")
    return [] if names is None else [("channels", f"{len(names)} of {dimension}: {shown_names(names)} ({CHANNELS})")]
