"""Published errors of brain age, next to those of a run: with N and ages, on which they depend."""

from __future__ import annotations

from brainage.evaluation.disclosure import may_describe
from brainage.evaluation.findings import Findings
from brainage.reporting.about import About
from brainage.reporting.page import Section, Table
from brainage.reporting.run_sections import rows_name
from brainage.reporting.text import integer, middle, number

_RIEDEL = "github.com/laura-riedel/IM"

# Study, images, participants, ages, MAE in years, source.
_PUBLISHED = (
    ("Riedel, ICA25", "resting-state fMRI, 1D-CNN", "5,902 (591 tested)", "46 to 82", "5.43", _RIEDEL),
    ("Riedel, ICA100", "resting-state fMRI, 1D-CNN", "5,902 (591 tested)", "46 to 82", "5.09", _RIEDEL),
    ("Liem et al. 2017", "cortical anatomy and functional connectivity", "2,354", "19 to 82", "4.29",
     "doi 10.1016/j.neuroimage.2016.11.005"),
    ("Cole et al. 2017", "T1-weighted, 3D-CNN", "2,001", "18 to 90", "4.16", "doi 10.1016/j.neuroimage.2017.07.059"),
    ("Feng et al. 2020", "T1-weighted, 3D-CNN", "10,158", "18 to 97", "4.06",
     "doi 10.1016/j.neurobiolaging.2020.02.009"),
    ("Baecker et al. 2021", "T1-weighted, regression", "10,824", "47 to 73", "3.7 to 4.7", "doi 10.1002/hbm.25368"),
    ("Peng et al. 2021", "T1-weighted, 3D-CNN", "14,503", "UK Biobank's", "2.14", "doi 10.1016/j.media.2020.101871"),
)  # fmt: skip


def field_section(findings: Findings, about: About) -> Section | None:
    """Return the errors of published studies and of these predictions; None where those may not be described."""
    accuracy = findings.accuracy
    if not may_describe(accuracy.n):
        return None
    ages = f"{middle(accuracy.age_p5, accuracy.age_p95)} (5th to 95th percentile)" if accuracy.age_p5 else "-"
    mae = f"{number(accuracy.estimates['mae'].value)} (mean predictor {number(accuracy.mean_mae)})"
    own = ("these predictions", about.title, f"{integer(accuracy.n)} ({rows_name(findings)})", ages, mae, "this page")
    note = (
        "These errors cannot be ranked: an error depends on the ages, the number of training participants and the "
        "images. In a narrow range of ages every error is small, so compare the skill, or the mean predictor's error."
    )
    header = ("study", "images and model", "participants", "ages (years)", "MAE (years)", "source")
    return Section("Published errors", tables=[Table(header, [own, *_PUBLISHED], note=note, text=True)])
