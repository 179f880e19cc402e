"""``brainage adapt``: its files, what it may look at, and mistakes; inside this process."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from omegaconf import OmegaConf

from brainage.commands.adapt import adapt
from brainage.commands.predict import predict
from brainage.commands.simulate import main as write_files
from brainage.config.hydra import parse
from brainage.evaluation.gap import Correction
from brainage.trained.bundle import read_bundle, write_bundle
from brainage.trained.network import Architecture, Trained, TrainedStack
from brainage.trained.stack import read_stack, write_stack
from tests.composing import compose_job, forget_job
from tests.conftest import run_here

N, N_CONTROLS = 36, 14


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of a bundle, a network with random weights, and of a cohort with a list of its controls."""
    folder = tmp_path_factory.mktemp("adapt")
    composed = compose_job("train", ["model=variable1dcnn", "model.start_out=4"], folder / "run")
    config = parse(composed)
    forget_job()
    architecture = Architecture(config.modality, "variable1dcnn", config.network_arguments)
    generator, weights = torch.Generator().manual_seed(1), {}
    for name, value in architecture.outline().state_dict().items():
        weights[name] = 0.3 * torch.randn(value.shape, generator=generator) + 60 * name.startswith("decoder.0.bias")
    trained = Trained(folder, architecture, weights, "none", None, "No reason.", None, {}, {})
    write_bundle(folder / "bundle", trained, OmegaConf.to_container(composed, resolve=True))  # type: ignore[arg-type]
    words = ["--layout", "bids", "--out", str(folder / "bids"), "--participants", str(N)]
    assert write_files(words) == 0
    table = read(folder / "bids" / "participants.tsv")
    (folder / "controls.txt").write_text("\n".join(table["participant_id"][:N_CONTROLS]))
    return folder


Adapt = Callable[..., Path]


@pytest.fixture
def adapted(place: Path, tmp_path: Path, undrawn: None) -> Adapt:
    """Adapt, and return the folder."""

    def run(*overrides: str, code: int = 0) -> Path:
        words = [f"bundle={place / 'bundle'}", "cohort=bids", f"cohort.root={place / 'bids'}", "device=cpu"]
        words += [f"store.root={place / 'store'}", "report.n_resamples=100"]
        folder = tmp_path / f"out{len(list(tmp_path.glob('out*')))}"
        assert run_here(adapt, "adapt", folder, *words, *overrides) == code
        return folder

    return run


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t" if path.suffix == ".tsv" else ",", dtype={"participant_id": str})


def test_the_others_are_predicted_and_the_new_bundle_predicts_them_alike(
    place: Path, adapted: Adapt, tmp_path: Path
) -> None:
    folder = adapted(f"adapt.participants={place / 'controls.txt'}")
    controls = {one.removeprefix("sub-") for one in (place / "controls.txt").read_text().split()}
    found = read(folder / "predictions.csv").set_index("participant_id")
    assert len(found) == N - N_CONTROLS and not controls & set(found.index)
    words = [f"bundle={folder / 'bundle'}", "cohort=bids", f"cohort.root={place / 'bids'}", "device=cpu"]
    assert run_here(predict, "predict", tmp_path / "again", *words, f"store.root={place / 'store'}") == 0
    again = read(tmp_path / "again" / "predictions.csv").set_index("participant_id")
    # Batches of other participants differ in the last digits.
    assert again["predicted_age"][found.index].to_numpy() == pytest.approx(found["predicted_age"].to_numpy(), abs=1e-4)
    # An offset: the mean gap of the controls is 0.
    assert again["bag"][[*controls]].mean() == pytest.approx(0, abs=1e-3)
    saved = json.loads((folder / "adaptation.json").read_text())
    assert (saved["n"], saved["n_others"], saved["method"]) == (N_CONTROLS, N - N_CONTROLS, "offset")
    assert saved["others"]["after"]["mae"]["value"] == pytest.approx(found["bag"].abs().mean())
    page = (folder / "report.html").read_text()
    assert re.search(r"<td[^>]*>offset \(chosen\)</td>", page) and "22 other participants of known age" in page


@pytest.mark.parametrize("method", ["offset", pytest.param("last_layer", marks=pytest.mark.more)])
def test_ages_of_the_others_change_nothing_that_is_fitted(
    method: str, place: Path, adapted: Adapt, tmp_path: Path
) -> None:
    table = read(place / "bids" / "participants.tsv")
    table.loc[N_CONTROLS:, "age"] = np.linspace(46, 82, N - N_CONTROLS).round(2)
    table.to_csv(tmp_path / "other.tsv", sep="\t", index=False)
    words = (f"adapt.participants={place / 'controls.txt'}", f"adapt.method={method}")
    one, two = adapted(*words), adapted(*words, f"cohort.phenotypes={tmp_path / 'other.tsv'}")
    for name in ("weights.safetensors", "bundle.json", "README.md"):
        assert (one / "bundle" / name).read_bytes() == (two / "bundle" / name).read_bytes()
    assert not read(one / "predictions.csv")["age"].equals(read(two / "predictions.csv")["age"])


@pytest.mark.more
def test_a_stack_is_adapted_as_one_and_its_members_alike(
    place: Path, adapted: Adapt, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = read_bundle(place / "bundle", "bundle")
    older = {name: value + 4 * (name == "decoder.0.bias") for name, value in one.weights.items()}
    configs = [OmegaConf.to_container(OmegaConf.load(place / "bundle" / "config.yaml"))] * 2
    fit = Correction("linear", 2.0, -0.5, 100, "validation", people="")
    members = (one, replace(one, weights=older))
    write_stack(tmp_path / "stack", TrainedStack(tmp_path, members, (0.25, 0.75), "linear", fit, "", {}), configs)
    words = (f"bundle={tmp_path / 'stack'}", f"adapt.participants={place / 'controls.txt'}", "adapt.method=offset")
    folder = adapted(*words)
    found = json.loads((folder / "adaptation.json").read_text())
    assert found["method"] == "offset" and found["n"] == N_CONTROLS
    # The stack is the network with an offset of 3 years, which the new one takes away.
    alone = adapted(*words[1:])
    stacked, single = (read(run / "predictions.csv").set_index("participant_id") for run in (folder, alone))
    assert stacked["predicted_age"].to_numpy() == pytest.approx(single["predicted_age"].to_numpy(), abs=1e-3)
    for key in ("line", "offset"):
        own, other = (json.loads((run / "adaptation.json").read_text())["errors"][key] for run in (folder, alone))
        assert own["mae"]["value"] == pytest.approx(other["mae"]["value"], abs=1e-3)
    new = read_stack(folder / "bundle", "bundle")
    assert new.weights == (0.25, 0.75) and new.correction is not None and new.correction.n == 100
    assert all(member.correction is None and "used in it only" in member.uncorrected for member in new.members)
    assert "Adapted to another site (offset" in (folder / "bundle" / "README.md").read_text()
    capsys.readouterr()
    adapted(*words[:2], "adapt.method=last_layer", code=2)
    said = capsys.readouterr().err
    assert re.search(r"`adapt.method=last_layer` needs a network, but `bundle=.*stack` is a stack. Use", said)


@pytest.mark.more
def test_a_fraction_is_drawn_by_the_seed(adapted: Adapt) -> None:
    one, two, three = (adapted("adapt.participants=0.4", f"seed={seed}") for seed in (1, 1, 2))
    ids = [set(read(folder / "predictions.csv")["participant_id"]) for folder in (one, two, three)]
    assert len(ids[0]) == N - 14 and ids[0] == ids[1] != ids[2]  # 0.4 x 36 = 14.4
    assert (one / "bundle" / "weights.safetensors").read_bytes() == (
        two / "bundle" / "weights.safetensors"
    ).read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("adapt.participants=0.2",), r"`adapt.participants=0.2` must be 10 participants of known age.*got 7 of 36"),
        (("adapt.participants=1",), r"`adapt.participants` must be a file of ids, or a fraction .*, but got 1"),
        (("adapt.participants=none.txt",), r"The list of ids `none.txt` cannot be read"),
        (("adapt.participants=0.5", "adapt.method=lines"), r"`adapt.method` got 'lines'. .*Did you mean `line`"),
        ((), r"`adapt.participants` must be given"),
    ],
    ids=["too few", "no fraction", "no file", "no method", "nobody"],
)  # fmt: skip
def test_a_mistake_is_one_message_and_leaves_nothing(
    words: tuple[str, ...], message: str, adapted: Adapt, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = adapted(*words, code=2)
    assert re.search(message, capsys.readouterr().err)
    assert not folder.exists() or not [*folder.iterdir()]
