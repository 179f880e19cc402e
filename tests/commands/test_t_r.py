"""Repetition times in ``train``, ``predict``, ``explain`` and bundles, of files that the test writes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from brainage.commands.bundle import main as bundle
from brainage.commands.explain import explain
from brainage.commands.predict import predict
from tests.conftest import run_here, train_here

N_TIMES, N_CHANNELS = 60, 4
SMALL = (
    "modality=parcels",
    f"modality.dimension={N_CHANNELS}",
    f"modality.n_times={N_TIMES}",
    "model.depth=1",
    "model.kernel_size=3",
    "model.start_out=4",
    "trainer.max_epochs=1",
    "batch_size=16",
    "report.n_resamples=100",
)


def write_tree(folder: Path, t_rs: list[float], *, n_times: int = N_TIMES, known: bool = True) -> Path:
    """Write a participant for each repetition time, whose series are the same sines; the JSON files have the times."""
    folder.mkdir(parents=True)
    rows = []
    for number, t_r in enumerate(t_rs):
        name, rng = f"sub-{folder.name}{number:03d}", np.random.default_rng(number)
        times = t_r * np.arange(n_times)
        frequencies, phases = rng.uniform(0.01, 0.1, (2, N_CHANNELS)), rng.uniform(0, 6, N_CHANNELS)
        series = np.sin(2 * np.pi * frequencies[0] * times[:, None] + phases)
        np.save(folder / f"{name}_timeseries.npy", series)
        if known:
            (folder / f"{name}_timeseries.json").write_text(json.dumps({"RepetitionTime": t_r}))
        rows.append(f"{name}\t{20 + number}\n")
    (folder / "participants.tsv").write_text("participant_id\tage\n" + "".join(rows))
    return folder


def cohort(folder: Path) -> list[str]:
    return ["cohort=bids", f"cohort.root={folder}", "cohort.pattern='sub-{participant_id}_timeseries.npy'"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two networks: of one repetition time, and of two, the second also as a bundle; and participants."""
    folder = tmp_path_factory.mktemp("t_r")
    write_tree(folder / "slow", [2.0] * 12, n_times=40)
    write_tree(folder / "silent", [2.0] * 12, known=False)
    train_here(folder / "one", *cohort(write_tree(folder / "fast", [1.0] * 30)), *SMALL, "modality.t_r=1")
    mixed = cohort(write_tree(folder / "mixed", [1.0] * 27 + [3.0] * 13))
    train_here(folder / "two", *mixed, *SMALL, "modality.t_r=null", "split.seed=1")
    assert bundle(["export", "--run", str(folder / "two"), "--out", str(folder / "bundle")]) == 0
    return folder


def test_series_of_another_repetition_time_are_refused_before_any_is_read(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*cohort(place / "mixed"), *SMALL, "modality.t_r=1", "trainer=cpu", f"store.root={tmp_path / 'store'}"]
    with pytest.raises(AssertionError):
        train_here(tmp_path / "run", *words)
    said = capsys.readouterr().err
    assert "`modality.t_r=1.0`" in said and "13 of 40 participants have another repetition time: 3 s (13)" in said
    assert all(key in said for key in ("modality.t_r=SECONDS", "modality.resample=true", "modality.t_r=null"))
    assert not (tmp_path / "store").exists()


def test_several_are_accepted_and_reported(place: Path) -> None:
    counts = json.loads((place / "two" / "summary.json").read_text())["t_r"]
    assert {name: sum(part.get(name, 0) for part in counts.values()) for name in ("1", "3")} == {"1": 27, "3": 13}
    page = (place / "two" / "report.html").read_text()
    # The parts for validation and test have four participants each, whose repetition times are not shown.
    shown = r"repetition time.*train 1 s \(\d\d\), 3 s \(\d\d\); val other \(4\); test other \(4\)"
    assert re.search(shown, page, re.S)
    facts = json.loads((place / "bundle" / "bundle.json").read_text())["facts"]["t_r"]
    assert facts == counts["train"] and set(facts) == {"1", "3"}
    assert "at a repetition time of 1 s and 3 s" in (place / "bundle" / "README.md").read_text()


def test_series_are_resampled_to_that_of_the_modality(place: Path, tmp_path: Path) -> None:
    words = [*SMALL, "modality.t_r=1", "modality.resample=true", "modality.n_times=40"]
    run = train_here(tmp_path / "run", *cohort(place / "mixed"), *words)
    summary = json.loads((run / "summary.json").read_text())
    assert summary["cohort"]["n_excluded"] == 0
    store = tmp_path / "store" / summary["cohort"]["fingerprint"]
    index = json.loads((store / "index.txt").read_text().partition("\n")[2])
    assert index["settings"][-1] == ["resample_to", 1.0]
    assert index["lengths"] == [60] * 27 + [59 * 3 + 1] * 13
    assert "resampled to 1 s" in (run / "report.html").read_text()


PREDICT = ("device=cpu", "report.n_resamples=100")


@pytest.mark.more
def test_new_participants_of_another_repetition_time_are_refused_or_resampled(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*cohort(place / "slow"), f"store.root={tmp_path / 'store'}"]
    for source, rule in (("run=one", "resample=true"), ("bundle=bundle", "1 s and 3 s")):
        key, _, name = source.partition("=")
        for command, more in ((predict, PREDICT), (explain, ())):
            out = tmp_path / f"{name}-{command.__name__}"
            assert run_here(command, command.__name__, out, f"{key}={place / name}", *words, *more) == 2
            said = capsys.readouterr().err
            assert "12 of 12 participants have another repetition time: 2 s (12)" in said and rule in said
    assert not (tmp_path / "store").exists()
    out = tmp_path / "resampled"
    assert run_here(predict, "predict", out, f"run={place / 'one'}", *words, *PREDICT, "resample=true") == 0
    notes = json.loads((out / "prediction.json").read_text())["notes"]
    assert [note for note in notes if "12 of 12 participants were resampled to 1 s" in note]
    assert len((out / "predictions.csv").read_text().splitlines()) == 13
    assert run_here(predict, "predict", tmp_path / "no", f"bundle={place / 'bundle'}", *words, "resample=true") == 2
    assert "`resample=true` needs a network that was trained at one repetition time" in capsys.readouterr().err


def test_an_unknown_repetition_time_is_a_note_unless_it_is_given(place: Path, tmp_path: Path) -> None:
    words = [f"run={place / 'one'}", *cohort(place / "silent"), f"store.root={tmp_path / 'store'}", *PREDICT]
    for given, expected in (((), True), (("cohort.t_r=1",), False)):
        out = tmp_path / f"out{len(given)}"
        assert run_here(predict, "predict", out, *words, *given) == 0
        notes = json.loads((out / "prediction.json").read_text())["notes"]
        assert any("repetition time of 12 of 12 participants is unknown" in note for note in notes) == expected
    assert run_here(predict, "predict", tmp_path / "out2", *words, "cohort.t_r=2") == 2


@pytest.mark.more
def test_a_network_of_several_repetition_times_is_explained_in_time_points(place: Path, tmp_path: Path) -> None:
    words = [f"run={place / 'two'}", "participants=3", "n_windows=2", "n_steps=4", "report.n_resamples=100"]
    assert run_here(explain, "explain", tmp_path, *words) == 0
    assert json.loads((tmp_path / "explanation.json").read_text())["time_points"] == [0.0, 30.0, 60.0]
    assert "time points" in (tmp_path / "report.html").read_text()
