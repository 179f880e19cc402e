"""Bundles: a trained network in a folder that can be shared, without its participants.

A bundle contains ``weights.safetensors``, ``config.yaml`` (the resolved config without paths), ``bundle.json``
(aggregates of the training participants, the gap correction, metrics) and ``README.md``, the model card.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import yaml
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from brainage.config.saved import without_private
from brainage.errors import BundleError, MissingPathError, OutputError
from brainage.evaluation.disclosure import may_describe
from brainage.evaluation.gap import HELD_OUT, METHODS, VALIDATION, Correction
from brainage.evaluation.training_stats import Spread
from brainage.runs.channels import checked_names
from brainage.system.files import as_output_error, open_file, remove_partials, write_text, write_whole
from brainage.system.invocation import command_text
from brainage.system.reading import read_json, read_yaml, reason_of
from brainage.trained.card import model_card
from brainage.trained.intervals import manifest_of, read_intervals
from brainage.trained.network import Architecture, Trained, checked_architecture

MANIFEST = "bundle.json"
# Makes a folder a stack of bundles, see `brainage.trained.stack`.
STACK = "stack.json"
WEIGHTS, CONFIG, CARD = "weights.safetensors", "config.yaml", "README.md"

# Increase it when the contents of a bundle change.
_FORMAT = 1

# Bytes of the part of the weights' file that lists them.
_HEADER = 2**20


def write_bundle(folder: Path, trained: Trained, config: dict[str, Any]) -> None:
    """Write a bundle; `config` is resolved, with at least its ``modality`` and ``model``.

    Raises an `OutputError` if the folder is not empty, or cannot be written, and a `BundleError` if the network was
    trained on shuffled time points.
    """
    if trained.shuffle_seed is not None:
        raise BundleError(
            f"{trained.title} must be trained on time points in their order to be exported, but it has "
            "recipe.shuffle_time=true: it is a control for other runs, and a bundle does not shuffle. Export a run "
            f"without, or predict with it by: {command_text('predict', f'run={trained.folder}')}"
        )
    check_unused(folder, {WEIGHTS, CONFIG, CARD})
    weights = save({name: tensor.detach().cpu().contiguous() for name, tensor in trained.weights.items()})
    manifest = json.dumps(_manifest(trained), indent=2, allow_nan=False) + "\n"
    shown = yaml.safe_dump(without_private(config), sort_keys=False)
    card = model_card(trained, config)
    with as_output_error(folder, "--out "):
        folder.mkdir(parents=True, exist_ok=True)
        remove_partials(folder)
    write_whole(folder / WEIGHTS, lambda path: path.write_bytes(weights))
    write_text(folder / CONFIG, shown)
    write_text(folder / CARD, card)
    write_text(folder / MANIFEST, manifest)  # last: it makes the folder a bundle


def check_unused(folder: Path, left: Collection[str] = ()) -> None:
    """Raise an `OutputError` unless a folder is new, empty, or has only what a killed export has `left`."""
    with as_output_error(folder, "--out "):
        names = [path.name for path in folder.iterdir()] if folder.exists() else []
    if any(name not in left and not name.endswith(".partial") for name in names):
        raise OutputError(f"`--out {folder}` must be a new or an empty folder, but it is not. Choose another.")


def _manifest(trained: Trained) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        **correction_manifest(trained.gap_correction, trained.correction, trained.uncorrected),
        **manifest_of(trained.intervals),
        "ages": asdict(trained.ages) if trained.ages and may_describe(trained.ages.n) else None,
        "series": {name: asdict(spread) for name, spread in trained.series.items() if may_describe(spread.n)},
        "facts": trained.facts,
        **({"channels": list(trained.channel_names)} if trained.channel_names else {}),
    }


def correction_manifest(method: str, fit: Correction | None, uncorrected: str) -> dict[str, Any]:
    """Return plain values of a correction, without the hash of its participants."""
    plain = asdict(replace(fit, people="")) if fit else None
    return {"gap_correction": method, "correction": plain, "uncorrected": uncorrected}


def read_bundle(folder: Path, key: str) -> Trained:
    """Read a bundle, without executing anything in it; raise as `brainage.trained.load.read_trained`."""
    if (folder / STACK).is_file():
        raise BundleError(
            f"`{key}={folder}` must be one network, but is a stack of several. Name one of them, such as "
            f"{folder / 'member-1'}, or predict with bundle={folder}."
        )
    for name in (MANIFEST, CONFIG, WEIGHTS):
        path = folder / name
        if not path.is_file():
            raise MissingPathError(
                f"`{key}={folder}` must be a bundle, which contains `{name}`, but it "
                f"{'contains none' if folder.is_dir() else 'does not exist'}. Make one with: brainage bundle export "
                "--run DIR --out DIR"
            )
        if path.is_symlink():
            raise BundleError(f"`{path}` must be a file, but is a link to another one. Copy that file there.")
    manifest = parsed(folder / MANIFEST, read_json)
    if manifest.get("format") != _FORMAT:
        raise BundleError(
            f"`{folder / MANIFEST}` must be of format {_FORMAT}, but is of {manifest.get('format')!r}. Export the run "
            "again with this version."
        )
    config = parsed(folder / CONFIG, read_yaml)
    architecture = checked_architecture(config.get("modality"), config.get("model"), folder / CONFIG)
    weights = _weights(folder / WEIGHTS, architecture)
    architecture.check_weights(weights, folder / WEIGHTS)
    try:
        facts = manifest["facts"]
        series = {str(name): Spread.from_json(values) for name, values in manifest["series"].items()}
        ages: Spread | None = Spread.from_json(manifest["ages"]) if manifest["ages"] is not None else None
        method, correction, reason = read_correction(manifest)
        intervals = read_intervals(manifest)
        if not isinstance(facts, dict):
            raise ValueError("kinds")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(
            f"`{folder / MANIFEST}` must have the keys and values of a bundle, but cannot be read "
            f"({type(error).__name__}). Export the run again."
        ) from None
    names = _channel_names(manifest, architecture, folder)
    return Trained(folder, architecture, weights, method, correction, reason, ages, series, facts, names, intervals)


def _channel_names(manifest: dict[str, Any], architecture: Architecture, folder: Path) -> tuple[str, ...] | None:
    """Return the names of the network's channels; bundles of networks without names have none."""
    if "channels" not in manifest:
        return None
    names, n_channels = checked_names(manifest["channels"]), architecture.modality.n_channels
    if names is None or len(names) != n_channels:
        raise BundleError(
            f"`{folder / MANIFEST}`: `channels` must be the {n_channels} names of the network's channels, but they "
            "are not. Export the run again."
        )
    return names


def parsed(path: Path, parse: Callable[[Path], Any]) -> dict[str, Any]:
    """Read keys and values from a bundle's file; raise a `BundleError` if there are none."""
    try:
        found = parse(path)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise BundleError(
            f"`{path}` cannot be read ({type(error).__name__}: {reason_of(error)}). Copy the bundle again."
        ) from None
    if not isinstance(found, dict):
        raise BundleError(f"`{path}` must contain keys and values, but contains something else. Copy the bundle again.")
    return found


def _weights(path: Path, architecture: Architecture) -> dict[str, Any]:
    """Read the weights of an architecture; their names and shapes are compared before memory is allocated."""
    try:
        with open_file(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > _HEADER:
                raise ValueError(f"its header has {length:,} bytes; at most {_HEADER:,} are read")
            header = json.loads(file.read(length))
        shapes = {name: tuple(value["shape"]) for name, value in header.items() if name != "__metadata__"}
        architecture.check_shapes(shapes, path)
        # Copied, because mapped tensors are not aligned, which changes the last bits of predictions.
        return {name: tensor.clone() for name, tensor in load_file(path).items()}
    except BundleError:
        raise
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BundleError(
            f"`{path}` must contain tensors in the safetensors format, but cannot be read ({type(error).__name__}: "
            f"{reason_of(error)}). Copy the bundle again."
        ) from None


def read_correction(manifest: dict[str, Any]) -> tuple[str, Correction | None, str]:
    """Return the method, the fit, and why there is none, of `correction_manifest`; raise if they are others."""
    method, reason = manifest["gap_correction"], manifest["uncorrected"]
    if method not in METHODS or not isinstance(reason, str):
        raise ValueError("kinds")
    return method, _fit(manifest["correction"]), reason


def _fit(plain: Any) -> Correction | None:
    if plain is None:
        return None
    known = {"slope_se": None, **plain}  # bundles of earlier versions have none
    fit = Correction(**{field.name: known[field.name] for field in fields(Correction)})
    texts = (fit.method, fit.fitted_on, fit.people)
    if fit.fitted_on not in (VALIDATION, HELD_OUT):
        raise ValueError("correction")
    numbers = (fit.intercept, fit.slope, *([] if fit.slope_se is None else [fit.slope_se]))
    if not all(isinstance(text, str) for text in texts) or fit.method not in METHODS or type(fit.n) is not int:
        raise ValueError("correction")
    if not all(isinstance(x, int | float) and math.isfinite(x) for x in numbers) or (
        fit.method == "cole" and fit.slope <= 0
    ):
        raise ValueError("correction")
    return fit
