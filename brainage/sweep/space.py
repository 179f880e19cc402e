"""The search space of a sweep: Hydra's syntax, as Optuna's distributions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, QuotedString, RangeSweep
from hydra.errors import HydraException
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)

from brainage.config.overrides import quote_words
from brainage.errors import SweepError
from brainage.system.console import printable

Point = dict[str, Any]


@dataclass(frozen=True)
class Space:
    """The distributions of the searched keys, and the overrides that all trials share."""

    distributions: dict[str, BaseDistribution]
    fixed: tuple[str, ...]

    def described(self) -> dict[str, str]:
        """Return the distributions as JSON, the same for equal spaces."""
        return {key: distribution_to_json(value) for key, value in sorted(self.distributions.items())}

    def refuse_searched(self, over: Iterable[str]) -> None:
        """Raise a `SweepError` if a key of ``hydra.sweeper.over`` is searched, or has a value already."""
        given = {word.partition("=")[0].lstrip("+") for word in self.fixed} | set(self.distributions)
        for key in sorted({word.partition("=")[0] for word in over} & given):
            raise SweepError(
                f"`hydra.sweeper.over` must be of a key that has no other value, but `{key}` is also on the command "
                "line, or searched. Remove one of them."
            )


def refuse_other_values(trial: int, values: Mapping[str, Any], space: Mapping[str, BaseDistribution]) -> None:
    """Raise a `SweepError` if a trial, as the storage has it, has a parameter or a value that is not searched."""
    for key, value in values.items():
        if key not in space or not _has(space[key], value):
            what = "a value" if key in space else "nothing but keys"
            raise SweepError(
                f"Trial {trial} in `hydra.sweeper.storage` must have {what} of the search space, but has "
                f"`{printable(key)[:100]}={printable(str(value))[:100]}`: another program changed the study. Restore "
                "the storage, or choose another hydra.sweeper.study_name=NAME."
            )


def _has(distribution: BaseDistribution, value: Any) -> bool:
    if isinstance(distribution, CategoricalDistribution):
        return any(type(value) is type(choice) and value == choice for choice in distribution.choices)
    low, high = distribution.low, distribution.high  # type: ignore[attr-defined]
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(low <= value <= high)


def parse_space(params: Mapping[str, Any], words: Iterable[str]) -> Space:
    """Return the space of ``hydra.sweeper.params`` and the command line.

    A sweep override on the command line replaces the parameter of its key, any other fixes it.
    """
    distributions: dict[str, BaseDistribution] = {}
    for key, value in params.items():
        word, _ = quote_words([f"{key}={value}", "--multirun"])
        override = _parsed(word, f"hydra.sweeper.params.{key}")
        if not override.is_sweep_override():
            raise SweepError(
                f"`hydra.sweeper.params.{key}` must be choice(), range() or interval(), but got `{value}`. To fix a "
                f"value, write {key}={value} on the command line."
            )
        distributions[key] = _distribution(override, key)
    fixed = []
    for word in words:
        override = _parsed(word, word)
        key = override.get_key_element().lstrip("+~")
        distributions.pop(key, None)
        if override.is_sweep_override():
            distributions[key] = _distribution(override, key)
        else:
            fixed.append(word)
    if not distributions:
        raise SweepError(
            "`hydra.sweeper.params` must name at least one parameter to search, but all are fixed or none is given. "
            "Leave one free, or train without --multirun."
        )
    return Space(dict(sorted(distributions.items())), tuple(fixed))


def _parsed(word: str, where: str) -> Override:
    try:
        return OverridesParser.create().parse_override(word)
    except HydraException as error:
        raise SweepError(
            f"`{where}` cannot be read: {' '.join(str(error).split())}. Write choice(a,b), range(start,stop), "
            "interval(low,high) or tag(log,interval(low,high))."
        ) from None


def _distribution(override: Override, key: str) -> BaseDistribution:
    match value := override.value():
        case ChoiceSweep():
            return _choice(value, key)
        case RangeSweep():
            return _range(value, key)
        case IntervalSweep():
            return _interval(value, key)
    raise SweepError(f"`{key}` must be choice(), range() or interval(), but got `{value}`. Use one of those.")


def _choice(value: ChoiceSweep, key: str) -> CategoricalDistribution:
    choices: list[Any] = [choice.text if isinstance(choice, QuotedString) else choice for choice in value.list]
    for choice in choices:
        if not (choice is None or isinstance(choice, bool | int | float | str)):
            raise SweepError(f"`{key}` must be a choice of numbers, words, true, false and null, but got `{choice}`.")
    # As text: 1 == True in Python.
    if len({f"{type(choice)}{choice}" for choice in choices}) < len(choices):
        raise SweepError(f"`{key}` must be a choice of different values, but got {choices}. Remove the others.")
    return CategoricalDistribution(choices)


def _range(value: RangeSweep, key: str) -> BaseDistribution:
    """Return a distribution of integers or of floats in steps, without the stop, as in Hydra."""
    values = list(value.range())
    if not values:
        raise SweepError(
            f"`{key}` must be a range with a value, but got range({value.start},{value.stop},{value.step}), "
            "which ends before it begins. Swap its ends."
        )
    _refuse_log_of(value.tags, key, float(min(values)))
    log = "log" in value.tags
    low, high, step = min(values), max(values), abs(value.step)
    if all(isinstance(number, int) for number in values):
        if log and step != 1:
            raise SweepError(f"`{key}` must have the step 1 where it is a log range, but got {step}. Leave it out.")
        return IntDistribution(int(low), int(high), log=log, step=int(step))
    if log:
        raise SweepError(
            f"`{key}` must be an interval() to be logarithmic, but got a range(). Use tag(log,interval())."
        )
    return FloatDistribution(float(low), float(high), step=float(step))


def _interval(value: IntervalSweep, key: str) -> BaseDistribution:
    low, high = value.start, value.end
    assert low is not None
    assert high is not None
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise SweepError(f"`low <= high` must hold for `{key}`, but got interval({low},{high}). Swap its ends.")
    _refuse_log_of(value.tags, key, low)
    log = "log" in value.tags
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=log)
    return FloatDistribution(float(low), float(high), log=log)


def _refuse_log_of(tags: Iterable[str], key: str, low: float) -> None:
    unknown = sorted(set(tags) - {"log"})
    if unknown:
        raise SweepError(f"`{key}` may have the tag `log`, but got {', '.join(unknown)}. Leave the others out.")
    if "log" in tags and low <= 0:
        raise SweepError(f"`{key}` must be above 0 to be searched logarithmically, but begins at {low:g}. Raise it.")


def corners(space: Space) -> Iterator[Point]:
    """Yield points that together contain every extreme value and every choice."""
    extremes = {
        key: list(value.choices) if isinstance(value, CategoricalDistribution) else [value.low, value.high]  # type: ignore[attr-defined]
        for key, value in space.distributions.items()
    }
    for index in range(max(len(values) for values in extremes.values())):
        yield {key: values[min(index, len(values) - 1)] for key, values in extremes.items()}
