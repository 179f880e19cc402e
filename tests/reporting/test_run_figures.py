"""Figures of findings."""

import re
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure as Canvas

from brainage.evaluation.accuracy import measure_accuracy
from brainage.evaluation.associations import adjusted_for_covariates, associate
from brainage.evaluation.covariates import Covariates
from brainage.evaluation.findings import Findings
from brainage.reporting import association_figures, run_figures
from brainage.reporting.association_figures import phenotype
from brainage.reporting.figure import Figure

Drawn = dict[str, Canvas]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    """Return all figures that the test draws, by name."""
    canvases: Drawn = {}

    def draw(name: str, alt: str, plot: Callable[[Canvas], object], **options: Any) -> Figure:
        plot(canvases.setdefault(name, Canvas()))
        return Figure(name, alt, b"", 1)

    for module in (run_figures, association_figures):
        monkeypatch.setattr(module, "draw", draw)
    return canvases


def outlier(n: int = 60) -> pd.DataFrame:
    """Return participants of whom the last is 30 years older than the others, with a gap of -40 years."""
    rng = np.random.default_rng(0)
    age = np.append(rng.uniform(50, 70, n - 1), 100.0)
    gap = np.append(rng.normal(0, 3, n - 1), -40.0)
    return pd.DataFrame({"age": age, "predicted_age": age + gap, "bag": gap, "split": "test"})


def draw_all(rows: pd.DataFrame, points: str) -> None:
    accuracy = measure_accuracy(rows["age"], rows["predicted_age"], mean_age=60, n_resamples=10, seed=0)
    run_figures.ages(rows, points=points)
    run_figures.predicted(rows, accuracy, points=points)
    run_figures.gap_against_age(rows, points=points)
    phenotype(rows, "speed", rows["age"] + 0.5, "continuous", None, points=points)
    run_figures.agreement(rows["bag"].to_numpy(), rows["bag"].to_numpy() * 2, ("a", "b"), points=points)


def test_without_points_no_figure_reaches_the_outermost_participant(drawn: Drawn) -> None:
    draw_all(outlier(), "none")
    assert drawn.keys() == {"ages", "predicted", "gap-age", "phenotype-speed", "agreement-a-b"}
    for name, canvas in drawn.items():
        for axes in canvas.axes:
            (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
            assert -12 < left < right < 80 and -12 < bottom < top < 80, name
    draw_all(outlier(), "all")
    assert drawn["predicted"].axes[-1].get_xlim()[1] >= 100


def test_densities_need_fifty_participants_and_points_ten(drawn: Drawn) -> None:
    draw_all(outlier(49), "none")
    assert drawn == {}
    draw_all(outlier(10), "all")
    assert len(drawn) == 5


def test_whiskers_are_percentiles_of_fifty_participants_or_more(drawn: Drawn) -> None:
    values = pd.Series([0.0] * 49 + [1.0] * 50)
    gaps = np.concatenate([np.linspace(-5, 5, 49), np.linspace(-5, 5, 50)])
    rows = pd.DataFrame({"age": np.arange(99) % 7, "bag": gaps, "bag_corrected": gaps})
    phenotype(rows, "smoker", values, "binary", None, points="none")
    axes = drawn["phenotype-smoker"].axes[1]
    low, high = axes.get_ylim()
    assert np.percentile(gaps[49:], 5) - 1 < low < high < np.percentile(gaps[49:], 95) + 1
    ends = sorted({round(float(y), 3) for one in axes.lines for y in one.get_ydata()})  # type: ignore[arg-type]
    assert ends[0] == -4.5 and -2.5 in ends


@pytest.mark.parametrize(("n_second", "shown"), [(9, False), (10, True)], ids=["nine", "ten"])
def test_a_category_of_fewer_than_ten_participants_is_not_drawn(n_second: int, shown: bool) -> None:
    values = pd.Series([0.0] * 30 + [1.0] * n_second)
    rows = outlier(len(values))
    assert (phenotype(rows, "smoker", values, "binary", None, points="all") is not None) == shown


def test_a_variable_of_fewer_than_ten_participants_is_not_drawn() -> None:
    values = pd.Series([1.5, 2.0, 3.0] * 3 + [np.nan] * 3)
    assert phenotype(outlier(12), "bmi", values, "continuous", None, points="all") is None


def test_the_panel_of_the_gap_has_the_partial_r_of_the_table_and_its_line(drawn: Drawn) -> None:
    rows = outlier().assign(sex=[0.0, 1.0] * 30)
    rows = rows.assign(bag_corrected=rows["bag"], speed=0.3 * rows["age"] + rows["bag"] + rows["sex"])
    adjusted_values = adjusted_for_covariates(rows, "speed", rows["speed"], Covariates(rows))
    phenotype(rows, "speed", rows["speed"], "continuous", adjusted_values, points="none")
    adjusted, corrected = drawn["phenotype-speed"].axes
    row = associate(rows, ["speed"]).table.iloc[0]
    assert adjusted.get_title(loc="center") == f"gap, adjusted, partial r = {row['r_partial']:.2f}"
    assert adjusted.get_xlabel() == "speed, adjusted"
    assert corrected.get_title(loc="center") == f"corrected gap, r = {row['r_corrected']:.2f}"


def test_points_are_pixels_for_print_and_densities_vectors_no_more_exact_than_pixels() -> None:
    rows = outlier()
    accuracy = measure_accuracy(rows["age"], rows["predicted_age"], mean_age=60, n_resamples=10, seed=0)
    points, density = (run_figures.predicted(rows, accuracy, points=choice) for choice in ("all", "none"))
    assert points is not None and points.svg == b"" and density is not None
    # Width in pixels, big-endian after the first 16 bytes of a PNG: 5.6 inches of 300 and of 150 pixels.
    assert [struct.unpack(">I", figure.png[16:20])[0] for figure in (points, density)] == [1680, 840]
    svg = density.svg.decode()
    assert svg.startswith("<?xml") and "predicted age (years)</text>" in svg
    places = [number for one in re.findall(r' (?:d|x|y)="([^"]*)"', svg) for number in re.findall(r"-?\d+\.\d+", one)]
    assert len(places) > 1000 and all(re.fullmatch(r"-?\d+\.\d", place) for place in places)


@pytest.mark.usefixtures("undrawn")
def test_shared_figures_show_no_participants(findings: Findings) -> None:
    # 50 in training, 30 in the test set: too few for densities, enough for points.
    assert [figure.name for figure in run_figures.shareable(findings)] == ["ages", "gap-by-age"]
