"""How long a trained model takes to predict one participant, measured on this CPU with one thread."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch
from threadpoolctl import threadpool_limits

from brainage import models
from brainage.config.groups.modality import ModalityConfig
from brainage.data.participants import Participants
from brainage.data.store.layout import Store
from brainage.models.baselines.base import Baseline
from brainage.runs.read import Run, read_run
from brainage.trained.load import read_network_of_run
from brainage.training.predict import predict

# Participants predicted together, and repetitions, of which the fastest counts.
N_TOGETHER, _REPEATED = 64, 3


def milliseconds(folder: Path, n_train: int) -> float:
    """Measure a finished run's model: milliseconds of the CPU a participant, from z-scored series to predicted age.

    Series are noise of the modality's size, in memory. A network predicts with its weights. A baseline is fitted again,
    to as many participants as it was trained on; only its features and prediction are timed.
    """
    run = read_run(folder, "run")
    measure = _baseline if models.is_baseline(run.config.model_value("name")) else _network
    with _one_thread():
        return 1000 * min(measure(run, n_train)) / N_TOGETHER


def _network(run: Run, _: int) -> Iterator[float]:
    network = read_network_of_run(run.folder, "run").network()
    modality = run.config.modality
    series = torch.from_numpy(_noise(modality, modality.n_channels, 0))
    for _ in range(1 + _REPEATED):
        yield _seconds(partial(predict, network, [series]))


def _baseline(run: Run, n_train: int) -> Iterator[float]:
    estimator = models.build_baseline(run.config.model_value("name"), run.config.network_arguments)
    for repetition in range(1 + _REPEATED):
        with TemporaryDirectory() as folder:  # where it may keep features
            known = _participants(run.config.modality, 2 * repetition, Path(folder))
            features = estimator.features(known)
            # Repeated until there are as many: the prediction of some baselines takes longer after more of them.
            rows = np.arange(n_train) % N_TOGETHER
            estimator.fit(features[rows], known.ages[rows])
        with TemporaryDirectory() as folder:
            new = _participants(run.config.modality, 2 * repetition + 1, Path(folder))
            yield _seconds(partial(_predict, estimator, new))


def _predict(estimator: Baseline, participants: Participants) -> None:
    estimator.predict(estimator.features(participants))


def _participants(modality: ModalityConfig, seed: int, folder: Path) -> Participants:
    """Return participants whose series are noise, with the columns that the baselines of this project use."""
    series = _noise(modality, modality.dimension, seed)
    checksums = np.array([zlib.crc32(one.data) for one in series], dtype=np.uint32)
    names = tuple(f"{number:02d}" for number in range(N_TOGETHER))
    rng = np.random.default_rng(seed)
    columns = {
        "participant_id": names,
        "age": rng.uniform(45, 80, N_TOGETHER),
        "row": range(N_TOGETHER),
        "split": "train",
        "head_motion": rng.uniform(0.1, 0.3, N_TOGETHER),
        "site": np.where(np.arange(N_TOGETHER) % 2, "A", "B"),
        "t_r": modality.t_r,
    }
    store = Store(folder, names, {}, series, checksums)
    return Participants(pd.DataFrame(columns), store, tuple(modality.channel_indices(None)), modality.n_times)


def _noise(modality: ModalityConfig, n_channels: int, seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Return series of shape (N_TOGETHER, n_channels, n_times)."""
    shape = (N_TOGETHER, n_channels, modality.n_times)
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def _seconds(work: Callable[[], object]) -> float:
    """Return the time of the CPU, which other processes do not prolong."""
    started = time.process_time()
    work()
    return time.process_time() - started


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)
