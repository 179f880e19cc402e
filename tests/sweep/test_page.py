"""The report of a sweep, for trials of every state."""

from __future__ import annotations

import base64
import io
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import optuna
import pytest
from filelock import FileLock, Timeout
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from brainage.reporting.figure import ORANGE, Figure
from brainage.sweep import figures
from brainage.sweep.finish import finish_sweep
from brainage.sweep.page import _importances
from brainage.sweep.recovery import REASON
from brainage.sweep.results import N_VALIDATION, trial_title
from brainage.sweep.settings import SweepSettings
from brainage.sweep.space import Space
from brainage.sweep.storage import OBJECTIVES, StudyTerms, open_study

SCRIPT = "<script>alert(1)</script>"
SPACE = {
    "model.depth": IntDistribution(1, 4),
    "model.width": IntDistribution(8, 128, log=True),
    "model.norm": CategoricalDistribution([True, False]),
    "optimizer.lr": FloatDistribution(1e-6, 1e-2, log=True),
    "optimizer.name": CategoricalDistribution(["adamw", "adam"]),
    "model.dropout": FloatDistribution(0.0, 0.5),
}
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def rendered() -> None:
    """Mark a test that needs real pictures, whose rendering takes most of the time of a page."""


@pytest.fixture(autouse=True)
def _fast_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "rendered" not in request.fixturenames:
        numbers = itertools.count()

        def saved(canvas: object, kind: str, dpi: int) -> bytes:
            return PNG + bytes([next(numbers)]) if kind == "png" else b""

        monkeypatch.setattr("brainage.reporting.figure._saved", saved)


def made(
    objective: str = "val/mse",
    directions: tuple[str, ...] = ("minimize",),
    objectives: tuple[str, ...] = ("objective",),
    space: Mapping[str, Any] = SPACE,
    **fixed: Any,
) -> tuple[optuna.Study, SweepSettings]:
    """Create a study as a sweep does."""
    noted = {"objective": objective, OBJECTIVES: objectives, **fixed}
    terms = StudyTerms(
        Space(dict(space), ()).described(), list(directions), {key: json.dumps(value) for key, value in noted.items()}
    )
    study = open_study(InMemoryStorage(), "name", terms)
    return study, SweepSettings(100, list(directions), "name", None, {}, None, objectives=objectives)


def add(
    study: optuna.Study,
    values: float | tuple[float, ...] | None,
    reported: tuple[float, ...] = (),
    state: TrialState = TrialState.COMPLETE,
    space: Mapping[str, Any] = SPACE,
    params: Mapping[str, Any] | None = None,
    **attributes: Any,
) -> None:
    """Add a trial, at a point of its own unless `params` says so."""
    rng = np.random.default_rng(len(study.trials))
    drawn = {}
    for key, value in space.items():
        if isinstance(value, CategoricalDistribution):
            drawn[key] = value.choices[int(rng.integers(len(value.choices)))]
        elif isinstance(value, IntDistribution):
            drawn[key] = int(rng.integers(value.low, value.high + 1))
        else:
            drawn[key] = float(rng.uniform(value.low, value.high))
    study.add_trial(
        create_trial(
            state=state,
            values=None if values is None else np.atleast_1d(values).tolist(),
            params={**drawn, **(params or {})},
            distributions=dict(space),
            intermediate_values=dict(enumerate(reported)),
            user_attrs={"seconds": 2.5, "fit_seconds": 2.0, "epochs": len(reported), N_VALIDATION: 10, **attributes},
        )
    )


@dataclass
class Seen(HTMLParser):
    """What a browser would see."""

    tags: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    images: list[dict[str, str | None]] = field(default_factory=list)
    headings: list[str] = field(default_factory=list)
    text: str = ""

    def __post_init__(self) -> None:
        super().__init__()
        self._tag = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._tag = tag
        self.links += [value or "" for name, value in attributes if name in ("src", "href", "srcset", "action", "data")]
        assert not [name for name, _ in attributes if name.startswith("on")]
        if tag == "img":
            self.images.append(dict(attributes))

    def handle_data(self, data: str) -> None:
        if self._tag == "h2" and data.strip():
            self.headings.append(data.strip())
        self.text += data


def ended(study: optuna.Study, options: SweepSettings, folder: Path, space: Mapping[str, Any] = SPACE) -> Seen:
    """End a sweep; return its report, which loads no other files and whose figures are also files."""
    folder.mkdir(exist_ok=True)
    finish_sweep(study, options, folder, "optuna-dashboard sqlite:///study.db", lambda trial: "seed: 1\n")
    html = (folder / "report.html").read_text(encoding="utf-8")
    seen = Seen()
    seen.feed(html)
    seen.close()
    assert not seen.tags & {"script", "svg", "link", "iframe", "object", "embed", "base"}
    assert all(link.startswith(("data:image/png;base64,", "#", "https://doi.org/10.")) for link in seen.links)
    assert "@import" not in html
    assert "url(" not in html
    pictures = [base64.b64decode(str(image["src"]).partition(",")[2]) for image in seen.images]
    files = [path.read_bytes() for path in (folder / "figures").glob("*.png")]
    assert sorted(pictures) == sorted(files)
    assert {path.suffix for path in (folder / "figures").iterdir()} <= {".png", ".svg"}
    assert all(picture.startswith(PNG) for picture in pictures)
    assert all(len(image["alt"] or "") > 20 for image in seen.images)
    return seen


def drawn(folder: Path) -> set[str]:
    return {path.stem for path in (folder / "figures").iterdir()}


def test_a_sweep_with_trials_of_every_kind_is_reported(tmp_path: Path) -> None:
    study, options = made(batch_size=128)
    for number in range(12):
        add(study, 50.0 - number, reported=(70.0, 60.0 - number, 50.0 - number))
    add(study, None, reported=(90.0, 80.0), state=TrialState.PRUNED)
    add(study, None, reported=(float("nan"),), state=TrialState.PRUNED)
    add(study, None, state=TrialState.FAIL, **{REASON: "Training diverged"})
    add(study, None, state=TrialState.FAIL, seconds=None)
    add(study, None, reported=(50.0,), state=TrialState.RUNNING, seconds=None)
    seen = ended(study, options, tmp_path)
    assert seen.headings == ["Result", "History", "Parameters", "Time", "Failed trials", "What was run"]
    assert drawn(tmp_path) == {"history", "curves", "importances", "parallel", "slices", "time"}
    assert "Study name: 12 COMPLETE, 2 FAIL, 2 PRUNED, 1 RUNNING" in seen.text
    assert "Searched for a low val/mse over 6 parameters: model.depth 1 to 4; model.dropout 0 to 0.5;" in seen.text
    # 12 of 3 epochs, one of 2, two of 1; all but two have their seconds: 15 of 2.5.
    assert "17 trials, 40 epochs, 0:00:38 of work. The test set was not looked at." in seen.text
    assert "A trial took 2.5 s (median), 2.5 s at most." in seen.text
    assert "Beyond its training it took 0.50 s (median)." in seen.text
    assert "Training diverged" in seen.text
    assert "cut off by a signal, or with its process" in seen.text
    assert "batch_size: 128" in seen.text
    alts = " ".join(str(image["alt"]) for image in seen.images)
    assert "val/mse of each of 16 trials in order" in alts
    assert "12 complete trials as lines through 6 parameters" in alts


@pytest.mark.usefixtures("rendered")
def test_pruned_trials_are_drawn_in_the_history() -> None:
    study, _ = made()
    add(study, 50.0, reported=(50.0,))
    without = figures.history(study.trials, "val/mse", maximize=False)
    for _ in range(8):
        add(study, None, reported=(60.0,), state=TrialState.PRUNED)
    n_before, n_after = (_pixels(f, ORANGE) for f in (without, figures.history(study.trials, "", maximize=False)))
    assert n_after > 5 * n_before > 0  # the legend's mark is there in both


def _pixels(figure: Figure, colour: str) -> int:
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    picture = np.round(matplotlib.image.imread(io.BytesIO(figure.png))[..., :3] * 255)
    return int((np.abs(picture - wanted).max(axis=-1) < 3).sum())


@pytest.mark.parametrize(("n_complete", "shown"), [(9, False), (10, True)])
def test_importances_need_ten_complete_trials(n_complete: int, shown: bool, tmp_path: Path) -> None:
    study, options = made()
    for number in range(n_complete):
        add(study, 50.0 - number)
    for _ in range(5):
        add(study, None, reported=(60.0,), state=TrialState.PRUNED)
    seen = ended(study, options, tmp_path)
    assert ("importances" in drawn(tmp_path)) is shown
    assert ("Importances need 10 complete trials, and there are 9." in seen.text) is not shown
    assert ("doi 10.24963/ijcai.2023/488" in seen.text) is shown


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
@pytest.mark.parametrize("n_objectives", [1, 2])
def test_importances_are_high_for_what_good_trials_share(direction: str, n_objectives: int) -> None:
    """The best tenth alone has `good`, the worst tenth alone `bad`."""
    space = {"good": CategoricalDistribution([False, True]), "bad": CategoricalDistribution([False, True])}
    study, _ = made(
        directions=(direction, "minimize")[:n_objectives],
        objectives=("objective", "parameters")[:n_objectives],
        space=space,
    )
    for rank in range(40):
        point = {"good": rank < 4, "bad": rank >= 36}
        value = rank if direction == "minimize" else -rank
        add(study, (value, 1000.0)[:n_objectives], space=space, params=point)
    shares = _importances(study)
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["good"] > 0.9


def test_trials_with_equal_values_have_equal_importances(tmp_path: Path) -> None:
    study, options = made()
    for _ in range(10):
        add(study, 50.0)
    assert list(_importances(study).values()) == pytest.approx([1 / 6] * 6)
    ended(study, options, tmp_path)


def test_a_sweep_whose_trials_all_failed_says_why(tmp_path: Path) -> None:
    study, options = made()
    for _ in range(3):
        add(study, None, state=TrialState.FAIL, fit_seconds=None, **{REASON: "Out of memory"})
    seen = ended(study, options, tmp_path)
    assert seen.headings == ["Result", "Time", "Failed trials", "What was run"]
    assert "Out of memory3" in seen.text.replace("\n", "")
    assert drawn(tmp_path) == {"time"}
    assert not (tmp_path / "experiment").exists()


def test_a_sweep_of_which_no_trial_has_ended_is_reported(tmp_path: Path) -> None:
    study, options = made()
    add(study, None, state=TrialState.RUNNING, seconds=None)
    seen = ended(study, options, tmp_path)
    assert "No trial has ended yet." in seen.text
    assert seen.images == []


def test_trials_without_intermediate_values_have_no_curves(tmp_path: Path) -> None:
    study, options = made()
    add(study, 50.0)
    ended(study, options, tmp_path)
    assert drawn(tmp_path) == {"history", "parallel", "slices", "time"}


@pytest.mark.parametrize(
    "single", [CategoricalDistribution(["adam"]), IntDistribution(3, 3), FloatDistribution(0.1, 0.1)]
)
def test_a_parameter_of_one_value_is_not_drawn(single: Any, tmp_path: Path) -> None:
    space = {"depth": IntDistribution(1, 4), "only": single}
    study, options = made(space=space)
    for number in range(12):
        add(study, 50.0 - number, space=space)
    seen = ended(study, options, tmp_path, space)
    alts = " ".join(str(image["alt"]) for image in seen.images)
    assert "12 complete trials as lines through 1 parameters" in alts
    assert drawn(tmp_path) == {"history", "importances", "parallel", "slices", "time"}


def test_a_space_of_one_point_says_so(tmp_path: Path) -> None:
    space = {"only": IntDistribution(3, 3)}
    study, options = made(space=space)
    add(study, 50.0, space=space)
    seen = ended(study, options, tmp_path, space)
    assert "Every parameter had one value." in seen.text
    assert drawn(tmp_path) == {"history", "time"}


def test_two_objectives_have_a_front_and_no_history(tmp_path: Path) -> None:
    study, options = made(directions=("minimize", "minimize"), objectives=("objective", "parameters"))
    for error, size in [(30.0, 9000.0), (30.5, 4000.0), (31.0, 2000.0), (80.0, 100.0), (500.0, 9000.0)]:
        add(study, (error, size), standard_error=0.75)
    seen = ended(study, options, tmp_path)
    assert seen.headings == ["Result", "Front", "Parameters", "Time", "What was run"]
    assert drawn(tmp_path) == {"front", "parallel", "slices", "time"}
    assert "Searched for a low val/mse and low parameters" in seen.text
    # One standard error above 30 is 30.75: of the first two trials, the second is smaller.
    assert "Within one standard error of the best error, trial 1 is the smallest network." in seen.text
    assert "of 5 trials, with the front of the best" in " ".join(str(image["alt"]) for image in seen.images)


def test_a_front_of_negative_scores_is_drawn_in_both_orders_of_objectives(tmp_path: Path) -> None:
    for number, (directions, objectives) in enumerate(
        [
            (("maximize", "minimize"), ("objective", "parameters")),
            (("minimize", "maximize"), ("parameters", "objective")),
        ]
    ):
        study, options = made("val/r2", directions, objectives)
        for score, size in [(0.3, 9000.0), (0.1, 4000.0), (-0.2, 2000.0)]:
            add(study, (score, size) if objectives[0] == "objective" else (size, score))
        ended(study, options, tmp_path / str(number))
        assert "front" in drawn(tmp_path / str(number))


def test_the_number_of_parameters_alone_can_be_the_objective(tmp_path: Path) -> None:
    study, options = made(objectives=("parameters",))
    add(study, 9000.0, reported=(50.0,))
    add(study, 4000.0, reported=(60.0,))
    add(study, None, reported=(70.0,), state=TrialState.PRUNED)
    seen = ended(study, options, tmp_path)
    assert "Train trial 1, and test it" in seen.text
    assert "Searched for a low parameters" in seen.text


def test_with_another_objective_a_pruned_trial_has_no_value(tmp_path: Path) -> None:
    """It reported the validation MSE, negative because a pruner that maximises prefers higher values."""
    study, options = made("val/r2", ("maximize",))
    add(study, 0.3, reported=(-60.0, -40.0))
    add(study, None, reported=(-70.0,), state=TrialState.PRUNED)
    seen = ended(study, options, tmp_path)
    assert "Searched for a high val/r2" in seen.text
    assert "All others are at the edge." in seen.text
    assert "validation MSE (val/r2 counts) by epoch" in " ".join(str(image["alt"]) for image in seen.images)
    rows = [line.split(",")[:3] for line in (tmp_path / "trials.csv").read_text().splitlines()]
    assert rows == [["number", "state", "value"], ["0", "COMPLETE", "0.3"], ["1", "PRUNED", ""]]


@pytest.mark.usefixtures("rendered")
def test_errors_of_fewer_than_ten_validation_participants_are_not_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    objectives = ("objective", "parameters")
    for number, names in enumerate((("objective",), objectives)):
        study, options = made(directions=("minimize",) * len(names), objectives=names)
        add(study, (43.21, 1234.0)[: len(names)], (45.67,))
        add(study, (44.21, 1233.0)[: len(names)], (46.67,), n_val=9)
        folder = tmp_path / str(number)
        seen = ended(study, options, folder)
        said = capsys.readouterr().out
        assert "Errors of fewer than 10 validation participants are not shown." in seen.text
        assert drawn(folder) == {"parallel", "time"}
        for text in (seen.text, said):
            assert not any(value in text for value in ("43.2", "44.2", "45.6", "46.6"))
            assert ("1,234" in text) == (len(names) == 2)
        assert "43.21" in (folder / "trials.csv").read_text()  # a record
        assert trial_title(study.trials[1], "s", folder) == "Trial 1 of the study s."
    assert trial_title(study.trials[0], "s", folder) == "Trial 0 of the study s: 43.21, 1234."


@pytest.mark.parametrize(
    ("summary", "shown"), [(None, False), ("{", False), ('{"n": {"val": 9}}', False), ('{"n": {"val": 10}}', True)]
)
def test_participants_of_trials_of_earlier_versions_are_those_of_their_summaries(
    summary: str | None, shown: bool, tmp_path: Path
) -> None:
    study, options = made()
    add(study, 43.21, n_val=None)
    trial = tmp_path / "trials" / "0"
    trial.mkdir(parents=True)
    if summary is not None:
        (trial / "summary.json").write_text(summary)
    assert ("43.21" in ended(study, options, tmp_path).text) == shown


def test_names_and_reasons_are_escaped(tmp_path: Path) -> None:
    space = {f"model.{SCRIPT}": CategoricalDistribution([SCRIPT, '"><img src=x onerror=alert(1)>', "$\\frac$"])}
    study, options = made(SCRIPT, space=space, **{f"cohort.{SCRIPT}": SCRIPT})
    for number in range(10):
        add(study, 50.0 - number, reported=(60.0,), space=space)
    add(study, None, state=TrialState.FAIL, space=space, **{REASON: f"{SCRIPT} & <b>bold</b>"})
    seen = ended(study, options, tmp_path, space)
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert SCRIPT not in html
    assert "b" not in seen.tags
    assert len(seen.images) == 6
    assert f"{SCRIPT} & <b>bold</b>" in seen.text  # to be read, as it is
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &lt;b&gt;bold&lt;/b&gt;" in html


def test_the_folder_is_locked_while_the_results_are_written(tmp_path: Path) -> None:
    study, options = made()
    add(study, 50.0)

    def experiment(trial: FrozenTrial) -> str:
        with pytest.raises(Timeout, match="lock"):
            FileLock(tmp_path / ".lock").acquire(timeout=0)
        return "seed: 1\n"

    finish_sweep(study, options, tmp_path, "", experiment)
    assert (tmp_path / "experiment" / "best.yaml").read_text() == "seed: 1\n"
    with FileLock(tmp_path / ".lock").acquire(timeout=0):
        pass  # released


@pytest.mark.parametrize(
    ("values", "maximize", "expected", "edge"),
    [
        ([30.0, 60.0, 90.0, 5000.0], False, [30.0, 60.0, 90.0, 90.0], 90.0),  # three times the best
        ([30.0, float("nan"), 40.0], False, [30.0, float("nan"), 40.0], 40.0),
        ([30.0, float("inf")], False, [30.0, 30.0], 30.0),
        # From 0.5 down to 0.5 - 2 * 0.5; near 0, from 0.1 down to 0.1 - 2 * 0.2.
        ([0.5, 0.1, -8.0], True, [0.5, 0.1, -0.5], -0.5),
        ([0.1, -0.05, -0.2, -30.0], True, [0.1, -0.05, -0.2, -0.3], -0.3),
        ([float("nan")], False, [float("nan")], 0.0),
    ],
)
def test_values_that_are_far_from_the_best_are_drawn_at_the_edge(
    values: list[float], maximize: bool, expected: list[float], edge: float
) -> None:
    clipped, found = figures._clipped(np.array(values), maximize=maximize)
    np.testing.assert_allclose(clipped, expected)
    assert found == pytest.approx(edge)


def test_labels_of_parallel_coordinates_are_inside_the_figure_and_between_their_axes(rendered: None) -> None:
    long = {f"group.parameter_{number}": CategoricalDistribution(["a" * 40, "b"]) for number in range(14)}
    study, _ = made(space=long)
    for number in range(3):
        add(study, float(number), space=long)
    canvases: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("brainage.reporting.figure._saved", lambda canvas, kind, dpi: canvases.append(canvas) or b"")
        figures.parallel(study.trials, long, "val/mse", maximize=False)
    canvas = canvases[0]
    canvas.canvas.draw()
    names = []
    for axes in canvas.axes:
        lefts = [axes.transData.transform((index, 0))[0] for index in range(len(axes.get_xticks()))]
        for text in axes.texts:
            box = text.get_window_extent()
            assert canvas.bbox.x0 <= box.x0 and box.x1 <= canvas.bbox.x1
            following = [left for left in lefts if left > box.x0]
            assert not following or box.x1 <= following[0]
        names.append([label.get_text() for label in axes.get_xticklabels()])
    assert [len(each) for each in names] == [6, 6, 4]
    assert [each[0] for each in names[1:]] == [each[-1] for each in names[:-1]]
    assert len({name for each in names for name in each}) == 14
