"""What may be given to every training of a study."""

from __future__ import annotations

from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from brainage.config import refuse_ids
from brainage.config_reading import quote_query
from brainage.errors import ConfigError, StudyError

# Each step has its own of these.
_OWN = ("experiment", "resume", "sweep", "evaluate")


def checked_overrides(words: Sequence[str]) -> list[str]:
    """Refuse overrides that a study cannot give to every training, before they are noted anywhere.

    Parameters
    ----------
    words : sequence of str
        As the command line has them.

    Returns
    -------
    list of str
        With the quotes that Hydra's grammar wants.

    Raises
    ------
    StudyError
        One is no override, has several values, or is set by the study itself.
    ConfigError
        A query names participants.
    """
    for word in words:
        if "cohort.include" in word.partition("=")[0]:
            refuse_ids(word)
    quoted = quote_query(list(words))
    for word in quoted:
        _check(word)
    return quoted


def _check(word: str) -> None:
    try:
        override = OverridesParser.create().parse_override(word)
    except HydraException as error:
        raise ConfigError(
            f"`{word}` must be an override, KEY=VALUE, but {str(error).splitlines()[0]}. Correct it, or leave it out."
        ) from None
    key = override.key_or_group
    if key in _OWN or key.startswith(("hydra.", "hydra/")):
        raise StudyError(
            f"`{word}` cannot be given to a study: each step sets its own `{key}`. Leave it out, or run that step's "
            "command by itself."
        )
    if override.is_sweep_override():
        raise StudyError(
            f"`{word}` must have one value, which every training of the study gets, but has several. Choose one, or "
            "run a multirun of your own."
        )
