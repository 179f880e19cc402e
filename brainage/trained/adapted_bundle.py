"""Trained networks adapted to a new site: bundles that know their parent, with another last layer."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from brainage.config.rules import is_number
from brainage.data.datasets import series_batches
from brainage.data.participants import Participants
from brainage.errors import EvaluationError
from brainage.evaluation.adaptation_errors import Adapted, measure_errors
from brainage.evaluation.conformal import Conformal, fit_conformal, n_needed
from brainage.system.files import open_file
from brainage.system.provenance import commit, versions
from brainage.system.reading import read_yaml
from brainage.trained.bundle import CONFIG, WEIGHTS, parsed
from brainage.trained.last_layer import Change, Controls, cross_validated, fit_change
from brainage.trained.network import Trained, TrainedStack
from brainage.training.predict import outputs

# How far predictions by the features and weights of the last layer may be from the network's, in years.
_ROUNDING = 0.01

# Where a ridge keeps what is a network's last layer.
_RIDGE = ("weights", "intercept")

_LEVEL = 0.9


def adapt(
    parent: Trained,
    controls: Participants,
    method: str,
    *,
    seed: int,
    n_resamples: int,
    device: str = "cpu",
    batch_size: int = 128,
) -> tuple[Trained, Adapted]:
    """Adapt the network of a bundle to a new site.

    Parameters
    ----------
    parent : Trained
        Of a bundle.
    controls : Participants
        Participants of the new site with known ages, at least ten.
    method : {"offset", "line", "last_layer"}
        See `brainage.trained.last_layer.fit_change`.
    seed, n_resamples : int
        Of the folds of the cross-validation and the bootstrap; the number of its resamples.
    device, batch_size
        Of the predictions.

    Raises
    ------
    EvaluationError
        The model has no last layer that could be adapted, or not by this method.
    """
    known = controls_of(parent, controls, device=device, batch_size=batch_size)
    kind = f"{parent.title} is the ridge {parent.architecture.model}"
    found, change, predicted = _fitted(method, known, kind, seed=seed, n_resamples=n_resamples)
    new = _changed(parent, change)
    changed = new.predict(controls, device=device, batch_size=batch_size)
    _check(changed, change.apply(known.predicted, known.features), parent)
    return replace(
        new,
        **_correction(parent, change, known),
        intervals=_intervals(parent, known.age, predicted),
        facts=_facts(parent, found),
    ), found


def adapt_stack(
    stack: TrainedStack,
    controls: Sequence[Participants],
    method: str,
    *,
    seed: int,
    n_resamples: int,
    device: str = "cpu",
    batch_size: int = 128,
) -> tuple[TrainedStack, Adapted]:
    """Adapt a stack, as `adapt`; `controls` are the same participants as each member sees them.

    Weights sum to 1, so that an offset or a line of all members is that of the stack.
    """
    each = [
        controls_of(member, own, device=device, batch_size=batch_size)
        for member, own in zip(stack.members, controls, strict=True)
    ]
    joint = sum(weight * own.predicted for weight, own in zip(stack.weights, each, strict=True))
    known = Controls(each[0].age, np.asarray(joint))
    kind = f"`bundle={stack.folder}` is a stack"
    found, change, predicted = _fitted(method, known, kind, seed=seed, n_resamples=n_resamples)
    members = tuple(
        replace(_changed(one, change), correction=None, uncorrected=_MEMBER, intervals=_MEMBER, facts=_made(one.facts))
        for one in stack.members
    )
    return replace(
        stack,
        members=members,
        **_correction(stack, change, known),
        intervals=_intervals(stack, known.age, predicted),
        facts=_facts(stack, found),
    ), found


_MEMBER = "It was adapted as a member of a stack, and is used in it only."


def _fitted(
    method: str, known: Controls, kind: str, *, seed: int, n_resamples: int
) -> tuple[Adapted, Change, NDArray[np.float64]]:
    """Return what was fitted, with its errors, the change, and its predictions in cross-validation."""
    if method not in known.methods:
        raise EvaluationError(
            f"`adapt.method={method}` needs a network, but {kind}. Use adapt.method=offset or adapt.method=line."
        )
    predicted = cross_validated(known, seed=seed)
    change = fit_change(method, known)
    errors = {
        name: measure_errors(values, known.age, n_resamples=n_resamples, seed=seed)
        for name, values in predicted.items()
    }
    return Adapted(method, len(known.age), errors, str(change)), change, predicted[method]


def config_of(parent: Trained) -> dict[str, Any]:
    """Return the config of a bundle, for one that is adapted from it."""
    config = parsed(parent.folder / CONFIG, read_yaml)
    return {**config, "modality": {**config["modality"], "resample": parent.modality.resample}}


def _facts(parent: Trained | TrainedStack, found: Adapted) -> dict[str, Any]:
    """Return what the new bundle says of itself and its parent."""
    digest = hashlib.sha256()
    for one in parent.members if isinstance(parent, TrainedStack) else (parent,):
        with open_file(one.folder / WEIGHTS, "rb") as file:
            digest.update(file.read())
    own = {"weights_sha256": digest.hexdigest(), "test_mae": _test_mae(parent.facts)}
    return {**_made(parent.facts), "adapted": {**asdict(found), "parent": own}}


def _made(facts: dict[str, Any]) -> dict[str, Any]:
    """Return what a new bundle keeps of its parent's facts, which may be of any kind, and what it was made with."""
    t_r, origin = facts.get("t_r"), facts.get("imported_from")
    kept: dict[str, Any] = {"imported_from": origin} if isinstance(origin, str) else {}
    if isinstance(t_r, dict):
        kept["t_r"] = {str(name): n for name, n in t_r.items() if type(n) is int}
    return {**kept, "versions": versions(), "commit": commit()}


def _test_mae(facts: Any) -> float | None:
    for key in ("metrics", "test", "mae"):
        facts = facts.get(key) if isinstance(facts, dict) else None
    return float(facts) if is_number(facts) else None


def _correction(parent: Trained | TrainedStack, change: Change, known: Controls) -> dict[str, Any]:
    """Return the correction of the gap: the parent's, changed as the predictions; its mean on the controls is 0."""
    fit = parent.correction
    if fit is None or change.weights is not None or change.slope <= 0:
        reason = "Its last layer was adapted to another site, and the fit of its parent does not apply to it."
        return {"correction": None, "uncorrected": parent.uncorrected if fit is None else reason}
    # Of predicted age on age; of the gap it is 1 less.
    is_cole = fit.method == "cole"
    slope = change.slope * (fit.slope if is_cole else 1 + fit.slope) - (0 if is_cole else 1)
    target = change.apply(known.predicted) - (0 if is_cole else known.age)
    slope_se = None if fit.slope_se is None else change.slope * fit.slope_se
    intercept = float(target.mean() - slope * known.age.mean())
    return {"correction": replace(fit, intercept=intercept, slope=slope, slope_se=slope_se)}


def _intervals(
    parent: Trained | TrainedStack, age: NDArray[np.float64], predicted: NDArray[np.float64]
) -> Conformal | str:
    """Return intervals by the controls' errors in cross-validation; or why there are none."""
    level = parent.intervals.level if isinstance(parent.intervals, Conformal) else _LEVEL
    if len(age) < (needed := n_needed(level)):
        return f"It was adapted with {len(age)} controls, and intervals at a new site need {needed}."
    return fit_conformal(age, predicted, level=level)


def controls_of(trained: Trained, participants: Participants, *, device: str, batch_size: int) -> Controls:
    """Predict participants of known age, with the input of the network's last layer."""
    name = None if trained.architecture.is_baseline else _last_layer(trained)
    predicted = trained.predict(participants, device=device, batch_size=batch_size)
    if name is None:
        return Controls(participants.ages, predicted)
    network = trained.network()
    last = network.get_submodule(name)
    assert isinstance(last, nn.Linear)
    network.set_submodule(name, nn.Identity())
    features = outputs(network.to(device), series_batches(participants, batch_size)).reshape(len(predicted), -1).numpy()
    weight, bias = (tensor.detach().double().numpy() for tensor in (last.weight, last.bias))
    _check(features @ weight[0] + bias[0], predicted, trained)
    return Controls(participants.ages, predicted, features)


def _changed(trained: Trained, change: Change) -> Trained:
    """Return the network with a change in its last layer."""
    name = "" if trained.architecture.is_baseline else _last_layer(trained)
    weight, bias = _RIDGE if not name else (f"{name}.weight", f"{name}.bias")
    old, start = trained.weights[weight], trained.weights[bias]
    new = change.slope * old.double()
    if change.weights is not None:
        new += torch.from_numpy(change.weights).reshape(old.shape)
    start_of_new = change.slope * start.double() + change.intercept
    weights = {**trained.weights, weight: new.to(old.dtype), bias: start_of_new.to(start.dtype)}
    return replace(trained, weights=weights)


def _last_layer(trained: Trained) -> str:
    """Return the name of a network's last linear layer, of one output with a bias."""
    layers = trained.architecture.outline().named_modules()
    linear = {name: layer for name, layer in layers if isinstance(layer, nn.Linear)}
    name, last = [*linear.items()][-1] if linear else ("", nn.Linear(1, 2))
    if last.out_features != 1 or last.bias is None:
        raise EvaluationError(
            f"{trained.title} must end with a linear layer of one output and a bias to be adapted, but its network "
            "does not. Name another bundle."
        )
    return name


def _check(found: NDArray[np.float64], expected: NDArray[np.float64], trained: Trained) -> None:
    if (off := float(np.abs(found - expected).max())) > _ROUNDING:
        raise EvaluationError(
            f"{trained.title} must predict by its last linear layer to be adapted, but predictions differ from it by "
            f"up to {off:.2f} years. Name another bundle."
        )
