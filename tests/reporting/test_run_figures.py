"""Figures of findings."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure as Canvas

from brainage.evaluation.accuracy import measure_accuracy
from brainage.reporting import run_figures
from brainage.reporting.figure import Figure
from brainage.reporting.run_figures import phenotype

Drawn = dict[str, Canvas]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    """Return all figures that the test draws, by name."""
    canvases: Drawn = {}

    def draw(name: str, alt: str, plot: Callable[[Canvas], object], **options: Any) -> Figure:
        plot(canvases.setdefault(name, Canvas()))
        return Figure(name, alt, b"", 1)

    monkeypatch.setattr(run_figures, "draw", draw)
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
    run_figures.phenotype(rows, "speed", rows["age"] + 0.5, "continuous", points=points)
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
    phenotype(pd.DataFrame({"bag": gaps}), "smoker", values, "binary", points="none")
    (axes,) = drawn["phenotype-smoker"].axes
    low, high = axes.get_ylim()
    assert np.percentile(gaps[49:], 5) - 1 < low < high < np.percentile(gaps[49:], 95) + 1
    ends = sorted({round(float(y), 3) for one in axes.lines for y in one.get_ydata()})  # type: ignore[arg-type]
    assert ends[0] == -4.5 and -2.5 in ends


@pytest.mark.parametrize(("n_second", "shown"), [(9, False), (10, True)], ids=["nine", "ten"])
def test_a_category_of_fewer_than_ten_participants_is_not_drawn(n_second: int, shown: bool) -> None:
    values = pd.Series([0.0] * 30 + [1.0] * n_second)
    rows = pd.DataFrame({"bag": np.random.default_rng(0).normal(size=len(values))})
    assert (phenotype(rows, "smoker", values, "binary", points="all") is not None) == shown


def test_a_variable_of_fewer_than_ten_participants_is_not_drawn() -> None:
    rows = pd.DataFrame({"bag": np.arange(12.0)})
    values = pd.Series([1.5, 2.0, 3.0] * 3 + [np.nan] * 3)
    assert phenotype(rows, "bmi", values, "continuous", points="all") is None
