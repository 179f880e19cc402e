"""Configs that `brainage check` proposes, as YAML and as the words of a command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from brainage.config.overrides import as_overrides, leaves, quote_words
from brainage.errors import OutputError
from brainage.system.files import as_output_error, make_folder, write_text

EXPERIMENT = "mine"


@dataclass(frozen=True)
class Proposed:
    """A modality and an experiment.

    Parameters
    ----------
    modality, cohort, model : str
        Names of the choices.
    own : dict or None
        Values of a modality of its own; None for one that exists.
    values : dict
        Values of groups by their names, besides.
    comment : str
        What the experiment is.
    """

    modality: str
    cohort: str
    model: str
    own: Mapping[str, Any] | None
    values: Mapping[str, Mapping[str, Any]]
    comment: str

    def files(self) -> dict[str, str]:
        """Return the texts of the configs by their paths below a folder."""
        defaults = [{f"override /{group}": getattr(self, group)} for group in ("modality", "cohort", "model")]
        shown = {group: dict(values) for group, values in self.values.items() if values}
        experiment = f"# @package _global_\n# {self.comment}\n{_yaml({'defaults': defaults})}{_yaml(shown)}"
        if self.own is None:
            return {f"experiment/{EXPERIMENT}.yaml": experiment}
        head = {"defaults": [{"/schema@_here_": "modality"}, "_self_"], "name": self.modality}
        parcels = {
            "components": "all",
            "good_components": None,
            "n_channels": "${brainage.n_channels:${.components},${.good_components},${.dimension}}",
            "windows": "all",
        }
        modality = f"# {self.comment}\n{_yaml({**head, **parcels, **self.own})}"
        return {f"modality/{self.modality}.yaml": modality, f"experiment/{EXPERIMENT}.yaml": experiment}

    def words(self) -> list[str]:
        """Return the overrides of `brainage train` that say the same."""
        own = {} if self.own is None else {"modality": self.own}
        name = self.modality if self.own is None else "parcels"
        chosen = [f"cohort={self.cohort}", f"modality={name}", f"model={self.model}"]
        given = leaves({group: values for group, values in {**self.values, **own}.items() if values})
        return [*chosen, *map(_plain, as_overrides(given), given.values())]


def _yaml(values: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True, width=1000) if values else ""


def _plain(word: str, value: Any) -> str:
    """Return an override without the quotes of Hydra's grammar, if commands add the same."""
    bare = f"{word.partition('=')[0]}={value}"
    return bare if isinstance(value, str) and quote_words([bare]) == [word] else word


def check_unwritten(folder: Path) -> None:
    """Raise an OutputError if a folder has an experiment of this name, which its user may have changed."""
    path = folder / "experiment" / f"{EXPERIMENT}.yaml"
    if path.exists():
        raise OutputError(
            f"`write={folder}` must be a folder without `experiment/{EXPERIMENT}.yaml`, but there is one, which is not "
            "overwritten. Choose another folder, or remove it."
        )


def write_proposed(folder: Path, proposed: Proposed) -> None:
    """Write the configs; the experiment is the last."""
    for name, text in proposed.files().items():
        with as_output_error(folder, "write="):
            make_folder((folder / name).parent)
        write_text(folder / name, text)
