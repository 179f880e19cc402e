"""What commands answer before anything is imported that takes a moment: ``--help``, and words that cannot be meant."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import yaml

from brainage.errors import nearest
from brainage.system.console import printable
from brainage.system.files import CONFIGS

_TEXT = """\
brainage: brain age from resting-state fMRI component time series.

  python train.py modality=ica100 model=variable1dcnn
  python train.py cohort=ukb cohort.root=DIR cohort.phenotypes=FILE
  python train.py --multirun model.kernel_size=3,5,7,10,15
  python train.py --multirun sweep=variable1dcnn
  python report.py run=FOLDER                 python compare.py 'runs=[FOLDER,FOLDER]'

Choices, GROUP=NAME (* is the default):

{choices}

Every value can be overridden as KEY=VALUE, for example optimizer.lr=3e-4 trainer.max_epochs=50 seed=1.
  --cfg job              show the composed config and stop
  --multirun             run every combination of KEY=A,B,...
  --hydra-help           Hydra's own help
"""


def answer_first(words: Sequence[str], about: str | None = None) -> None:
    """Print the help, or what is wrong with the words, and exit; or do nothing.

    Parameters
    ----------
    words : sequence of str
        The command line.
    about : str or None, default=None
        What a command beside ``train.py`` does.
    """
    if {"--help", "-h"} & set(words[1:]):
        # Hydra's own would first look for every choice of every group of its own: seconds for what is not shown.
        print(help_text() if about is None else command_help(Path(words[0]).stem, about), end="")
        sys.exit(0)
    _refuse_bare_words(words)
    _refuse_unknown_experiment(words)


def _refuse_bare_words(words: Sequence[str]) -> None:
    """Refuse a word that is no ``KEY=VALUE``, such as a folder; Hydra's own message tells of its grammar."""
    for before, word in zip(words, words[1:], strict=False):
        of_flag = before.startswith("-") and before not in ("--multirun", "-m")
        if "=" not in word and not word.startswith(("-", "~")) and not of_flag:
            _refuse(
                f"`{printable(word)}` must be KEY=VALUE, but has no `=`. For example: {_example(words[0])}; "
                "--help tells more."
            )


def _refuse_unknown_experiment(words: Sequence[str]) -> None:
    """Refuse an experiment that is none of the project's; Hydra's own message lists one folder of several."""
    elsewhere = any(word.startswith(("--config-", "-cd", "-cp")) or "hydra.searchpath" in word for word in words)
    name = next((word.removeprefix("experiment=") for word in words if word.startswith("experiment=")), "null")
    group = CONFIGS / "experiment"
    known = [_name(path, group) for path in group.rglob("*.yaml")]
    # Lists, quotes and the like are Hydra's to read.
    if not elsewhere and name not in ("null", *known) and re.fullmatch(r"\w[\w/]*", name):
        _refuse(f"`experiment={name}` does not exist. {nearest(name, known)}")


def _refuse(message: str) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


def help_text() -> str:
    """Return the help, read from the configs themselves."""
    defaults = _defaults()
    lines = []
    groups = [path for path in CONFIGS.iterdir() if path.is_dir() and path.name not in ("local", "hydra")]
    for group in [*sorted(groups), *sorted(path for path in (CONFIGS / "hydra").glob("*/*") if path.is_dir())]:
        name = group.relative_to(CONFIGS).as_posix()
        lines.append(f"  {name}")
        lines += [_choice(path, group, defaults.get(name)) for path in sorted(group.rglob("*.yaml"))]
    return _TEXT.format(choices="\n".join(lines))


def command_help(name: str, about: str) -> str:
    """Return the help of a command beside ``train.py``, which is its config, with the comments there.

    Parameters
    ----------
    name : str
        The command's and its config's.
    about : str
        What it does.
    """
    text = (CONFIGS / f"{name}.yaml").read_text()
    values = text.partition("\n\n")[2].partition("\nhydra:")[0].strip()
    lines = [
        about,
        "",
        f"  {_example(name)}",
        "",
        "Values, as they are unless given as KEY=VALUE (report.points=none):",
        "",
    ]
    lines += [f"  {line}".rstrip() for line in values.splitlines()]
    if "- cohort:" in text:
        group = CONFIGS / "cohort"
        lines += ["", "Whose series, cohort=NAME and its values, as of train.py:", ""]
        lines += [_choice(path, group, None) for path in sorted(group.glob("*.yaml"))]
    lines += ["", f"What it writes is in outputs/{name}/DATE/TIME, which it names, or in hydra.run.dir=DIR."]
    return "\n".join(lines) + "\n"


def _example(script: str) -> str:
    """Return the command with which the config of a script begins."""
    first = (CONFIGS / f"{Path(script).stem}.yaml").read_text().splitlines()[0]
    return first.removeprefix("# ") if "python " in first else "python train.py modality=ica100"


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
