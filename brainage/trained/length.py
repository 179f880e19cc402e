"""Series of another number of time points than a network was trained on."""

from __future__ import annotations

from dataclasses import replace

from brainage.errors import EvaluationError
from brainage.models import geometry
from brainage.trained.network import Trained


def of_length(trained: Trained, n_times: int) -> Trained:
    """Return a network that takes series of so many time points.

    Raises
    ------
    EvaluationError
        Its readout does not cover all time points.
    ImpossibleArchitectureError
        The series are too short for its layers.
    """
    architecture = trained.architecture
    model = {"name": architecture.model, **architecture.arguments}
    if n_times != trained.modality.n_times and not geometry.takes_other_lengths(model):
        raise EvaluationError(
            f"`n_times` must be {trained.modality.n_times} for {trained.title}, as in its training, but got {n_times}: "
            f"its linear layer has weights for time points. Leave it out, or use a network that averages over time, "
            "such as one with model.readout=global_average."
        )
    geometry.check_arguments({**model, "n_times": n_times})
    # The network is built as it was trained; only what it gets has another length.
    return replace(trained, architecture=replace(architecture, modality=replace(trained.modality, n_times=n_times)))


def length_caveats(trained: Trained, which: str) -> list[str]:
    """Return a note if the series have another length than those of the training."""
    known, n_times = trained.architecture.arguments.get("n_times"), trained.modality.n_times
    if known in (None, n_times):
        return []
    return [
        f"Series of {n_times:,} time points are predicted, but {which} was trained on {known:,}: its accuracy and the "
        "correction of the gap are unknown for this length, and errors are larger in shorter series."
    ]
