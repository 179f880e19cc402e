"""Run a command in a fork of a process that has imported the package but run nothing."""

from __future__ import annotations

import multiprocessing
import os
import runpy
import sys
import warnings
from pathlib import Path
from pkgutil import walk_packages

import brainage

# One server of forks for a whole test process: also for tests that start processes themselves.
FORKS = multiprocessing.get_context("forkserver")
# `__main__` is imported by each command.
MODULES = [module.name for module in walk_packages(brainage.__path__, "brainage.")]
FORKS.set_forkserver_preload([*(name for name in MODULES if not name.endswith("__main__")), "tests.frozen"])


def run_python(words: list[str], folder: Path, out: Path, err: Path) -> None:
    """Run ``python WORDS`` in this process, with its output in two files: a script, or ``-m`` and a module."""
    for descriptor, path in ((1, out), (2, err)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, descriptor)
        os.close(file)
    os.chdir(folder)
    if words[:2] == ["-W", "error"]:
        warnings.simplefilter("error")
        words = words[2:]
    if words[0] == "-m":
        sys.argv = words[1:]
        sys.path.insert(0, str(folder))
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        sys.path.insert(0, str(Path(words[0]).parent))
        runpy.run_path(words[0], run_name="__main__")
