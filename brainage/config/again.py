"""What a command may give again for a run's own cohort: where the same data are now, and who withdrew since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from brainage.errors import ConfigError

AGAIN = ("cohort.root", "cohort.phenotypes", "cohort.exclude_ids", "cohort.allow_unmatched_ids")


def key_of(word: str) -> str:
    """Return the key of an override."""
    return word.lstrip("+~").partition("=")[0]


def with_pluses(command: str, words: Sequence[str]) -> list[str]:
    """Return a command line with ``++`` before what it gives again for a run's cohort, whose keys Hydra cannot know."""
    keys = {key_of(word) for word in words}
    own = command == "report" or (command == "explain" and "cohort" not in keys) or "resume" in keys
    return [f"++{word}" if own and word.partition("=")[0] in AGAIN else word for word in words]


def given_again(cohort: Any) -> dict[str, Any]:
    """Return the values by dotted key that a command without a cohort of its own gives for that of the run.

    Raises a ConfigError for another key.
    """
    values = cohort if isinstance(cohort, Mapping) else {}
    for key in values:
        if f"cohort.{key}" not in AGAIN:
            raise ConfigError(
                f"`cohort.{key}` must be as in the run's config, of which only {', '.join(AGAIN)} may be given again. "
                "Leave it out."
            )
    return {f"cohort.{key}": value for key, value in values.items()}


def give_again(config: DictConfig, values: Mapping[str, Any]) -> None:
    """Put values by dotted key into a run's config; raise a ConfigError if its cohort has no such key."""
    for key, value in values.items():
        name = key.removeprefix("cohort.")
        if key in AGAIN and name not in config.cohort:
            raise ConfigError(
                f"`{key}` must be a key of the run's cohort, which is {config.cohort.get('name')} and has none. Leave "
                "it out."
            )
        try:
            OmegaConf.update(config, key, value, merge=False)
        except OmegaConfBaseException as error:
            reason = str(error).splitlines()[0]
            raise ConfigError(f"`{key}` cannot be {value!r}: {reason}. Change it with {key}=...") from None
