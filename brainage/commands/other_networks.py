"""Comparison of an explained network with others: one trained on shuffled ages, and other trainings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from brainage.config.commands.explain import ExplainCommandConfig
from brainage.data.participants import Participants
from brainage.errors import EvaluationError, MissingPathError
from brainage.explanation.effects import window_edges
from brainage.explanation.randomisation import compare_maps
from brainage.explanation.summary import Explanation, shuffled_caveats
from brainage.runs.shuffled_ages import network_of_shuffled_ages
from brainage.system.console import log
from brainage.trained.load import read_trained
from brainage.trained.network import Trained

_Series = NDArray[np.float32]


def other_trainings(given: Sequence[str] | str | None, trained: Trained) -> list[Trained]:
    """Return the networks that ``other_runs=`` names, besides the explained one.

    Raises
    ------
    MissingPathError, EvaluationError
        There is none, or one has another modality.
    """
    if given is None:
        return []
    folders = [Path(one).expanduser() for one in ([given] if isinstance(given, str) else given)]
    if len(folders) == 1 and not any((folders[0] / name).is_file() for name in ("config.yaml", "bundle.json")):
        folders = sorted(path.parent for path in folders[0].glob("*/predictions.csv"))
    own = trained.folder.resolve()
    others = [read_trained(folder, "other_runs") for folder in folders if folder.resolve() != own]
    if not others:
        raise MissingPathError(
            f"`other_runs={given}` must name finished runs besides the explained one, but there is none. Give "
            "other_runs=[FOLDER,FOLDER], or a multirun's folder."
        )
    for other in others:
        if _seen(other) != _seen(trained):
            raise EvaluationError(
                f"`other_runs`: {other.title} must see the same series as the explained network, but its modality is "
                f"{_described(other)}, and that of `{trained.folder}` {_described(trained)}. Leave it out."
            )
    return others


def _seen(trained: Trained) -> tuple[object, ...]:
    modality = trained.modality
    components = [] if trained.channel_names else modality.channel_indices()
    return trained.channel_names, *components, modality.dimension, modality.n_times, modality.scale


def _described(trained: Trained) -> str:
    modality = trained.modality
    return f"{modality.name} ({modality.chosen} of {modality.dimension}, {modality.n_times} time points)"


def with_others(
    found: Explanation,
    series: _Series,
    reference: _Series | None,
    others: Sequence[Trained],
) -> Explanation:
    """Return an explanation of series with its agreement with other trainings."""
    if not others:
        return found
    log.info("Comparing the maps with those of %d other trainings", len(others))
    networks = (other.network() for other in others)
    edges = window_edges(series.shape[2], len(found.times) - 1)
    return replace(found, others=compare_maps(networks, series, edges, found.maps, reference=reference))


def with_shuffled(
    found: Explanation,
    series: _Series,
    reference: _Series | None,
    config: ExplainCommandConfig,
    trained: Trained,
    training: Participants | None,
    folder: Path,
) -> Explanation:
    """Return an explanation of series with its comparison with a network that is trained on shuffled ages."""
    epochs = config.shuffled_epochs
    if not epochs or training is None or trained.run is None:
        return found
    log.info("Training on shuffled ages, %d epochs. If it is killed, continue with hydra.run.dir=%s", epochs, folder)
    network = network_of_shuffled_ages(
        trained.run.config,
        replace(training, shuffle_seed=trained.shuffle_seed),
        folder / "shuffled_ages",
        epochs=epochs,
        seed=config.seed,
    )
    edges = window_edges(series.shape[2], len(found.times) - 1)
    shuffled = compare_maps([network], series, edges, found.maps, reference=reference)
    found = replace(found, shuffled=shuffled, shuffled_epochs=epochs)
    found.notes.extend(shuffled_caveats(shuffled))
    return found
