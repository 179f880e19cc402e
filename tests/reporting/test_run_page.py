"""The report of a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from brainage.evaluation.analyse import analyse
from brainage.evaluation.findings import AnalysisSettings, Findings
from brainage.reporting.about import About
from brainage.reporting.association_figures import forest
from brainage.reporting.page import Card, Page, write_report
from brainage.reporting.run_page import cards, findings_page, lead
from brainage.reporting.run_sections import rows_name
from tests.reporting.test_methods import SUMMARY

FACTS = [("seed", "43")]
ABOUT = About("Title", FACTS)

undrawn = pytest.mark.usefixtures("undrawn")


def cells(page: Page, section: str) -> dict[str, list[str]]:
    """Return the rows of a section's tables by their first cell."""
    (found,) = [part for part in page.sections if part.title == section]
    return {row[0]: list(row[1:]) for table in found.tables for row in table.rows}


def text(page: Page, section: str) -> str:
    return " ".join(text for part in page.sections if part.title == section for text in part.texts)


@undrawn
def test_the_page_has_a_section_for_each_result_and_its_figures(findings: Findings, tmp_path: Path) -> None:
    curves = pd.DataFrame({"epoch": [0, 1], "train/loss": [90.0, 60.0], "val/loss": [95.0, 70.0]})
    about = About("Title", FACTS, "seed: 43", curves, 1, {"too short": 2}, points="all")
    page = findings_page(findings, about)
    assert [section.title for section in page.sections] == [
        "Accuracy", "Calibration and residuals", "Groups", "Prediction intervals", "Participants and training",
        "Brain-age gap", "Associations", "Head motion", "Known truth", "Exclusions", "Published errors",
        "Methods, ready to paste", "What was run",
    ]  # fmt: skip
    html = write_report(tmp_path, page).read_text()
    assert "volunteer" not in html
    names = {path.stem for path in (tmp_path / "figures").iterdir()}
    assert names == {"predicted", "residuals", "groups", "ages", "training", "gap-age", "gap-by-age", "associations",
                     "phenotype-01-speed", "phenotype-02-hand"}  # fmt: skip


@undrawn
def test_densities_of_few_participants_are_not_drawn_and_the_page_says_what_to_do(findings: Findings) -> None:
    page = findings_page(findings, About("Title", FACTS))
    names = {figure.name for section in page.sections for figure in section.figures}
    # 50 in training, 30 in the test set
    assert names == {"ages", "groups", "gap-by-age", "associations", "phenotype-02-hand"}
    assert "Densities need 50 participants; report.points=all" in text(page, "Accuracy")


def test_the_cards_have_the_headline_numbers_and_the_lead_the_associated_variables(findings: Findings) -> None:
    shown = {card.label: (card.value, card.note) for card in cards(findings)}
    mae = findings.accuracy.estimates["mae"]
    assert shown["MAE"] == (f"{mae.value:.2f} years", f"95 % interval {mae.low:.2f} to {mae.high:.2f}")
    assert shown["MAE of predicting the mean age of the training participants"][0] == (
        f"{findings.accuracy.mean_mae:.2f} years"
    )
    assert shown["test participants"][0] == "30"
    # p is (1 + 0) of 101 resamples, on both sides
    assert "p = 0.020; below 0, the model is better" in shown["MAE minus that of the ridge on spectra"][1]
    (associated,) = lead(findings)
    assert "Of 2 variables, the gap is associated with speed (q < 0.05" in associated


def test_fewer_than_ten_participants_are_one_card(findings: Findings) -> None:
    accuracy = replace(findings.accuracy, n=9).described()
    assert cards(replace(findings, accuracy=accuracy)) == [
        Card("test participants", "9", "too few to describe their accuracy")
    ]


@undrawn
def test_accuracy_is_of_the_analysed_rows_and_of_the_other_parts(findings: Findings) -> None:
    rows = cells(findings_page(findings, About("Title", FACTS)), "Accuracy")
    assert rows["N"] == ["30", ""]
    assert rows["MAE"][0] == f"{findings.accuracy.estimates['mae'].value:.2f} years"
    assert (rows["training"][0], rows["validation"][0]) == ("50", "140")


@undrawn
def test_intervals_have_coverage_and_width_or_the_reason_why_there_are_none(findings: Findings) -> None:
    bare = findings.predictions.drop(columns=["bag_corrected", "predicted_age_low", "predicted_age_high"])
    few = analyse(bare[bare["split"].ne("val") | (bare.index % 4 == 0)], None, AnalysisSettings(n_resamples=100))
    (reason,) = [one.texts[0] for one in findings_page(few, ABOUT).sections if one.title == "Prediction intervals"]
    assert reason.startswith("There are none. `intervals.level=0.9` needs 50 validation participants for symmetric")
    assert "predicted_age_low" not in few.predictions

    settings = AnalysisSettings(n_resamples=100, interval_level=0.8)
    found = analyse(bare, None, settings)
    page = findings_page(found, ABOUT)
    assert "contain the true age of 80% of participants like the 140 validation participants" in text(
        page, "Prediction intervals"
    )
    assert "(symmetric: all have the same width)" in text(page, "Prediction intervals")
    rows, (whole, *_) = cells(page, "Prediction intervals"), found.coverage
    assert rows["all, test"][:2] == [
        "30",
        f"{whole.coverage.value:.0%} ({whole.coverage.low:.0%} to {whole.coverage.high:.0%})",
    ]
    tested = found.predictions[found.predictions["split"] == "test"]
    assert rows["all, test"][2] == f"{(tested['predicted_age_high'] - tested['predicted_age_low']).mean():.2f}"
    assert found.predictions.loc[found.predictions["split"] == "val", "predicted_age_low"].isna().all()


@undrawn
def test_a_correction_is_described_by_its_fit(findings: Findings) -> None:
    fit = findings.corrections[0]
    about = About("Title", FACTS)
    described = text(findings_page(findings, about), "Brain-age gap")
    assert f"validation participants (n = 140): intercept {fit.intercept:.3f} years, slope {fit.slope:.4f}" in described
    folds = [replace(fit, fitted_on=f"validation of fold {number}", n=40 + number) for number in range(3)]
    described = text(findings_page(replace(findings, corrections=folds), about), "Brain-age gap")
    assert "Each of the 3 folds" in described and "n = 40 to 42" in described


@undrawn
def test_associations_have_their_covariates_coding_and_exclusions(findings: Findings) -> None:
    page = findings_page(findings, About("Title", FACTS))
    assert cells(page, "Associations")["speed"][-1] == "age, age², log(head_motion)"
    table, motion = [table for part in page.sections if part.title == "Associations" for table in part.tables]
    assert motion.rows[0][0] == "head_motion" and motion.rows[0][2] == "-"
    assert table.header[:2] == ("variable", "partial r")
    strength = findings.associations.table.set_index("variable").loc["speed", "r_partial"]
    assert cells(page, "Associations")["speed"][0].startswith(f"{strength:.2f} (")
    assert "Coding of hand: 0 = left, 1 = right." in text(page, "Associations")
    assert "Excluded: centre: it does not vary." in text(page, "Associations")


@undrawn
def test_unknown_results_have_no_section(findings: Findings) -> None:
    predictions = findings.predictions[["participant_id", "split", "age", "predicted_age"]].assign(split=None)
    settings = AnalysisSettings(n_resamples=100, gap_correction="none")
    found = analyse(predictions, predictions[["participant_id"]], settings)
    page = findings_page(found, About("Title", FACTS, exclusions=None))
    assert [section.title for section in page.sections] == [
        "Accuracy", "Calibration and residuals", "Groups", "Participants and training", "Brain-age gap",
        "Published errors", "Methods, ready to paste", "What was run",
    ]  # fmt: skip
    assert rows_name(found) == "all rows"
    assert any("no phenotypes" in notice for notice in page.notices)


@undrawn
@pytest.mark.parametrize(("exclusions", "shown"), [({}, "No participant"), ({"too short": 2}, "")])
def test_exclusions_are_counted_by_reason(findings: Findings, exclusions: dict[str, int], shown: str) -> None:
    page = findings_page(findings, About("Title", FACTS, exclusions=exclusions))
    assert cells(page, "Exclusions") == {reason: [str(n)] for reason, n in exclusions.items()}
    assert text(page, "Exclusions").startswith(shown)


@undrawn
@pytest.mark.parametrize(("q", "caption"), [(0.04, "* q < 0.05 (partial correlation)."), (0.05, "")])
def test_the_star_is_explained_where_there_is_one(findings: Findings, q: float, caption: str) -> None:
    figure = forest(findings.associations.table.assign(q_partial=q))
    assert figure is not None and figure.caption == caption


@undrawn
def test_calibration_and_groups_are_those_of_the_findings(findings: Findings) -> None:
    page = findings_page(findings, About("Title", FACTS))
    slope = findings.accuracy.estimates["slope"]
    assert cells(page, "Calibration and residuals")["slope"] == [
        f"{slope.value:.2f}", f"{slope.low:.2f} to {slope.high:.2f}"
    ]  # fmt: skip
    shown = cells(page, "Groups")
    assert [name.split(":")[0] for name in shown] == ["age"] * len(findings.groups)
    assert [row[0] for row in shown.values()] == [str(group.n) for group in findings.groups]


@undrawn
def test_table_1_has_each_part(findings: Findings) -> None:
    shown = cells(findings_page(findings, About("Title", FACTS)), "Participants and training")
    assert shown["N"] == ["50", "140", "30"]
    ages = findings.predictions.groupby("split")["age"]
    means = [f"{ages.mean()[part]:.2f} ± {ages.std()[part]:.2f}" for part in ("train", "val", "test")]
    assert shown["age (years), mean ± SD"] == means
    assert all(" ± " in cell for cell in shown["head motion (mm), mean ± SD"])


@undrawn
def test_the_error_on_unchanged_series_is_shown_where_training_series_were_augmented(findings: Findings) -> None:
    curves = pd.DataFrame({"epoch": [0, 1], "train/loss": [90.0, 60.0], "val/loss": [95.0, 70.0]})
    summary = {**SUMMARY, "metrics": {"train": {"mse": 13.1, "mae": 2.89}}}
    captions = []
    for augmented in (True, False):
        about = About("Title", FACTS, curves=curves, best_epoch=1, augmented=augmented, summary=summary)
        drawn = {figure.name: figure for part in findings_page(findings, about).sections for figure in part.figures}
        captions.append(drawn["training"].caption)
    assert "it may be lower or higher" in captions[0]
    assert "On the unchanged series, the selected weights have MSE 13.10 years², MAE 2.89 years." in captions[0]
    assert captions[1] == ""


@undrawn
def test_bins_of_ages_in_tenths_are_named_in_tenths(findings: Findings) -> None:
    table = findings.by_age.assign(age_low=50.4)
    assert "50.4 to" in " ".join(cells(findings_page(replace(findings, by_age=table), About("", [])), "Brain-age gap"))
