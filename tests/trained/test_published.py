"""Checkpoints that were published elsewhere become bundles, or are refused; nothing in them is executed."""

from __future__ import annotations

import json
import os
import pickle
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file
from torch import nn

from brainage.commands.bundle import main
from brainage.models.variable1dcnn import Variable1DCNN
from brainage.trained.load import read_trained

ARCHITECTURE: dict[str, Any] = {
    "in_channels": 21,
    "kernel_size": 6,
    "depth": 1,
    "start_out": 8,
    "stride": 4,
    "dilation": 1,
    "conv_dropout": 0.1,
    "final_dropout": 0.0,
    "double_conv": True,
    "batch_norm": True,
}


class Evil:
    """Leaves a folder where it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return os.mkdir, (str(self.marker),)


def network() -> Variable1DCNN:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        made = Variable1DCNN(**ARCHITECTURE)
    return made.eval()


def published(**changes: Any) -> dict[str, Any]:
    """Return a checkpoint as the study's Lightning wrote it."""
    return {
        "epoch": 88,
        "global_step": 3293,
        "pytorch-lightning_version": "1.9.0",
        "state_dict": network().state_dict(),
        "loops": {"fit_loop": {"state_dict": {}}},
        "callbacks": {"ModelCheckpoint": {"best_model_score": torch.tensor(39.58), "best_model_path": "models.ckpt"}},
        "optimizer_states": [{"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{"lr": 5.7e-5}]}],
        "lr_schedulers": [],
        "hparams_name": "kwargs",
        "hyper_parameters": {
            **ARCHITECTURE,
            "activation": nn.ReLU(),
            "loss": nn.MSELoss(),
            "lr": 5.7e-5,
            "execution": "nn",
            **changes.pop("hyper_parameters", {}),
        },
        **changes,
    }


def saved(folder: Path, checkpoint: Any, name: str = "models-epoch=88-val_loss=39.58.ckpt") -> Path:
    path = folder / name
    torch.save(checkpoint, path)
    return path


def take_in(path: Path, out: Path, modality: str = "ica25", *more: str) -> int:
    return main(["import", "--checkpoint", str(path), "--modality", modality, "--out", str(out), *more])


def test_a_bundle_of_a_checkpoint_gives_what_that_network_gives(tmp_path: Path) -> None:
    assert take_in(saved(tmp_path, published()), tmp_path / "bundle") == 0
    trained = read_trained(tmp_path / "bundle", "bundle")
    series = torch.randn(3, 21, 490, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        assert torch.equal(trained.network()(series), network()(series))
    assert trained.modality.channel_indices() == [c - 1 for c in (1, 2, 3, *range(5, 23))]
    assert trained.ages is None
    assert trained.own_predictions is None
    manifest = json.loads((tmp_path / "bundle" / "bundle.json").read_text())
    assert manifest["facts"]["epoch"] == 88
    assert manifest["facts"]["val_loss"] == 39.58
    assert manifest["facts"]["loss"] == "MSELoss"
    card = (tmp_path / "bundle" / "README.md").read_text()
    assert "Imported from a checkpoint, `models-epoch=88-val_loss=39.58.ckpt`" in card
    assert "Unknown. Measure it" in card


def test_a_network_of_all_components_is_told_by_its_input(tmp_path: Path) -> None:
    with torch.random.fork_rng():
        weights = Variable1DCNN(**{**ARCHITECTURE, "in_channels": 25}).state_dict()
    checkpoint = published(state_dict=weights, hyper_parameters={"in_channels": 25})
    assert take_in(saved(tmp_path, checkpoint), tmp_path / "bundle") == 0
    assert read_trained(tmp_path / "bundle", "bundle").modality.components == "all"


SUCCESSOR = {"in_channels": 6, "batch_norm": True, "growth": "none", "readout": "global_average", "stride": 2}


def test_a_network_of_parcels_needs_what_its_modality_leaves_open(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Variable1DCNN(**{**ARCHITECTURE, **SUCCESSOR}, n_times=120).eval()
    path = saved(tmp_path, published(state_dict=made.state_dict(), hyper_parameters=SUCCESSOR))
    assert take_in(path, tmp_path / "bundle", "parcels") == 2
    assert "`--modality parcels` needs --n-times and --t-r" in capsys.readouterr().err
    assert take_in(path, tmp_path / "bundle", "parcels", "--n-times", "120", "--t-r", "2") == 0
    trained = read_trained(tmp_path / "bundle", "bundle")
    assert (trained.modality.dimension, trained.modality.n_times, trained.modality.t_r) == (6, 120, 2.0)
    series = torch.randn(3, 6, 120, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        assert torch.equal(trained.network()(series), made(series))


def test_a_checkpoint_is_not_executed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    marker = tmp_path / "executed"
    path = saved(tmp_path, published(hyper_parameters={"loss": Evil(marker)}))
    assert take_in(path, tmp_path / "bundle") == 2
    assert not marker.exists()
    assert not (tmp_path / "bundle").exists()
    assert "`posix.mkdir`" in capsys.readouterr().err
    torch.load(path, weights_only=False)  # the example is a true one
    assert marker.exists()


def test_a_plain_pickle_is_not_executed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    marker, path = tmp_path / "executed", tmp_path / "old.ckpt"
    path.write_bytes(pickle.dumps({"state_dict": {}, "hyper_parameters": {"x": Evil(marker)}}))
    assert take_in(path, tmp_path / "bundle") == 2
    assert not marker.exists()
    assert "error: `" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hyper_parameters": {"kernel_size": 5}}, "`encoder.0.weight` has the shape (8, 21, 6) there, and (8, 21, 5)"),
        ({"hyper_parameters": {"in_channels": 20}}, "`in_channels` must be 21 (good) or 25 (all)"),
        ({"hyper_parameters": {"activation": nn.Tanh()}}, "`activation` must be ReLU"),
        ({"hyper_parameters": {"depth": 40}}, "`model.max_parameters=5000000` is exceeded"),
        ({"hyper_parameters": {"depth": "1"}}, "`depth` must be int, but is a str"),
        ({"hyper_parameters": {"batch_norm": False}}, "in the network (None: it is missing)"),
        ({"hyper_parameters": 3}, "lacks `hyper_parameters`"),
        ({"state_dict": {"encoder.0.weight": "text"}}, "`encoder.0.weight` is a str"),
        ({"state_dict": {}}, "`encoder.0.weight` has the shape None there"),
    ],
)
def test_what_does_not_fit_is_refused(
    changes: dict[str, Any], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = not isinstance(changes.get("hyper_parameters"), int)
    checkpoint = published(**changes) if whole else {**published(), **changes}
    assert take_in(saved(tmp_path, checkpoint), tmp_path / "bundle") == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "bundle").exists()


def test_weights_that_are_not_finite_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = network().state_dict()
    weights["decoder.0.bias"] = torch.tensor([float("nan")])
    names = [name for name in weights if name.startswith("decoder")]
    weights[names[-1]] = torch.tensor([float("nan")])
    weights = {name: weights[name] for name in network().state_dict()}
    assert take_in(saved(tmp_path, published(state_dict=weights)), tmp_path / "bundle") == 2
    assert "must contain finite weights" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04broken"])
def test_another_file_is_refused(content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "file.ckpt"
    path.write_bytes(content)
    assert take_in(path, tmp_path / "bundle") == 2
    assert "error: `" in capsys.readouterr().err
    assert take_in(tmp_path / "nothing.ckpt", tmp_path / "bundle") == 2
    assert "must be a file, but there is none" in capsys.readouterr().err


def test_an_unknown_modality_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert take_in(saved(tmp_path, published()), tmp_path / "bundle", modality="ica250") == 2
    assert "Did you mean `ica25`?" in capsys.readouterr().err


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "thesis.txt").write_text("mine")
    assert take_in(saved(tmp_path, published()), tmp_path / "bundle") == 2
    assert "must be a new or an empty folder" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "bundle").iterdir()] == ["thesis.txt"]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    assert take_in(saved(tmp_path, published()), tmp_path / "bundle") == 0
    return tmp_path / "bundle"


def break_weights(folder: Path) -> None:
    weights = load_file(folder / "weights.safetensors")
    from safetensors.torch import save_file

    save_file(
        {name: tensor for name, tensor in weights.items() if name != "encoder.0.weight"}, folder / "weights.safetensors"
    )


def change_config(folder: Path, group: str, key: str, value: Any) -> None:
    path = folder / "config.yaml"
    config = yaml.safe_load(path.read_text())
    config[group][key] = value
    path.write_text(yaml.safe_dump(config))


def link_weights(folder: Path) -> None:
    secret = folder.parent / "elsewhere"
    (folder / "weights.safetensors").rename(secret)
    (folder / "weights.safetensors").symlink_to(secret)


LAUGHS = "\n".join(f"{after}: &{after} [{', '.join([f'*{name}'] * 20)}]" for name, after in pairwise("abcdefghi"))


def pipe(folder: Path, name: str) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name)


def huge_weights(folder: Path, n: int) -> None:
    """Let the first weight have many numbers, in a sparse file that has all its bytes."""
    path = folder / "weights.safetensors"
    header = {name: {"dtype": "F32", "shape": [n], "data_offsets": [0, 4 * n]} for name in ["encoder.0.weight"]}
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    os.truncate(path, 8 + len(text) + 4 * n)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (break_weights, "`encoder.0.weight` has the shape None there"),
        (lambda folder: (folder / "weights.safetensors").write_bytes(b"x" * 100), "safetensors format"),
        (
            lambda folder: (folder / "weights.safetensors").unlink(),
            "contains `weights.safetensors`, but it contains none",
        ),
        (link_weights, "must be a file, but is a link"),
        (lambda folder: (folder / "bundle.json").write_text("[]"), "must contain keys and values"),
        (lambda folder: (folder / "bundle.json").write_text('{"format": 2}'), "must be of format 1"),
        (
            lambda folder: (folder / "bundle.json").write_text('{"format": 1}'),
            "must have the keys and values of a bundle",
        ),
        (
            lambda folder: (folder / "config.yaml").write_text("modality: !!python/object/apply:os.getcwd []"),
            "config.yaml",
        ),
        (
            lambda folder: change_config(folder, "model", "name", "ridge_connectivity"),
            "`model`: RidgeConnectivity cannot be built",
        ),
        (
            lambda folder: change_config(folder, "model", "name", "../../evil"),
            "must describe a network of this project",
        ),
        (lambda folder: change_config(folder, "model", "name", "${oc.env:HOME}"), "a value refers to another one"),
        (lambda folder: change_config(folder, "model", "depth", 30), "exceeded"),
        (lambda folder: change_config(folder, "model", "depth", 10**8), "exceeded"),
        (lambda folder: change_config(folder, "model", "start_out", 10**9), "exceeded"),
        (lambda folder: change_config(folder, "model", "max_parameters", 10**30), "from 1 to 1000000000"),
        (lambda folder: change_config(folder, "model", "kernel_size", 10**18), "exceeded"),
        (lambda folder: change_config(folder, "model", "dilation", 10**30), "impossible"),
        (lambda folder: change_config(folder, "modality", "n_times", 10**9), "from 2 to 1000000"),
        (lambda folder: change_config(folder, "modality", "dimension", 10**9), "from 1 to 100000"),
        (lambda folder: (folder / "config.yaml").write_text(f"a: &a [1]\n{LAUGHS}"), "more than 20,000 values"),
        (lambda folder: (folder / "bundle.json").write_text("[" * 10**5), "more than 50 levels"),
        (lambda folder: pipe(folder, "bundle.json"), "contains none"),
        (lambda folder: os.truncate(folder / "bundle.json", 3 * 2**30), "3,221,225,472 bytes"),
        (lambda folder: huge_weights(folder, 2**29), "has the shape (536870912,)"),
        (lambda folder: os.truncate(folder / "weights.safetensors", 3 * 2**30), "safetensors format"),
        (lambda folder: change_config(folder, "modality", "dimension", "many"), "cannot be read so"),
        (lambda folder: change_config(folder, "model", "in_channels", 22), "must be 21"),
    ],
)
def test_a_bundle_that_is_not_what_was_written_is_refused(harm: Any, message: str, bundle: Path) -> None:
    from brainage.errors import BrainageError

    harm(bundle)
    with pytest.raises(BrainageError) as refused:
        read_trained(bundle, "bundle")
    assert any(part in str(refused.value) for part in message.split("|"))
    assert len(str(refused.value).splitlines()) == 1
