"""A table's own names of the standard columns and its own codes of sex: `cohort.columns` and `cohort.sex_codes`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from brainage.config.rules import require
from brainage.data.cohorts.columns import SEXES, STANDARD_COLUMNS
from brainage.data.cohorts.tables import named_columns, nearest_column
from brainage.errors import CohortError, ConfigError, nearest
from brainage.system.console import log

# Names of columns that are probably a standard one, without case and separators; an age is in years and at a scan.
_USUAL = {
    "participant_id": r"(src)?(sub|subj|subject|participant|eid|record)(id|key|label|number)?|id",
    "age": r"(?!.*(month|week|day|onset|diagnos|recruit|death|birth|range|group)).*?\bage\b.*",
    "sex": r"sex|gender",
    "site": r"(site|cent(er|re)|scanner)(id|name|label)?",
    "head_motion": r"(func)?mean(fd|framewisedisplacement)(jenkinson|power)?|fdmean|headmotion",
    "family_id": r"fam(ily)?id",
    "t_r": r"tr|repetitiontime",
}


@dataclass(frozen=True)
class OwnColumns:
    """How a table differs from the standard.

    Parameters
    ----------
    names : mapping of str to str
        Its columns, by standard name; the others have their standard names.
    codes : mapping of str to str
        ``male`` or ``female``, by its codes of sex, if these are others.

    Raises
    ------
    ConfigError
        A name is no standard one, two have one column, or a code is of neither sex.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    codes: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the names and codes."""
        for code, sex in self.codes.items():
            require(sex.casefold() in SEXES, f"cohort.sex_codes.{code}", "male or female", sex)
        for name in self.names:
            if name not in STANDARD_COLUMNS:
                raise ConfigError(
                    f"`cohort.columns.{name}` must be a standard name, but got {name!r}. "
                    f"{nearest(name, STANDARD_COLUMNS)}"
                )
        refuse_shared(self.names)

    @property
    def sexes(self) -> Mapping[str, float]:
        """Codes of sex, 0 female and 1 male, by their text in lower case."""
        return {code.casefold(): SEXES[sex.casefold()] for code, sex in self.codes.items()} or SEXES

    def sources(self, header: Collection[str], label: str, elsewhere: Collection[str] = ()) -> dict[str, str]:
        """Return the table's column of each standard name that it has; those of `elsewhere` may be in other files.

        Raises
        ------
        CohortError
            A column of `names` is missing.
        """
        for standard, name in self.names.items():
            if name not in header and standard not in elsewhere:
                raise CohortError(
                    f"`cohort.columns.{standard}` must name a column of {label}, which has none of the name `{name}`. "
                    f"{nearest_column(name, header)}"
                )
        found = {name: self.names.get(name, name) for name in STANDARD_COLUMNS}
        sources = {standard: name for standard, name in found.items() if name in header}
        refuse_shared(sources)
        return sources


def refuse_shared(sources: Mapping[str, str]) -> None:
    """Raise ConfigError if a column has two standard names."""
    for standard, name in sources.items():
        others = [other for other, same in sources.items() if same == name and other != standard]
        if others:
            raise ConfigError(
                f"`cohort.columns` must name another column for each standard name, but `{name}` is both `{standard}` "
                f"and `{others[0]}`. Change cohort.columns.{standard}=NAME or cohort.columns.{others[0]}=NAME."
            )


def check_needed(needed: Iterable[str], sources: Mapping[str, str], header: Collection[str], label: str) -> None:
    """Raise CohortError unless the table has all needed standard columns; the message proposes `cohort.columns`."""
    missing = [name for name in needed if name not in sources]
    if not missing:
        return
    proposed = {name: own for name, own in usual_columns(header).items() if name not in sources}
    if missing[0] in proposed:
        hint = f"Rename its column, or name the table's own with {_mapping(proposed)}."
    else:
        hint = f"{nearest_column(missing[0], header)} Or name the table's own with cohort.columns.{missing[0]}=NAME."
    raise CohortError(f"{label} has no column `{missing[0]}`. The first line must contain the column names. {hint}")


def name_unused(header: Collection[str], sources: Mapping[str, str], label: str) -> None:
    """Log columns that are probably standard ones of another name, and that nothing maps."""
    unused = {name: own for name, own in usual_columns(header).items() if name not in sources}
    if unused:
        log.info(
            "%s: %s are taken as phenotypes; as %s they are used with %s",
            *(label, ", ".join(f"`{own}`" for own in unused.values()), ", ".join(unused), _mapping(unused)),
        )


def _mapping(names: Mapping[str, str]) -> str:
    """Return the override that maps standard names to a table's own."""
    return f"'cohort.columns={{{', '.join(f'{name}: {own}' for name, own in names.items())}}}'"


def usual_columns(header: Iterable[str]) -> dict[str, str]:
    """Return columns that are probably standard ones of another name, by standard name.

    Columns that may be ids or values, because the file has no header, are left out.
    """
    found: dict[str, str] = {}
    for name in named_columns(header):
        words = re.sub(r"[^a-z0-9]+", " ", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).casefold()).strip()
        for standard, pattern in _USUAL.items():
            text = words if standard == "age" else words.replace(" ", "")
            if name not in STANDARD_COLUMNS and re.fullmatch(pattern, text):
                found.setdefault(standard, name)
    return {name: found[name] for name in STANDARD_COLUMNS if name in found}
