"""UK Biobank's columns, in any of the styles that its exports use."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from brainage.data.cohorts.columns import STANDARD_COLUMNS
from brainage.data.cohorts.tables import unique_names
from brainage.errors import CohortError

_AGE, _AGE_AT_RECRUITMENT = 21003, 21022
_FIELDS = {"sex": 31, "site": 54, "head_motion": 25741}
_ALL_FIELDS = frozenset({_AGE, _AGE_AT_RECRUITMENT, *_FIELDS.values()})


@dataclass(frozen=True)
class _Style:
    """How an export names its columns."""

    eid: str
    column: str
    pattern: str

    def name(self, field: int, instance: int) -> str:
        return self.column.format(field=field, instance=instance)

    def names_of(self, fields: Collection[int], header: Collection[str]) -> list[str]:
        """Return the columns of these fields, at any instance."""
        matches = (re.fullmatch(self.pattern, name) for name in header)
        return [match[0] for match in matches if match and int(match[1]) in fields]


_RAP_SUFFIX = r"p(\d+)(?:_i\d+)?(?:_a\d+)?"
_STYLES = (
    _Style("eid", "{field}-{instance}.0", r"(\d+)-\d+\.\d+"),
    _Style("f.eid", "f.{field}.{instance}.0", r"f\.(\d+)\.\d+\.\d+"),
    _Style("eid", "p{field}_i{instance}", _RAP_SUFFIX),
    # `dx extract_dataset` puts the entity's name before each column.
    _Style("participant.eid", "participant.p{field}_i{instance}", rf"participant\.{_RAP_SUFFIX}"),
)


@dataclass(frozen=True)
class UkbHeader:
    """The column names of a UK Biobank table whose participants were imaged at `instance`, 2 or 3."""

    names: tuple[str, ...]
    instance: int
    need_ages: bool
    label: str

    def sources(self) -> dict[str, str]:
        """Return the table's own name of each standard column that it has; raise CohortError without eid or age."""
        style = self._style
        age = style.name(_AGE, self.instance)
        if style.eid not in self.names:
            raise CohortError(
                f"{self.label} has no column `{style.eid}`, which must contain the participants' ids, next to `{age}`. "
                "Export the table again with it, all columns in one style."
            )
        if age not in self.names and self.need_ages:
            raise CohortError(self._no_age(age))
        sources = {"participant_id": style.eid, **({"age": age} if age in self.names else {})}
        for standard, field in _FIELDS.items():
            # Sex has no instance on the Research Analysis Platform, and only instance 0 elsewhere.
            spelled = style.name(field, 0 if standard == "sex" else self.instance)
            names = (spelled.removesuffix("_i0"), spelled, standard)
            sources.update((standard, name) for name in reversed(names) if name in self.names)
        if "family_id" in self.names:
            sources["family_id"] = "family_id"
        return sources

    def phenotypes(self) -> list[str]:
        """Return all columns but ids, and age, sex, centre and head motion at any visit."""
        reserved = {*self.sources().values(), *STANDARD_COLUMNS, *self._style.names_of(_ALL_FIELDS, self.names)}
        return unique_names(self.names, reserved, self.label)

    @cached_property
    def _style(self) -> _Style:
        found = {style: names[0] for style in _STYLES if (names := style.names_of(_ALL_FIELDS, self.names))}
        if len(found) == 1:
            return next(iter(found))
        by_id = [style for style in _STYLES if style.eid in self.names]
        if not found and by_id and not self.need_ages:
            return by_id[0]
        age = ", ".join(f"`{style.name(_AGE, self.instance)}`" for style in _STYLES[:3])
        if found:
            raise CohortError(
                f"{self.label} mixes column styles: {', '.join(f'`{name}`' for name in found.values())}. All columns "
                f"must be in one, so that the age at imaging is one of {age}. Rename the others."
            )
        raise CohortError(
            f"{self.label} has none of the columns {age}, the age at imaging visit {self.instance} in UK Biobank's "
            f"three column styles. The first line must contain the column names (got {len(self.names)} of them). "
            "Export field 21003 at this instance, with the fields' numbers as column names."
        )

    def _no_age(self, age: str) -> str:
        message = f"{self.label} has no column `{age}`, the age at imaging visit {self.instance}."
        others = self._style.names_of({_AGE, _AGE_AT_RECRUITMENT}, self.names)
        if others:
            message += (
                f" It has {', '.join(f'`{name}`' for name in others[:5])}, but age at recruitment (21022) or at "
                "another visit is not the age at the scan and is not used instead."
            )
        return f"{message} Export field 21003 at instance {self.instance}, or choose the visit with `cohort.instance`."
