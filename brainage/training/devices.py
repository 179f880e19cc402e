"""One run on several devices: a process for each, which trains on its share of every batch.

The run's own process is the first. It alone writes files, logs and receives signals; it starts the others, gives them
what they train as an argument, and ends them. Lightning's own launcher would run the command line again for each.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import tempfile
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.strategies import DDPStrategy
from torch import nn

from brainage.errors import ConfigError
from brainage.system.console import log
from brainage.system.redaction import redacted
from brainage.system.tasks import count_cores
from brainage.training.module import AgeRegressor

# Makes the Trainer of another process, and what trains with it.
Work = Callable[..., tuple[Trainer, Callable[[], None]]]

# Seconds in which a process says why it ended, once the first has lost the connection to it.
_LAST_WORDS = 2.0


class Place(LightningEnvironment):
    """The rank of this process among those of a run on one machine, which start without Lightning."""

    def __init__(self, rank: int) -> None:
        super().__init__()
        self._rank = rank

    @property
    def creates_processes_externally(self) -> bool:
        """Whether others than Lightning start the processes."""
        return True

    def local_rank(self) -> int:
        """Return the rank, 0 for the run's own process."""
        return self._rank

    def node_rank(self) -> int:
        """Return the rank of this machine, which is the only one."""
        return 0


class SumErrors(Callback):
    """Sum the training errors of all processes; it must be called before other callbacks read them."""

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Sum them."""
        assert isinstance(pl_module, AgeRegressor)
        pl_module.train_error.sum_over(trainer)


class OwnSignals(Callback):
    """Keep this process's handler of SIGTERM: Lightning's waits for the other processes, which may never answer."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Note the handler, before Lightning sets its own."""
        self._handler = signal.getsignal(signal.SIGTERM)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Set it again; Lightning restores it at the end, too."""
        if trainer.world_size > 1 and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._handler)


class StopTogether(Checkpoint):
    """Stop all processes if one stops; a `Checkpoint`, so that it is called after all callbacks that may stop."""

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ask them."""
        trainer.should_stop = trainer.strategy.reduce_boolean_decision(trainer.should_stop, all=False)


def check_network(network: nn.Module, trainer: Trainer) -> None:
    """Raise a `ConfigError` if the devices of a Trainer cannot share a network's batches."""
    normalised = any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules())
    if normalised and trainer.world_size > 1 and trainer.strategy.root_device.type != "cuda":
        raise ConfigError(
            f"`trainer.strategy=ddp` must have a network without batch normalisation on CPUs, where torch cannot "
            f"compute its means over processes, but {type(network).__name__} has it. Use trainer.devices=1 "
            "trainer.strategy=auto, GPUs, or a network without it (model.batch_norm=false)."
        )


def warn_of_few_cores(trainer: Trainer) -> None:
    """Warn if the processes of a Trainer are more than the cores that they share."""
    n_processes, n_cores = trainer.world_size, count_cores()
    if trainer.strategy.root_device.type == "cpu" and n_processes > n_cores:
        text = "`trainer.devices=%d` is more than the %d cores here: processes wait for each other."
        log.warning(text, n_processes, n_cores)


def is_shared(trainer: Trainer) -> bool:
    """Return whether processes share the batches of a Trainer."""
    return isinstance(trainer.strategy, DDPStrategy)


@contextmanager
def together(trainer: Trainer, work: Work, *arguments: Any) -> Iterator[None]:
    """Train on all devices of a Trainer; each further process calls ``work(rank, *arguments)``.

    Raises a `RuntimeError` with the traceback of another process that failed, without participant ids.
    """
    if not is_shared(trainer):
        yield
        return
    threads, given = torch.get_num_threads(), os.environ.get("OMP_NUM_THREADS")
    with tempfile.TemporaryDirectory() as folder, _partners(trainer, folder, (work, arguments)) as pipes:
        try:
            _meet(trainer, folder)
            yield
        except RuntimeError as error:
            said = (_failure(pipe) for pipe in pipes if pipe.poll(_LAST_WORDS))
            raise next(filter(None, said), error) from error
        finally:
            # Lightning gave each process its share of the cores.
            torch.set_num_threads(threads)
            if given is None:
                os.environ.pop("OMP_NUM_THREADS", None)


@contextmanager
def _partners(trainer: Trainer, folder: str, work: Any) -> Iterator[list[Connection]]:
    """Start the other processes, wait until they can train, and end them.

    What they train is pickled here, because multiprocessing would share the network's memory between them.
    """
    context, content = multiprocessing.get_context("spawn"), pickle.dumps(work)
    processes, pipes = [], []
    try:
        for rank in range(1, trainer.world_size):
            here, there = context.Pipe()
            process = context.Process(target=_take_part, args=(rank, folder, there, content), daemon=True)
            _start_without_signals(process)
            there.close()
            processes.append(process)
            pipes.append(here)
        for pipe in pipes:
            if (failure := _failure(pipe)) is not None:
                raise failure
        yield pipes
    finally:
        for process in processes:
            process.kill()
            process.join()
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def _start_without_signals(process: Any) -> None:
    """Start a process to which Ctrl-C in a terminal, or SLURM before a time limit, does nothing: the first ends it."""
    sent_to_all = {signal.SIGINT, signal.SIGTERM, signal.SIGUSR2}
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, sent_to_all)  # inherited
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _failure(pipe: Connection) -> RuntimeError | None:
    """Return what another process reports; None if it is ready."""
    try:
        text = pipe.recv()
    except EOFError:
        text = (
            "It was killed, perhaps for lack of memory: the system's log may say so. resume=FOLDER continues the run."
        )
    return None if text is None else RuntimeError(f"Another process of this run ended. {text}")


def _meet(trainer: Trainer, folder: str) -> None:
    """Connect the processes, through a file: Lightning's way is a port, which another program may take first."""
    torch.distributed.init_process_group(
        "nccl" if trainer.strategy.root_device.type == "cuda" else "gloo",
        init_method=(Path(folder) / "meeting").as_uri(),
        rank=trainer.global_rank,
        world_size=trainer.world_size,
    )


def _take_part(rank: int, folder: str, pipe: Connection, content: bytes) -> None:
    """Train as another process of a run."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    warnings.simplefilter("ignore")  # the first process shows the same
    try:
        work, arguments = pickle.loads(content)
        trainer, train = work(rank, *arguments)
        pipe.send(None)
        _meet(trainer, folder)
        train()
    except Exception:
        pipe.send(redacted(traceback.format_exc()))
    # Its results are those of the first process.
    os._exit(0)


def _end_with_parent() -> None:
    """End this process when the first one ends, also by SIGKILL."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
