"""Fitted baselines outside their run: their arrays, and predictions of other participants."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from brainage import models
from brainage.data.participants import Participants
from brainage.errors import BrainageError, BundleError, CheckpointError, EvaluationError
from brainage.system.files import open_file

if TYPE_CHECKING:
    from brainage.models.baselines.base import SharedBaseline
    from brainage.trained.network import Architecture

# What arrays raise that are not those of a baseline.
_MISFITS = (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError)

# Values of arrays that are read: 1 GiB. A ridge on the connectivity of 1,000 parcels has 1.5 million.
MOST_VALUES = 2**27


def read_arrays(path: Path) -> dict[str, Tensor]:
    """Read ``model.npz``; nothing in it is unpickled, and its size is known before memory is allocated."""
    try:
        with open_file(path, "rb") as file:
            with zipfile.ZipFile(file) as archive:
                size = sum(one.file_size for one in archive.infolist())
            if size > 8 * MOST_VALUES:
                raise ValueError(f"it has {size:,} bytes")
            file.seek(0)
            with np.load(file, allow_pickle=False) as arrays:
                return {name: torch.from_numpy(np.array(arrays[name])) for name in arrays.files}
    except (OSError, ValueError, TypeError, EOFError, MemoryError, zipfile.BadZipFile) as error:
        raise CheckpointError(
            f"`{path}` must contain the arrays of a baseline, but cannot be read ({type(error).__name__}). Train it "
            "again."
        ) from None


def check_arrays(architecture: Architecture, arrays: dict[str, Tensor], source: Path) -> None:
    """Raise a `BundleError` unless arrays are those of the baseline; their shapes are seen when it predicts."""
    try:
        _restored(architecture, arrays)
    except BrainageError:
        raise
    except _MISFITS as error:
        raise BundleError(
            f"`{source}` must contain the arrays of the {architecture.model} that it describes, but does not "
            f"({type(error).__name__}). Use the file that belongs to it."
        ) from error


def _restored(architecture: Architecture, arrays: dict[str, Tensor]) -> SharedBaseline:
    plain = {name: tensor.numpy() for name, tensor in arrays.items()}
    return models.restored(architecture.model, architecture.arguments, plain)


def predict_baseline(
    architecture: Architecture, arrays: dict[str, Tensor], participants: Participants, folder: Path
) -> NDArray[np.float64]:
    """Predict ages, in years; raise an `EvaluationError` if arrays do not fit the baseline, or ages are not finite."""
    try:
        fitted = _restored(architecture, arrays)
        predicted = np.asarray(fitted.predict(fitted.features(participants)), dtype=np.float64)
        if predicted.shape != (len(participants),) or not np.isfinite(predicted).all():
            raise ValueError("ages")
    except BrainageError:
        raise
    except _MISFITS as error:
        raise EvaluationError(
            f"`{folder}` must have the arrays of its {architecture.model}, but they give no finite age for each of "
            f"these participants ({type(error).__name__}). Use the files that belong together."
        ) from error
    return predicted
