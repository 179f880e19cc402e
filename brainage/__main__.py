"""``brainage COMMAND ...``, also as ``python -m brainage COMMAND ...``."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Sequence

from brainage import __version__
from brainage.commands.startup import WITH_HYDRA, run_with_hydra
from brainage.system.output import protect_output

COMMANDS = {
    **WITH_HYDRA,
    "store": "List, verify and clean stores of time series.",
    "bundle": "Export a trained network without participants, or import a published one.",
    "simulate": "Write a simulated cohort as files.",
    "study": "Run the published study: manual search, sweeps, final models.",
    "panel": "Compare baselines and networks on the same random splits: error, size and speed.",
}


def main(words: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    words : sequence of str or None, default=None
        The command's name and its arguments; None takes the process's own.

    Returns
    -------
    int
        The exit code: 0 if done, 2 for a user's mistake, 130 or 143 if interrupted, 1 if it failed otherwise.
    """
    protect_output()
    name, *arguments = (sys.argv[1:] if words is None else words) or [""]
    if name in ("--help", "-h"):
        print(_help(), end="")
        return 0
    if name == "--version":
        print(__version__)
        return 0
    if name not in COMMANDS:
        print(f"error: {_unknown(name)}", file=sys.stderr)
        return 2
    if name in WITH_HYDRA:
        return run_with_hydra(name, arguments)
    code: int = importlib.import_module(f"brainage.commands.{name}").main(arguments)
    return code


def _help() -> str:
    width = max(map(len, COMMANDS))
    commands = "".join(f"  brainage {name:<{width}}  {about}\n" for name, about in COMMANDS.items())
    return (
        "brainage: brain age from resting-state fMRI component time series.\n\n"
        f"{commands}\n`brainage COMMAND --help` describes a command.\n"
    )


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, COMMANDS, n=1)
    hint = f"Did you mean `brainage {near[0]}`?" if near else "`brainage --help` describes them."
    return f"`brainage` needs a command, one of {', '.join(COMMANDS)}, but got {name or 'none'!r}. {hint}"


if __name__ == "__main__":
    sys.exit(main())
