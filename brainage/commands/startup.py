"""Start of the commands that Hydra composes: ``--help`` and wrong words are answered before Hydra is imported."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import yaml

from brainage.errors import nearest
from brainage.system.console import printable
from brainage.system.files import CONFIGS, OWN_CONFIGS
from brainage.system.invocation import command_text

# The commands with a config, and what each does.
WITH_HYDRA = {
    "train": "Train networks: one, a grid of them, or a sweep.",
    "report": "Evaluate and report predictions: of a finished run, of pooled folds, or of a table.",
    "predict": "Predict the age of new participants with trained networks.",
    "adapt": "Adapt a trained network to a new site with some of its participants, and predict the others.",
    "compare": "Compare finished runs on the test participants that they share.",
    "check": "Look at a cohort's files and table, and propose a modality and an experiment; nothing is trained.",
    "explain": "Explain a trained network: the components and times that its predictions depend on.",
}

_TRAIN_HELP = """\
brainage: brain age from resting-state fMRI component time series.

  {train} modality=ica100 model=variable1dcnn
  {train} cohort=ukb cohort.root=DIR cohort.phenotypes=FILE
  {train} --multirun model.kernel_size=3,5,7,10,15
  {train} --multirun sweep=variable1dcnn
  {train} --config-dir my_study experiment=mine code=my_study/networks.py
  {report} run=FOLDER                 {compare} 'runs=[FOLDER,FOLDER]'

Choices, GROUP=NAME (* is the default):

{choices}

Every value can be overridden as KEY=VALUE, for example optimizer.lr=3e-4 trainer.max_epochs=50 seed=1.
  --cfg job              show the composed config and stop
  --multirun             run every combination of KEY=A,B,...
  --config-dir FOLDER    choices of your own, FOLDER/GROUP/NAME.yaml
  --hydra-help           Hydra's own help
"""


def run_with_hydra(name: str, words: Sequence[str]) -> int:
    """Compose a command's config from its words, and run it."""
    if {"--help", "-h"} & set(words):
        # Hydra's own help would search every group of Hydra first, which takes seconds.
        print(_train_help() if name == "train" else _command_help(name), end="")
        return 0
    _refuse_bare_words(name, words)
    _refuse_unknown_experiment(words)
    # Hydra: half a second, which the answers above do not wait for.
    from brainage.commands.compose import run

    return run(name, words)


def _refuse_bare_words(name: str, words: Sequence[str]) -> None:
    """Refuse a word that is not ``KEY=VALUE``, such as a folder; Hydra's own message is about its grammar."""
    for before, word in zip(["", *words], words, strict=False):
        of_flag = before.startswith("-") and before not in ("--multirun", "-m")
        if "=" not in word and not word.startswith(("-", "~")) and not of_flag:
            _refuse(
                f"`{printable(word)}` must be KEY=VALUE, but has no `=`. For example: {_example(name)}; "
                "--help describes all."
            )


def _refuse_unknown_experiment(words: Sequence[str]) -> None:
    """Refuse an experiment that does not exist; Hydra's own message lists only one of several folders."""
    elsewhere = any(word.startswith(("--config-", "-cd", "-cp")) or "hydra.searchpath" in word for word in words)
    name = next((word.removeprefix("experiment=") for word in words if word.startswith("experiment=")), "null")
    groups = [folder / "experiment" for folder in (CONFIGS, OWN_CONFIGS)]
    known = [_name(path, group) for group in groups for path in group.rglob("*.yaml")]
    # Hydra parses lists and quotes.
    if not elsewhere and name not in ("null", *known) and re.fullmatch(r"\w[\w/]*", name):
        _refuse(f"`experiment={name}` does not exist. {nearest(name, known)}")


def _refuse(message: str) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


def _train_help() -> str:
    """Return the help of ``train``: every choice of every group, as the configs have them."""
    defaults = _defaults()
    lines = []
    groups = [path for path in CONFIGS.iterdir() if path.is_dir() and path.name not in ("local", "hydra")]
    for group in [*sorted(groups), *sorted(path for path in (CONFIGS / "hydra").glob("*/*") if path.is_dir())]:
        name = group.relative_to(CONFIGS).as_posix()
        lines.append(f"  {name}")
        lines += [_choice(path, group, defaults.get(name)) for path in sorted(group.rglob("*.yaml"))]
    texts = {name: command_text(name) for name in ("train", "report", "compare")}
    return _TRAIN_HELP.format(choices="\n".join(lines), **texts)


def _command_help(name: str) -> str:
    """Return the help of another command: its config, with the comments there."""
    text = (CONFIGS / f"{name}.yaml").read_text()
    values = text.partition("\n\n")[2].partition("\nhydra:")[0].strip()
    lines = [WITH_HYDRA[name], "", f"  {_example(name)}", "", "Values and their defaults, KEY=VALUE changes one:", ""]
    lines += [f"  {line}".rstrip() for line in values.splitlines()]
    if "- cohort:" in text:
        group = CONFIGS / "cohort"
        lines += ["", f"The cohort, cohort=NAME and its values, as of {command_text('train')}:", ""]
        lines += [_choice(path, group, None) for path in sorted(group.glob("*.yaml"))]
    lines += ["", f"Results are written to outputs/{name}/DATE/TIME, or to hydra.run.dir=DIR."]
    return "\n".join(lines) + "\n"


def _example(name: str) -> str:
    """Return the command in the first line of a command's config."""
    first = (CONFIGS / f"{name}.yaml").read_text().splitlines()[0].removeprefix("# ")
    script, command = f"python {name}.py", command_text(name)
    return first.replace(script, command) if script in first else f"{command} modality=ica100"


def _name(path: Path, group: Path) -> str:
    return path.relative_to(group).with_suffix("").as_posix()


def _choice(path: Path, group: Path, default: str | None) -> str:
    name = _name(path, group)
    comments = [line for line in path.read_text().splitlines() if line.startswith("# ") and "@package" not in line]
    mark = "*" if name == default else " "
    return f"  {mark} {name:<22} {comments[0][2:] if comments else ''}".rstrip()


def _defaults() -> dict[str, str]:
    """Return the default choice of each group, as ``train.yaml`` and the sweeper list them."""
    defaults = {}
    for name, prefix in (("train", ""), ("hydra/sweeper/brainage", "hydra/sweeper/")):
        entries = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())["defaults"]
        for entry in entries:
            if isinstance(entry, dict):
                defaults.update({f"{prefix}{group}": choice for group, choice in entry.items()})
    return defaults
