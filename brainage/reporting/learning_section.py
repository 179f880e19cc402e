"""The section of a learning curve, in the page of a multirun over ``split.n_train``."""

from __future__ import annotations

from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import NullFormatter, StrMethodFormatter

from brainage.evaluation.learning_curve import LearningCurve
from brainage.reporting.figure import BLUE, ORANGE, Figure, draw
from brainage.reporting.page import Section, Table
from brainage.reporting.text import estimate_in, integer, number, with_interval

_NOTE = (
    "The power law is error = floor + scale × N^-exponent, with floor and scale of 0 or more. Intervals (95 %) are "
    "from a bootstrap over test participants and draws. They suppose that more people come from the same population, "
    "and that the model stays the same. Participants of a smaller size are among those of a larger one: several "
    "split.seed contain how much depends on who they are."
)


def learning_section(found: LearningCurve, place: int = 0) -> Section:
    """Return error against the number of training participants; `place` distinguishes figures."""
    rows = [
        [
            integer(row["n_train"]),
            str(row["trainings"]),
            with_interval(estimate_in(row, "mae", "low", "high")),
            number(None if row["sd"] != row["sd"] else row["sd"]),
        ]
        for row in found.points.to_dict("records")
    ]
    tables = [Table(("training participants", "trainings", "test MAE (years)", "SD over trainings"), rows)]
    if found.parameters:
        laws = [[key, with_interval(value)] for key, value in found.parameters.items()]
        tables.append(Table(("power law", "estimate (95 % interval)"), laws, note=_NOTE))
    title = f"Learning curve: {found.name}" if found.name else "Learning curve"
    return Section(title, [found.sentence], tables, [_figure(found, place)])


def _figure(found: LearningCurve, place: int) -> Figure:
    points, fitted = found.points, found.fitted

    def plot(canvas: Canvas) -> None:
        axes = canvas.subplots()
        if len(fitted):
            axes.fill_between(fitted["n_train"], fitted["low"], fitted["high"], color=BLUE, alpha=0.15, linewidth=0)
            axes.plot(fitted["n_train"], fitted["mae"], color=BLUE, label="power law, 95 % interval")
        spread = [points["mae"] - points["low"], points["high"] - points["mae"]]
        axes.errorbar(points["n_train"], points["mae"], yerr=spread, fmt="o", color=ORANGE, label="measured")
        axes.set(xscale="log", xlabel="training participants", ylabel="test MAE (years)")
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.legend()

    measured = "; ".join(f"{row.n_train:,}: {row.mae:.2f}" for row in points.itertuples())
    alt = f"Test MAE in years by number of training participants, measured: {measured}. {found.sentence}"
    name = f"learning-curve-{place}" if place else "learning-curve"
    return draw(name, alt, plot, caption="Error bars and band: 95 % intervals. Logarithmic axis of people.")
