"""Running the steps of the study one by one, and going on where an earlier process was stopped."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from omegaconf import OmegaConf

from brainage import multirun
from brainage.console import log
from brainage.errors import MissingPathError, StudyError
from brainage.run import write_whole
from brainage.study.index import write_index
from brainage.study.steps import Step, steps

ROOT = Path(__file__).resolve().parents[2]

# Jobs with one of these need nothing more.
_ENDED = ("finished", "impossible")


def run_study(size: str, out: Path, overrides: Sequence[str]) -> None:
    """Do what is left of a study.

    Parameters
    ----------
    size : str
        See `brainage.study.steps.SIZES`.
    out : Path
        The study's folder.
    overrides : sequence of str
        Added to every training.

    Raises
    ------
    StudyError
        The folder holds another study, somebody is at it, or a step failed.
    """
    out = out.absolute()
    plan = {"size": size, "overrides": list(overrides)}
    with _owned(out):
        done = _taken_up(out, plan)
        todo = steps(size, out, overrides)
        for number, step in enumerate(todo, start=1):
            head = f"{number} of {len(todo)}: {step.label}"
            if step.label in done:
                log.info("%s: finished, kept", head)
                continue
            log.info("%s ...", head)
            started = time.monotonic()
            _run(step, out / "logs" / f"{step.stage}-{step.name}.log")
            done[step.label] = round(time.monotonic() - started, 1)
            _write_plan(out, plan, done)
            index = write_index(out, size, todo, done)
            log.info("%s: done in %.0f s", head, done[step.label])
        index = write_index(out, size, todo, done)
    log.info("Study: %s", index)


@contextmanager
def _owned(out: Path) -> Iterator[None]:
    out.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(out / ".lock", timeout=0):
            yield
    except Timeout:
        raise StudyError(
            f"`--out {out}`: another process is at this study. Wait for it, or use another folder."
        ) from None


def _taken_up(out: Path, plan: dict[str, Any]) -> dict[str, float]:
    """Return the steps that are done, and how long each took."""
    path = out / "study.json"
    if not path.exists():
        _write_plan(out, plan, {})
        return {}
    try:
        noted = json.loads(path.read_text())
        begun, done = {key: noted[key] for key in plan}, dict(noted["done"])
    except (OSError, ValueError, KeyError, TypeError):
        raise StudyError(f"`{path}` must tell what was begun, but cannot be read. Use another folder.") from None
    if begun != plan:
        raise StudyError(
            f"`--out {out}` holds a study of size {begun['size']} with {_words(begun)}, but got size {plan['size']} "
            f"with {_words(plan)}. Repeat the first, or use another folder."
        )
    return done


def _words(plan: dict[str, Any]) -> str:
    return " ".join(plan["overrides"]) or "no overrides"


def _write_plan(out: Path, plan: dict[str, Any], done: dict[str, float]) -> None:
    text = json.dumps({**plan, "done": done}, indent=2) + "\n"
    write_whole(out / "study.json", lambda path: path.write_text(text))


def _run(step: Step, note: Path) -> None:
    note.parent.mkdir(parents=True, exist_ok=True)
    with note.open("a", encoding="utf-8") as output:
        if step.stage == "manual_search":
            _run_grid(step, output)
        elif step.stage == "hyperparameter_sweep":  # goes on by itself
            _command([*step.words, f"hydra.sweep.dir={_quoted(step.folder)}"], output)
        elif step.stage == "final_models":
            _run_one(step.folder, step.words, output)
        else:
            shutil.rmtree(step.folder, ignore_errors=True)
            _command([*step.words, f"hydra.run.dir={_quoted(step.folder)}"], output)


def _run_grid(step: Step, output: Any) -> None:
    """Run a grid as one multirun, or what an earlier one left of it, job by job."""
    if not (step.folder / "multirun.yaml").exists():
        shutil.rmtree(step.folder, ignore_errors=True)
        _command([*step.words, f"hydra.sweep.dir={_quoted(step.folder)}"], output)
        return
    single = [word for word in step.words if word != "--multirun"]
    for number, varied in enumerate(_grid(step.words)):
        _run_one(step.folder / str(number), [single[0], *varied, *single[1:], "hydra.mode=RUN"], output)
    multirun.close(step.folder)


def _grid(words: Sequence[str]) -> list[tuple[str, ...]]:
    """Return what each job of an experiment's grid is given, in the order of Hydra's own sweeper."""
    name = next(word.partition("=")[2] for word in words if word.startswith("experiment="))
    params = OmegaConf.load(ROOT / "experiments" / f"{name}.yaml").hydra.sweeper.params
    return list(product(*([f"{key}={value}" for value in str(given).split(",")] for key, given in params.items())))


def _run_one(folder: Path, words: Sequence[str], output: Any) -> None:
    """Run a training, go on with it, or leave it as it is."""
    try:
        if json.loads((folder / "summary.json").read_text())["status"] in _ENDED:
            return
    except (OSError, ValueError, KeyError, TypeError):
        pass
    if (folder / "checkpoints" / "last.ckpt").exists():
        _command(["train.py", f"resume={_quoted(folder)}"], output)
        return
    shutil.rmtree(folder, ignore_errors=True)
    # A network that cannot exist ends a single run with 2: in a grid that is a result.
    _command([*words, f"hydra.run.dir={_quoted(folder)}"], output, accept=folder)


def _command(words: Sequence[str], output: Any, accept: Path | None = None) -> None:
    """Run a command of the project to its end; stop it when this process is stopped."""
    output.write(f"$ python {' '.join(words)}\n")
    output.flush()
    process = subprocess.Popen([sys.executable, str(ROOT / words[0]), *words[1:]], stdout=output, stderr=output)
    try:
        code = process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise
    if code == 0 or (accept is not None and _is_impossible(accept)):
        return
    raise StudyError(
        f"the command {' '.join(words[:3])} ended with {code}; its words stand at the end of `{output.name}`. Mend "
        "what they name, and run the same again: what is finished is kept."
    )


def _is_impossible(folder: Path) -> bool:
    try:
        return bool(json.loads((folder / "summary.json").read_text())["status"] == "impossible")
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _quoted(path: Path) -> str:
    """Return a path as Hydra's grammar wants it."""
    return '"' + str(path).replace('"', '\\"') + '"'


def check_root() -> None:
    """See that the commands of the project are beside the package.

    Raises
    ------
    MissingPathError
        They are not: it was not installed from its repository with ``pip install -e``.
    """
    if not (ROOT / "train.py").is_file():
        raise MissingPathError(f"`{ROOT}` must hold train.py, but does not. Run from a clone, installed with pip -e.")
