"""Settings of an analysis, and what it found: all that is printed, written and reported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from brainage.evaluation.accuracy import Accuracy
from brainage.evaluation.against import RIDGE, Against
from brainage.evaluation.associations import Associations
from brainage.evaluation.chance import Chance
from brainage.evaluation.conformal import Conformal
from brainage.evaluation.coverage import Coverage
from brainage.evaluation.disclosure import keyed_hash, may_describe
from brainage.evaluation.gap import Correction
from brainage.evaluation.group_difference import GroupDifferences, GroupSettings
from brainage.evaluation.groups import Group
from brainage.evaluation.intervals import Estimate
from brainage.evaluation.known_truth import Truth
from brainage.evaluation.motion import Motion
from brainage.evaluation.residuals import Residuals
from brainage.evaluation.sample import Sample
from brainage.evaluation.sites import Sites


@dataclass(frozen=True)
class AnalysisSettings:
    """How predictions are analysed.

    Parameters
    ----------
    rows : {"test", "val+test", "all"}
        The analysed rows.
    gap_correction : {"linear", "cole", "crossfit", "in_sample", "none"}
        See `brainage.evaluation.gap.Correction`.
    variables : sequence of str or None
        Variables that the gap is correlated with; None is every phenotype.
    covariates : sequence of str or None
        Covariates besides age and age squared; None is sex, head motion and site, where they are known.
    confounds : sequence of str
        Further covariates, which are no variables.
    planned : sequence of str or None
        Variables that are a family of their own in the correction for multiple tests.
    interval_level, interval_kind
        See `brainage.evaluation.conformal.fit_conformal`.
    n_resamples, seed : int
        Of the bootstrap.
    strict : bool
        Whether a correction that cannot be fitted is an error rather than a note.
    seen_sites : bool or None
        Of test participants of several trainings: whether their sites were in the training. None is unknown.
    groups : GroupSettings or None
        Which groups are compared.
    harmonize : {"none", "center", "combat"}
        How the features of the baseline were harmonised between sites.
    permutations : int
        Of the test against chance; 0 is none.
    """

    rows: str = "test"
    gap_correction: str = "linear"
    variables: Sequence[str] | None = None
    covariates: Sequence[str] | None = None
    confounds: Sequence[str] = ()
    planned: Sequence[str] | None = None
    interval_level: float = 0.9
    interval_kind: str = "auto"
    n_resamples: int = 2000
    seed: int = 43
    strict: bool = False
    seen_sites: bool | None = None
    groups: GroupSettings | None = None
    harmonize: str = "none"
    permutations: int = 0

    @property
    def group_column(self) -> str | None:
        """The column of groups that are compared."""
        return None if self.groups is None else self.groups.column


@dataclass(frozen=True)
class Findings:
    """Results of an analysis of predictions.

    Parameters
    ----------
    settings : AnalysisSettings
        How they were computed.
    predictions : DataFrame
        ``participant_id, split, age, predicted_age, bag``, and where available ``bag_corrected`` and the bounds of
        intervals.
    rows : DataFrame
        The analysed rows, with their phenotypes.
    accuracy : Accuracy
        Of the raw predictions of these rows.
    mean_age_of : str
        Participants whose mean age the mean predictor predicts.
    other_parts : dict of str to Accuracy
        Accuracy in the other parts of the split, without intervals.
    corrections : list of Correction
        Fits that corrected the gap.
    trend : Estimate or None
        Correlation of the corrected gap with age in the analysed rows; None where there is no corrected gap.
    by_age : DataFrame
        See `gap_by_age`.
    sample : dict of str to Sample
        The participants of each part of the split.
    groups : list of Group
        Accuracy and mean gap by thirds of age, sex, site and the groups that are compared.
    sites : Sites or None
        None where sites are unknown, or there is one.
    differences : GroupDifferences or None
        Of these groups from the reference group, in the test rows; None without groups.
    residuals : Residuals or None
        None for fewer than 20 participants.
    intervals : sequence of Conformal
        Fitted prediction intervals.
    no_intervals : str
        Why there are none.
    coverage : list of Coverage
        Of the intervals.
    associations : Associations
        With phenotypes.
    motion : Motion or None
        None where head motion is unknown.
    baselines : list of Against
        Baselines on the same test participants, the best one first.
    truth : Truth or None
        None where true gaps are unknown.
    chance : Chance or None
        The test of these predictions against chance; None unless permutations were asked for.
    notes : tuple of str
        Caveats, and what could not be computed and why.
    refitted : Chance or None
        The same with a ridge that is fitted to permuted ages; None for other models.
    """

    settings: AnalysisSettings
    predictions: pd.DataFrame
    rows: pd.DataFrame
    accuracy: Accuracy
    mean_age_of: str
    other_parts: dict[str, Accuracy]
    corrections: list[Correction]
    trend: Estimate | None
    by_age: pd.DataFrame
    sample: dict[str, Sample]
    groups: list[Group]
    sites: Sites | None
    differences: GroupDifferences | None
    residuals: Residuals | None
    intervals: Sequence[Conformal]
    no_intervals: str
    coverage: list[Coverage]
    associations: Associations
    motion: Motion | None
    baselines: list[Against]
    truth: Truth | None
    chance: Chance | None
    notes: tuple[str, ...]
    refitted: Chance | None = None

    @property
    def ridge(self) -> Against | None:
        """The best cheap baseline, a ridge; None where it could not be fitted."""
        return next((one for one in self.baselines if one.name == RIDGE), None)

    def as_json(self, key: bytes = b"") -> dict[str, Any]:
        """Return everything that is not a table as plain values.

        Fits that differ from others, or from the analysed rows, by fewer than ten participants are not listed: the
        difference would describe those.

        Parameters
        ----------
        key : bytes
            With it, fits have a keyed hash of the participants that they were fitted on.
        """
        fits = [fit for fit in self.corrections if not self._describes_few(fit)]
        people = {fit.people: keyed_hash(fit.people, key) if key else None for fit in fits}
        return {
            "options": asdict(self.settings),
            "accuracy": asdict(self.accuracy),
            "mean_age_of": self.mean_age_of,
            "sample": {part: asdict(sample) for part, sample in self.sample.items()},
            "groups": [asdict(group) for group in self.groups],
            "sites": asdict(self.sites) if self.sites else None,
            "group_differences": None if self.differences is None else self.differences.as_json(),
            "residuals": asdict(self.residuals) if self.residuals else None,
            "intervals": {
                "fits": [asdict(fit) for fit in self.intervals],
                "unavailable": self.no_intervals or None,
                "coverage": [asdict(group) for group in self.coverage],
            },
            "gap_correction": [{**asdict(fit), "people": people[fit.people]} for fit in fits],
            "corrected_gap_with_age": asdict(self.trend) if self.trend else None,
            "motion": asdict(self.motion) if self.motion else None,
            "against_ridge": asdict(self.ridge.difference) if self.ridge else None,
            "baselines": [asdict(one) for one in self.baselines],
            "chance": asdict(self.chance) if self.chance else None,
            "chance_refitted": asdict(self.refitted) if self.refitted else None,
            "true_gap": asdict(self.truth) if self.truth else None,
            "left_out": self.associations.left_out,
            "flagged": self.associations.flagged,
            "coding": self.associations.coding,
            "notes": list(self.notes),
        }

    def _describes_few(self, fit: Correction) -> bool:
        """Return whether a fit and what else is listed would describe fewer than ten participants."""
        n_all, n_analysed = self.corrections[0].n, len(self.rows)
        if fit.method == "crossfit" and not may_describe(min(n_all, n_analysed), max(n_all, n_analysed)):
            return True
        return fit.is_part and not may_describe(fit.n, n_all)
