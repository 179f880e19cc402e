"""Schemas of cohorts: the participants, and where their files are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from omegaconf import MISSING, OmegaConf

from brainage.config.rules import Bounds, PathText, Seed, checked, choice, paths, require, texts
from brainage.errors import NamedParticipantError


@checked("cohort")
@dataclass
class CohortConfig:
    """The participants; what every cohort has in common.

    Parameters
    ----------
    name : str
        The config's own name.
    include : str or None
        A pandas query over the table; only matching participants take part. Applied before the split is drawn.
    exclude_ids : str or None
        A file with one id a line: participants who withdrew consent. They leave the part that they were drawn into.
    allow_unmatched_ids : bool
        Whether `exclude_ids` may contain no participant of the cohort.
    max_excluded_fraction : float
        The run stops if more than this share of the participants with a file, and more than two, cannot be used.
    """

    name: str = MISSING
    include: str | None = None
    exclude_ids: PathText | None = None
    allow_unmatched_ids: bool = False
    max_excluded_fraction: Annotated[float, Bounds(ge=0, le=1)] = 0.05

    def __post_init__(self) -> None:
        """Check the query."""
        if self.include is not None:
            refuse_ids(self.include)


_Strength = Annotated[float, Bounds(ge=0, allow_inf_nan=False)]


@checked("cohort.parts")
@dataclass
class SimulatedParts:
    """What parts of simulated series carry about age, as multiples of `cohort.signal`.

    Parameters
    ----------
    connectivity : float
        Correlations between channels.
    spectrum : float
        Power by frequency.
    dynamics : float
        How long states last, and how far networks lead or lag; connectivity and spectra do not have it.
    """

    connectivity: _Strength = 1.0
    spectrum: _Strength = 1.0
    dynamics: _Strength = 1.0


@checked("cohort")
@dataclass
class SimulatedCohortConfig(CohortConfig):
    """Simulated participants, generated in memory.

    Parameters
    ----------
    n_participants : int
        Number of participants; their ids have six digits.
    seed : int
        Governs the participants: number i depends on it and on i only.
    signal : float
        Scales what the series carry about age; 0 is a null cohort.
    version : int
        The generator's version: 1, or 2, which is as difficult to predict as real participants. Another one generates
        other participants.
    parts : SimulatedParts
        What parts of the series carry about age. Version 2 only.
    sites : {"alike", "different"}
        Whether all sites measure with the repetition time and the time points of the modality, or each with its own.
        Version 2 only.
    visit : {"first", "second", "both"}
        Which visit's scans: three in ten participants have a second one, 2 to 3.5 years later. With ``both``, all scans
        of a participant are in one part of the split, and the prediction is the mean over them, at the mean age.
        Version 2 only.
    """

    n_participants: Annotated[int, Bounds(ge=1, le=999_999)] = 1500
    seed: Seed = 0
    signal: Annotated[float, Bounds(ge=0, allow_inf_nan=False, description="0 is a null cohort, 1 the default.")] = 1.0
    version: Annotated[int, Bounds(ge=1, le=2, description="Use the release that had another version.")] = 1
    parts: SimulatedParts = field(default_factory=SimulatedParts)
    sites: Annotated[str, choice("alike", "different")] = "alike"
    visit: Annotated[str, choice("first", "second", "both")] = "first"

    def __post_init__(self) -> None:
        """Check that version 1 has no settings of version 2."""
        super().__post_init__()
        own = {f"cohort.parts.{name}": value for name, value in vars(self.parts).items() if value != 1}
        own |= {"cohort.sites": self.sites} if self.sites != "alike" else {}
        own |= {"cohort.visit": self.visit} if self.visit != "first" else {}
        for key, value in own.items() if self.version == 1 else ():
            require(
                False, key, "left out with cohort.version=1, which does not have it", value, "Add cohort.version=2."
            )


def _open_dict() -> Any:
    """Return an empty dict that takes any keys, also as in ``cohort.columns.age=AGE``."""
    return OmegaConf.create({}, flags={"struct": False})


@checked("cohort")
@dataclass
class FilesCohortConfig(CohortConfig):
    """A cohort in files, with a table or several.

    Parameters
    ----------
    root : str
        The folder.
    phenotypes : str, list of str, or None
        The table, or several that are joined by id.
    t_r : float or None
        Repetition time of all series, in seconds, where neither their files nor a column ``t_r`` of the table has it.
    columns : dict of str to str
        The table's own columns by standard name, such as ``{age: AGE_AT_SCAN}``.
    sex_codes : dict of str to str
        ``male`` or ``female`` by the table's own codes, such as ``{1: male, 2: female}``.
    """

    root: PathText = MISSING
    phenotypes: Any = None  # OmegaConf has no unions of text and lists
    t_r: Annotated[float | None, Bounds(gt=0, allow_inf_nan=False)] = None
    columns: Any = field(default_factory=_open_dict)
    sex_codes: Any = field(default_factory=_open_dict)

    def __post_init__(self) -> None:
        """Check the tables and their columns."""
        super().__post_init__()
        _ = self.tables, self.codes_of_sex
        names = [self.own_names[name] for name in ("participant_id", "family_id") if name in self.own_names]
        if self.include is not None:
            refuse_ids(self.include, names)

    @property
    def own_names(self) -> dict[str, str]:
        """The tables' names of standard columns, by standard name."""
        return texts("cohort.columns", self.columns, "age: AGE_AT_SCAN, sex: SEX")

    @property
    def codes_of_sex(self) -> dict[str, str]:
        """Male or female, by the tables' codes."""
        return texts("cohort.sex_codes", self.sex_codes, "1: male, 2: female")

    @property
    def tables(self) -> list[str]:
        """The paths of the tables."""
        return paths("cohort.phenotypes", self.phenotypes)


@checked("cohort")
@dataclass
class UkbCohortConfig(FilesCohortConfig):
    """UK Biobank bulk files and a table.

    Parameters
    ----------
    root : str
        Folder of ``<eid>_20227_<instance>_0.zip`` files, or of the same extracted.
    phenotypes : str, list of str, or None
        The table, of any format, in any of UK Biobank's column styles, or several that are joined by
        id; None is for prediction only, where ages may be unknown.
    instance : int or list of int
        The imaging visit: 2 is the first, 3 the repeat. With ``[2,3]``, all scans of a participant are in one part of
        the split, and the prediction is the mean over them, at the mean age.
    member : str
        The series' path inside a zip or an extracted folder, with ``{dimension}`` in it.
    """

    phenotypes: Any = MISSING
    instance: Any = 2  # OmegaConf has no unions of numbers and lists
    member: str = "fMRI/rfMRI_{dimension}.dr/dr_stage1.txt"

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        visits = "2 (first imaging visit), 3 (repeat visit) or [2,3]"
        require(self.instances in ([2], [3], [2, 3]), "cohort.instance", visits, self.instance)
        if len(self.instances) > 1:
            step = "Leave it out: the ages at both visits are field 21003, at instances 2 and 3."
            own = self.own_names.get("age")
            require(own is None, "cohort.columns.age", "left out with cohort.instance=[2,3]", own, step)
        require("{dimension}" in self.member, "cohort.member", "a path that contains `{dimension}`", self.member)

    @property
    def instances(self) -> list[Any]:
        """The imaging visits."""
        return self.instance if isinstance(self.instance, list) else [self.instance]


@checked("cohort")
@dataclass
class BidsCohortConfig(FilesCohortConfig):
    """A BIDS-like tree.

    Parameters
    ----------
    root : str
        The folder.
    phenotypes : str, list of str, or None
        The table, or several that are joined by id; ``participants.tsv`` of the root by default.
    pattern : str
        Path of a participant's series below the root. It may have wildcards, ``*`` and ``**``.
    entities : dict of str to str or int, or None
        Values of the pattern's placeholders other than ``{participant_id}`` and ``{dimension}``: whole numbers, or text
        without slashes, braces and ``*``.
    key : str or None
        The variable of MATLAB files that have several tables of numbers.
    scans : {"first", "all", "longest"} or None
        Which of several sessions and runs of a participant are used; without it, each must have one file. All of a
        participant are in one part of the split, and the prediction is the mean over scans, at the mean age.
    """

    pattern: str = "sub-{participant_id}/ses-2/func/sub-{participant_id}_ses-2_task-rest_ts-ica-{dimension}.txt"
    entities: Any = None  # OmegaConf refuses new keys in a dict of a schema
    key: str | None = None
    scans: Annotated[str | None, choice("first", "all", "longest")] = None

    def __post_init__(self) -> None:
        """Check the entities."""
        super().__post_init__()
        entities = {} if self.entities is None else self.entities
        require(isinstance(entities, Mapping), "cohort.entities", "values by name, such as {atlas: Tian}", entities)
        for name, value in entities.items():
            is_text = isinstance(value, str) and value != "" and not set(value) & set("/*{}\0")
            rule = "a whole number, or text without slashes, braces and *"
            require(is_text or type(value) is int, f"cohort.entities.{name}", rule, value)
            is_own = str(name).isidentifier() and name not in ("participant_id", "dimension")
            require(
                is_own, "cohort.entities", "values of placeholders of your own, such as {atlas: Tian}", {name: value}
            )

    @property
    def values_of_entities(self) -> dict[str, str]:
        """The values as text."""
        return {str(name): str(value) for name, value in (self.entities or {}).items()}


@checked("cohort")
@dataclass
class AbideCohortConfig(CohortConfig):
    """ABIDE I, preprocessed.

    Parameters
    ----------
    root : str
        The folder that has ``ABIDE_pcp/``, as nilearn leaves it.
    download : bool
        Whether missing files are fetched. A saved config, or one of a folder, cannot switch it on.
    url : str or None
        Where they are fetched from; None is the original place.
    rois : str or None
        The set of regions: ``aal`` (116), ``cc200``, ``cc400`` (392), ``dosenbach160`` (161), ``ez`` (116), ``ho``
        (111) or ``tt`` (97); None is the one that the modality is called after.
    pipeline : {"cpac", "ccs", "dparsf", "niak"}
        The preprocessing pipeline.
    band_pass_filtering : bool
        Whether the series are filtered from 0.01 to 0.1 Hz.
    global_signal_regression : bool
        Whether the global signal is regressed out.
    quality_checked : bool
        Whether only participants who passed all raters' checks take part.
    """

    root: PathText = MISSING
    download: bool = False
    url: str | None = None
    rois: Annotated[str | None, choice("aal", "cc200", "cc400", "dosenbach160", "ez", "ho", "tt")] = None
    pipeline: Annotated[str, choice("cpac", "ccs", "dparsf", "niak")] = "cpac"
    band_pass_filtering: bool = False
    global_signal_regression: bool = False
    quality_checked: bool = True


@checked("cohort")
@dataclass
class OwnCohortConfig(CohortConfig):
    """A cohort of the user's own code: a reader with the cohort's name, and the arguments of its constructor."""

    arguments: Any = None


def own_cohort(cohort: Any) -> Any:
    """Return a cohort without a schema as an `OwnCohortConfig`, and any other as it is."""
    if not isinstance(cohort, dict):
        return cohort
    common = {key: value for key, value in cohort.items() if key in CohortConfig.__dataclass_fields__}
    return OwnCohortConfig(**common, arguments={key: value for key, value in cohort.items() if key not in common})


def refuse_ids(query: str, names: Iterable[str] = ()) -> None:
    """Raise if a query names participants: a config is copied into the run's folder and to loggers.

    `names` are columns of ids under other names.

    Raises
    ------
    NamedParticipantError
        The message does not repeat the query.
    """
    columns = ("participant_id", "eid", "family_id", *names)
    if re.search(rf"(?<!\w)({'|'.join(map(re.escape, columns))})(?!\w)", query, flags=re.IGNORECASE):
        listed = f"{', '.join(columns[:-1])} or {columns[-1]}"
        raise NamedParticipantError(
            f"`cohort.include` must not name participants or families, but compares {listed}: a config is copied into "
            "every run's folder, where no id belongs. List participants to exclude in a file, one id a line, with "
            "cohort.exclude_ids=FILE."
        )


def refuse_ids_in(words: Iterable[str]) -> None:
    """Raise if an override's query names participants, ``++cohort.include=`` and ``cohort={include: ...}`` too."""
    for word in words:
        key, _, value = word.lstrip("+~").partition("=")
        if key.startswith("cohort") and ("include" in key or (key == "cohort" and "include" in value)):
            refuse_ids(word)
