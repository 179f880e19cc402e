"""ABIDE I, preprocessed: the table and the series of regions that nilearn's ``fetch_abide_pcp`` leaves in a folder."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import pandas as pd

from brainage.data.cohorts.columns import STANDARD_COLUMNS, participant_ids, phenotype, standard_table
from brainage.data.cohorts.folders import list_folder, look_into
from brainage.data.cohorts.tables import check_columns, read_columns, read_header, unique_names
from brainage.data.store.series import FileScan, Scan
from brainage.errors import MissingPathError
from brainage.system.console import log
from brainage.system.invocation import command_text

TABLE = "Phenotypic_V1_0b_preprocessed1.csv"
ROIS = ("aal", "cc200", "cc400", "dosenbach160", "ez", "ho", "tt")
"""Names of the sets of regions."""

_SOURCES = {
    "participant_id": "SUB_ID",
    "age": "AGE_AT_SCAN",
    "sex": "SEX",
    "site": "SITE_ID",
    "head_motion": "func_mean_fd",
}
_SEXES = {"1": "male", "2": "female"}
_FILE, _NO_FILE, _MISSING = "FILE_ID", "no_filename", "-9999"

# Raters' answers with which a participant passes, as for nilearn's `quality_checked`.
_PASSED = {
    "qc_rater_1": {"OK"},
    "qc_anat_rater_2": {"OK", "maybe"},
    "qc_func_rater_2": {"OK", "maybe"},
    "qc_anat_rater_3": {"OK"},
    "qc_func_rater_3": {"OK"},
}
_NO_PHENOTYPES = frozenset({*STANDARD_COLUMNS, *_SOURCES.values(), _FILE, *_PASSED, "subject", "X", "Unnamed: 0"})

# Repetition times of the sites, in seconds, by the scan parameters that they publish with ABIDE I.
T_RS = {
    "CALTECH": 2.0,
    "CMU": 2.0,
    "KKI": 2.5,
    "LEUVEN_1": 1.656,
    "LEUVEN_2": 1.656,
    "MAX_MUN": 3.0,
    "NYU": 2.0,
    "OHSU": 2.5,
    "OLIN": 1.5,
    "PITT": 1.5,
    "SBL": 2.2,
    "SDSU": 2.0,
    "STANFORD": 2.0,
    "TRINITY": 2.0,
    "UCLA_1": 3.0,
    "UCLA_2": 3.0,
    "UM_1": 2.0,
    "UM_2": 2.0,
    "USM": 2.0,
    "YALE": 2.0,
}


@dataclass(frozen=True, kw_only=True)
class Derivative:
    """Which of the preprocessed series are read, and from where they are fetched.

    Parameters
    ----------
    rois : str
        One of `ROIS`.
    pipeline : {"cpac", "ccs", "dparsf", "niak"}
        Who preprocessed them.
    band_pass_filtering : bool, default=False
        Whether they are filtered, 0.01 to 0.1 Hz.
    global_signal_regression : bool, default=False
        Whether the global signal is regressed out.
    url : str or None
        The place of the files; None is nilearn's.
    """

    rois: str
    pipeline: str = "cpac"
    band_pass_filtering: bool = False
    global_signal_regression: bool = False
    url: str | None = None

    @property
    def folder(self) -> str:
        """Path of the files below that of the table."""
        filtered = "filt" if self.band_pass_filtering else "nofilt"
        return f"{self.pipeline}/{filtered}_{'global' if self.global_signal_regression else 'noglobal'}"

    def file_name(self, file_id: str) -> str:
        """Return the name of a participant's file."""
        return f"{file_id}_rois_{self.rois}.1D"


@dataclass(frozen=True, kw_only=True)
class AbideCohort:
    """ABIDE I as the Preprocessed Connectomes Project shares it; see `brainage.data.cohorts.readers.CohortReader`.

    Participants are those of ``SUB_ID``. The repetition time is that of the site.

    Parameters
    ----------
    root : Path
        The folder that has ``ABIDE_pcp/``, nilearn's ``data_dir``; or that folder itself.
    derivative : Derivative
        The series.
    quality_checked : bool, default=True
        Whether only participants who passed all raters' checks take part.
    download : bool, default=False
        Whether missing files are fetched.
    """

    root: Path
    derivative: Derivative
    quality_checked: bool = True
    download: bool = False

    @property
    def label(self) -> str:
        """The table's name in messages."""
        return f"`{self._data / TABLE}`"

    def read_table(self, columns: Collection[str] = ()) -> pd.DataFrame:
        """Read the table; -9999 and empty cells are missing. See CohortReader."""
        _show_terms()
        asked = [name for name in dict.fromkeys(columns) if name not in STANDARD_COLUMNS]
        checks = list(_PASSED) if self.quality_checked else []
        check_columns([*_SOURCES.values(), _FILE, *checks, *asked], self._header, self.label)
        text = read_columns(self._data / TABLE, [*_SOURCES.values(), *checks, *asked], "cohort.root")
        text = text.replace({_MISSING: "", f"{_MISSING}.0": ""})
        if checks:
            passed = pd.DataFrame({name: text[name].isin(_PASSED[name]) for name in checks}).all(axis=1)
            log.info("%s: %d of %d participants passed the quality checks", self.label, int(passed.sum()), len(text))
            text = text[passed]
        sources = {standard: text[name] for standard, name in _SOURCES.items()}
        sources["sex"] = sources["sex"].replace(_SEXES)
        return standard_table(sources, self.label).assign(**{name: phenotype(text[name]) for name in asked})

    def phenotype_names(self) -> list[str]:
        """Return the columns that are phenotypes; see CohortReader."""
        return unique_names(self._header, _NO_PHENOTYPES, self.label)

    def find_scans(self, participant_ids: Iterable[str], dimension: int) -> dict[str, Scan]:
        """Find scans, whatever the dimension; see CohortReader."""
        files = {one: self._files[one] for one in participant_ids if one in self._files}
        there = self._there()
        missing = [one for one, (name, _) in files.items() if name not in there]
        if missing and self.download:
            self._fetch(missing)
            there = self._there()
            missing = [one for one in missing if files[one][0] not in there]
        if missing and there:
            log.warning("%d of %d participants have no file. %s", len(missing), len(files), self._step())
        folder = self._data / self.derivative.folder
        return {one: FileScan(folder / name, self.root, t_r=t_r) for one, (name, t_r) in files.items() if name in there}

    def describe_search(self, participant_ids: Sequence[str], dimension: int) -> str:
        """Return where files were looked for, and how they are fetched."""
        folder = self._data / self.derivative.folder
        name = self.derivative.file_name("<FILE_ID>")
        return f"Files called `{name}` were looked for in `{folder}`. {self._step()}"

    @cached_property
    def _data(self) -> Path:
        """The folder of the table."""
        return self.root if (self.root / TABLE).is_file() else self.root / "ABIDE_pcp"

    @cached_property
    def _header(self) -> list[str]:
        if not (self._data / TABLE).is_file():
            if not self.download:
                raise MissingPathError(
                    f"`cohort.root={self.root}` must have ABIDE's table, but `{self._data / TABLE}` does not exist. "
                    f"{self._step()}"
                )
            self._fetch([])
        return read_header(self._data / TABLE, "cohort.root")

    @cached_property
    def _files(self) -> dict[str, tuple[str, float | None]]:
        """Name of the file and repetition time of each participant who has a file somewhere."""
        text = read_columns(self._data / TABLE, ["SUB_ID", _FILE, "SITE_ID"], "cohort.root")
        rows = zip(participant_ids(text["SUB_ID"], self.label), text[_FILE], text["SITE_ID"], strict=True)
        return {
            participant: (self.derivative.file_name(file_id), T_RS.get(site.upper()))
            for participant, file_id, site in rows
            if file_id not in ("", _NO_FILE, _MISSING) and not set(file_id) & {"/", "\\", "\0"}
        }

    def _there(self) -> frozenset[str]:
        folder = self._data / self.derivative.folder
        listed = look_into(self.root, [folder], lambda path: list_folder(path, self.root))
        return frozenset(listed[folder].files) if folder in listed else frozenset()

    def _fetch(self, participants: Sequence[str]) -> None:
        from brainage.data.cohorts.abide_download import fetch  # nilearn, which other cohorts do not wait for

        fetch(self._data.parent if self._data.name == "ABIDE_pcp" else self.root, self.derivative, participants)

    def _step(self) -> str:
        if self.download:
            return "The place that files are fetched from has none for them."
        words = ("cohort=abide", f"cohort.root={self.root}", "modality=cc200", "cohort.download=true")
        return f"cohort.download=true fetches what is missing: {command_text('train', *words)}"


@cache
def _show_terms() -> None:
    """Log the terms of use, once."""
    log.info(
        "ABIDE I may be used for non-commercial research; cite Di Martino et al. 2014, doi 10.1038/mp.2013.78, and the "
        "Preprocessed Connectomes Project."
    )
