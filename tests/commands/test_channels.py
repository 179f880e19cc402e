"""Names of channels from participants' files to networks, reports, bundles and new participants."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from brainage.commands import explain as explain_command
from brainage.commands import predict as predict_command
from brainage.commands.bundle import main as bundle
from tests.conftest import FAST, run_command, run_here

NAMES = [f"Parcel_{number}" for number in range(1, 7)]
CHOSEN = ["Parcel_5", "Parcel_2", "Parcel_3"]


def put(folder: Path, names: Sequence[str] | None, order: Sequence[int] = range(6), first: int = 0) -> Path:
    """Write 40 participants with six parcels, whose columns are in this order; ids begin at `first`."""
    rng = np.random.default_rng(4)
    folder.mkdir(exist_ok=True)
    for number in range(40):
        series = rng.normal(size=(60, 6))[:, list(order)]
        header = "" if names is None else "\t".join(names[place] for place in order)
        path = folder / f"{first + number:04d}.tsv"
        np.savetxt(path, series, fmt="%.5f", delimiter="\t", header=header, comments="")
    rows = [f"{first + number:04d}\t{40 + number}" for number in range(40)]
    (folder / "participants.tsv").write_text("\n".join(["participant_id\tage", *rows]) + "\n")
    return folder


def cohort(root: Path) -> tuple[str, ...]:
    return "cohort=bids", f"cohort.root={root}", "cohort.pattern='{participant_id}.tsv'"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that chose three of six parcels by a file, which is gone, and its bundle."""
    folder = tmp_path_factory.mktemp("channels")
    put(folder / "known", NAMES)
    (folder / "chosen.txt").write_text("Parcel_5\nParcel_2\n3\n")
    parcels = ("modality=parcels", "modality.dimension=6", "modality.n_times=60", "modality.t_r=0.8")
    words = (*cohort(folder / "known"), *parcels, "modality.channels=chosen.txt", "model.depth=1", *FAST[1:])
    ended = run_command(folder, "train.py", *words, "hydra.run.dir=run")
    assert ended.code == 0, ended.text
    (folder / "chosen.txt").unlink()
    assert bundle(["export", "--run", str(folder / "run"), "--out", str(folder / "bundle")]) == 0
    return folder


Ages = Callable[..., pd.Series]


@pytest.fixture
def ages(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undrawn: None) -> Ages:
    """Predict participants with the bundle; return ages in the order of the ids."""
    monkeypatch.chdir(place)

    def run(root: Path, source: str = "bundle=bundle", code: int = 0) -> pd.Series:
        out = tmp_path / f"predicted{len(list(tmp_path.iterdir()))}"
        words = (source, *cohort(root), f"store.root={tmp_path / 'store'}", "report.n_resamples=100")
        assert run_here(predict_command.predict, "predict", out, *words) == code
        return pd.Series(dtype=float) if code else pd.read_csv(out / "predictions.csv")["predicted_age"]

    return run


@pytest.mark.more
def test_a_runs_files_have_the_names_and_need_no_list_any_more(place: Path) -> None:
    channels = pd.read_csv(place / "run" / "channels.csv")
    assert channels.to_dict("list") == {"number": [5, 2, 3], "name": CHOSEN}
    config = yaml.safe_load((place / "run" / "config.yaml").read_text())
    assert config["modality"]["channels"] == ["Parcel_5", "Parcel_2", 3]
    assert config["model"]["in_channels"] == 3
    assert "3 of 6: Parcel_5, Parcel_2, Parcel_3 (channels.csv)" in (place / "run" / "report.html").read_text()
    assert json.loads((place / "bundle" / "bundle.json").read_text())["channels"] == CHOSEN
    assert "3 of 6 channels (Parcel_5, Parcel_2, Parcel_3;" in (place / "bundle" / "README.md").read_text()


def test_new_participants_are_put_in_the_networks_order(place: Path, ages: Ages, tmp_path: Path) -> None:
    own = ages(place / "known", "run=run")
    other = ages(put(tmp_path / "new", NAMES, order=[3, 5, 0, 2, 1, 4], first=500))
    np.testing.assert_allclose(own, other, rtol=1e-5)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            [*NAMES[:4], "Other_5", "Other_6"],
            "1 of its 3 names are not among the 6 of these participants' files: the first is `Parcel_5`, and they have "
            "`Parcel_1`, which",
        ),
        (None, "was trained on channels with names (the first is `Parcel_5`), but those of these participants' files"),
    ],
)
def test_other_channels_are_refused(
    names: list[str] | None, message: str, ages: Ages, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    ages(put(tmp_path / "new", names, first=500), code=2)
    assert message in capfd.readouterr().err
    assert not list(tmp_path.glob("predicted*/predictions.csv"))


def test_names_are_refused_by_a_network_without(
    place: Path, ages: Ages, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    manifest = json.loads((place / "bundle" / "bundle.json").read_text())
    unnamed = tmp_path / "unnamed"
    unnamed.mkdir()
    for path in (place / "bundle").iterdir():
        (unnamed / path.name).write_bytes(path.read_bytes())
    (unnamed / "bundle.json").write_text(json.dumps({k: v for k, v in manifest.items() if k != "channels"}))
    ages(place / "known", f"bundle={unnamed}", code=2)
    assert "has no names of its channels, but those of these participants' files have" in capfd.readouterr().err
    (unnamed / "bundle.json").write_text(json.dumps({**manifest, "channels": ["Parcel_5", "", "Parcel_3"]}))
    ages(place / "known", f"bundle={unnamed}", code=2)
    assert "`channels` must be the 3 names of the network's channels" in capfd.readouterr().err


@pytest.mark.more
def test_an_explanation_shows_names(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    words = ("run=run", "rows=all", "participants=5", "n_steps=2", "n_windows=2", "report.n_resamples=100")
    assert run_here(explain_command.explain, "explain", tmp_path / "out", *words, "report.points=all") == 0
    table = pd.read_csv(tmp_path / "out" / "components.csv")
    assert table[["component", "name"]].to_dict("list") == {"component": [5, 2, 3], "name": CHOSEN}
    assert set(pd.read_csv(tmp_path / "out" / "map.csv")["name"]) == set(CHOSEN)
    assert "occlusion_Parcel_5" in pd.read_csv(tmp_path / "out" / "participants.csv")
    others = cohort(put(tmp_path / "new", NAMES, order=[3, 5, 0, 2, 1, 4], first=500))
    words = ("bundle=bundle", *others, f"store.root={tmp_path / 'store'}", "participants=40", *words[3:])
    assert run_here(explain_command.explain, "explain", tmp_path / "others", *words) == 0
    again = pd.read_csv(tmp_path / "others" / "components.csv")
    assert again[["component", "name"]].to_dict("list") == {"component": [6, 5, 4], "name": CHOSEN}
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Channels with the largest effects by occlusion: Parcel_" in page
    assert "Components are numbered" not in page
    assert "Parcel_5" in capfd.readouterr().out
