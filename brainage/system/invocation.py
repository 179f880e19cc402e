"""How this process was called: for messages that print a command, and for more processes of the same command."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path


def command_text(name: str, *words: str) -> str:
    """Return a command in the form that the user used: ``python train.py ...`` or ``brainage train ...``.

    With words, the user's own code (``code=...``) is among them: what needed it once needs it again.
    """
    code = [word for word in sys.argv if word.startswith("code=") and word not in words] if words else []
    words = (*words, *code)
    return shlex.join(["brainage", name, *words] if _is_installed_command() else ["python", f"{name}.py", *words])


def same_command(name: str, words: Sequence[str]) -> list[str]:
    """Return the arguments of ``python`` that run this command again."""
    return ["-m", "brainage", name, *words] if _is_installed_command() else [sys.argv[0], *words]


def _is_installed_command() -> bool:
    called = Path(sys.argv[0])
    return called.stem == "brainage" or called.name == "__main__.py"
