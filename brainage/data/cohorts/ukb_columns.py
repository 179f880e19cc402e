"""UK Biobank's columns, in any of the styles that its exports use."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from brainage.data.cohorts.columns import STANDARD_COLUMNS
from brainage.data.cohorts.own_columns import OwnColumns, refuse_shared
from brainage.data.cohorts.tables import unique_names
from brainage.errors import CohortError

_AGE, _AGE_AT_RECRUITMENT = 21003, 21022
_FIELDS = {"sex": 31, "site": 54, "head_motion": 25741}
_ALL_FIELDS = frozenset({_AGE, _AGE_AT_RECRUITMENT, *_FIELDS.values()})

# Field, instance and array of a column; None where its name has none.
_Place = tuple[int | None, ...]


@dataclass(frozen=True)
class _Style:
    """How an export names its columns: `column` is shown in messages; `pattern` has the groups field, instance, array.

    A title stands for a field where an export has titles instead of numbers.
    """

    eid: str
    column: str
    pattern: str

    def name(self, field: int, instance: int) -> str:
        return self.column.format(field=field, instance=instance, title=_TITLES.get(field, field))

    def columns(self, header: Collection[str]) -> dict[str, _Place]:
        """Return the columns of `_ALL_FIELDS`, at any instance."""
        matches = {name: re.fullmatch(self.pattern, name) for name in header}
        places = {name: _place(match) for name, match in matches.items() if match}
        return {name: place for name, place in places.items() if place[0] in _ALL_FIELDS}


# Titles of the fields on the Research Analysis Platform.
_TITLES = {
    31: "Sex",
    54: "UK Biobank assessment centre",
    _AGE: "Age when attended assessment centre",
    _AGE_AT_RECRUITMENT: "Age at recruitment",
    25741: "Mean rfMRI head motion, averaged across space and time points",
}
_RAP_SUFFIX = r"p(?P<field>\d+)(?:_i(?P<instance>\d+))?(?:_a(?P<array>\d+))?"
_TITLE = "|".join(re.escape(title) for title in _TITLES.values())
_STYLES = (
    _Style("eid", "{field}-{instance}.0", r"(?P<field>\d+)-(?P<instance>\d+)\.(?P<array>\d+)"),
    _Style("f.eid", "f.{field}.{instance}.0", r"f\.(?P<field>\d+)\.(?P<instance>\d+)\.(?P<array>\d+)"),
    _Style("eid", "p{field}_i{instance}", _RAP_SUFFIX),
    # `dx extract_dataset` puts the entity's name before each column.
    _Style("participant.eid", "participant.p{field}_i{instance}", rf"participant\.{_RAP_SUFFIX}"),
    _Style(
        "Participant ID",
        "{title} | Instance {instance}",
        rf"(?P<field>{_TITLE})(?: \| Instance (?P<instance>\d+))?(?: \| Array (?P<array>\d+))?",
    ),
    # Names that are valid in R and SQL.
    _Style("eid", "x{field}_{instance}_0", r"[xX](?P<field>\d+)[._](?P<instance>\d+)[._](?P<array>\d+)"),
    _Style("n_eid", "n_{field}_{instance}_0", r"[ns]_(?P<field>\d+)_(?P<instance>\d+)_(?P<array>\d+)"),  # Stata
    # ukbtools puts the title before the field.
    _Style("eid", "..._f{field}_{instance}_0", r"\w+_f(?P<field>\d+)_(?P<instance>\d+)_(?P<array>\d+)"),
)


def _place(match: re.Match[str]) -> _Place:
    numbers = {title: field for field, title in _TITLES.items()}
    values = (match[name] for name in ("field", "instance", "array"))
    return tuple(numbers.get(text) or int(text) if text else None for text in values)


@dataclass(frozen=True)
class UkbHeader:
    """The column names of a UK Biobank table whose participants were imaged at `instance`, 2 or 3."""

    names: tuple[str, ...]
    instance: int
    need_ages: bool
    label: str
    own: OwnColumns = OwnColumns()

    def sources(self) -> dict[str, str]:
        """Return the table's own name of each standard column that it has; raise CohortError without ids or age."""
        named = self.own.sources(self.names, self.label)
        own = {standard: named[standard] for standard in self.own.names}
        if own.get("age") in self._other_ages():
            raise CohortError(
                f"`cohort.columns.age` must name the age at imaging visit {self.instance}, but `{own['age']}` of "
                f"{self.label} is the age at recruitment or at another visit. Choose the visit with cohort.instance."
            )
        sources = {**self._ids_and_ages(own), **own}
        for standard, number in _FIELDS.items():
            # Sex has no instance on the Research Analysis Platform, and only instance 0 elsewhere.
            instance = 0 if standard == "sex" else self.instance
            name = self._column(number, None) or self._column(number, instance) or standard
            if name in self.names:
                sources.setdefault(standard, name)
        for name in ("family_id", "t_r"):
            if name in self.names:
                sources.setdefault(name, name)
        refuse_shared(sources)
        return sources

    def _ids_and_ages(self, own: Collection[str]) -> dict[str, str]:
        """Return the columns of ids and ages in the table's style, without those that have a name of `own`."""
        if {"participant_id", "age"} <= set(own):
            return {}
        style = self._style
        age = self._column(_AGE, self.instance) or style.name(_AGE, self.instance)
        if style.eid not in self.names and "participant_id" not in own:
            raise CohortError(
                f"{self.label} has no column `{style.eid}`, which must contain the participants' ids, next to `{age}`. "
                "Export the table again with it, all columns in one style, or name it with "
                "cohort.columns.participant_id=NAME."
            )
        if age not in self.names and self.need_ages and "age" not in own:
            raise CohortError(self._no_age(age))
        found = {"participant_id": style.eid, "age": age}
        return {standard: name for standard, name in found.items() if name in self.names}

    def phenotypes(self) -> list[str]:
        """Return all columns but ids, and age, sex, centre and head motion at any visit."""
        reserved = {*self.sources().values(), *STANDARD_COLUMNS, *self._places}
        return unique_names(self.names, reserved, self.label)

    def _column(self, field: int, instance: int | None) -> str | None:
        """Return the first column of a field at an instance; None without."""
        wanted = ((field, instance, None), (field, instance, 0))
        return next((name for name, place in self._places.items() if place in wanted), None)

    @cached_property
    def _places(self) -> dict[str, _Place]:
        styles = _STYLES if {"participant_id", "age"} <= set(self.own.names) else (self._style,)
        return {name: place for style in styles for name, place in style.columns(self.names).items()}

    @cached_property
    def _style(self) -> _Style:
        found = {style: next(iter(columns)) for style in _STYLES if (columns := style.columns(self.names))}
        if len(found) > 1:  # a user's own `Sex` beside an export's fields is no title of it
            found = {style: name for style, name in found.items() if style.eid in self.names} or found
        if len(found) == 1:
            return next(iter(found))
        by_id = [style for style in _STYLES if style.eid in self.names]
        if not found and by_id and (not self.need_ages or "age" in self.own.names):
            return by_id[0]
        age = ", ".join(f"`{style.name(_AGE, self.instance)}`" for style in _STYLES)
        if found:
            raise CohortError(
                f"{self.label} mixes column styles: {', '.join(f'`{name}`' for name in found.values())}. All columns "
                f"must be in one, so that the age at imaging is one of {age}. Rename the others."
            )
        raise CohortError(
            f"{self.label} has none of the columns {age}, the age at imaging visit {self.instance} in UK Biobank's "
            f"column styles. The first line must contain the column names (got {len(self.names)} of them). "
            "Export field 21003 at this instance, with the fields' numbers as column names."
        )

    def _other_ages(self) -> list[str]:
        """Return the columns of ages that are not those at this visit."""
        here = [(_AGE, self.instance, None), (_AGE, self.instance, 0)]
        ages = {name: place for name, place in self._places.items() if place[0] in (_AGE, _AGE_AT_RECRUITMENT)}
        return [name for name, place in ages.items() if place not in here]

    def _no_age(self, age: str) -> str:
        message = f"{self.label} has no column `{age}`, the age at imaging visit {self.instance}."
        if others := self._other_ages():
            message += (
                f" It has {', '.join(f'`{name}`' for name in others[:5])}, but age at recruitment (21022) or at "
                "another visit is not the age at the scan and is not used instead."
            )
        return (
            f"{message} Export field 21003 at instance {self.instance}, or choose the visit with "
            "`cohort.instance`; an age at this visit in another column has the key cohort.columns.age=NAME."
        )
