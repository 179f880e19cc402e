"""What every network of the project has: geometry, gradients, lengths, order, bundles and explanations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import nn

from brainage import models
from brainage.config.groups.model import NETWORKS
from brainage.config.hydra import parse
from brainage.data.datamodule import AgeDataModule
from brainage.data.participants import Participants
from brainage.errors import BundleError, ImpossibleArchitectureError
from brainage.explanation.effects import window_edges
from brainage.explanation.gradients import integrated_gradients
from brainage.explanation.occlusion import occlude_components
from brainage.models import geometry
from brainage.models.layers import Moments
from brainage.trained.bundle import read_bundle, write_bundle
from brainage.trained.network import Architecture
from brainage.training.fit import FitSettings, fit
from tests.conftest import every_third
from tests.trained.networks import MODALITY, constant, sample

N_CHANNELS, N_TIMES = 3, 70

SMALL = {"kernel_size": 5, "depth": 2, "stride": 2}

# Small networks of each architecture.
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "simple": ("simple1dcnn", {"n_times": 130}),
    "flatten": ("variable1dcnn", {**SMALL, "start_out": 4}),
    "average": ("variable1dcnn", {**SMALL, "start_out": 4, "growth": "none", "readout": "global_average"}),
    "average and SD": (
        "variable1dcnn",
        {**SMALL, "start_out": 4, "double_conv": True, "batch_norm": True, "readout": "global_average_sd"},
    ),
    "mlp": ("mean_mlp", {"width": 6, "depth": 2, "final_dropout": 0.2}),
    "mlp of one layer": ("mean_mlp", {"width": 5, "depth": 1}),
    "residual": ("residual1dcnn", {"width": 6, "depth": 2, "kernel_size": 4, "final_dropout": 0.2}),
    "residual of one block": ("residual1dcnn", {"width": 5, "depth": 1, "kernel_size": 3, "stride": 3}),
    "covariance": ("covariance1dcnn", {"width": 6, "n_features": 4, "final_dropout": 0.2}),
    "covariance of two layers": ("covariance1dcnn", {"width": 5, "depth": 2, "kernel_size": 6, "n_features": 3}),
}
EACH = pytest.mark.parametrize(("name", "arguments"), CASES.values(), ids=CASES)
SOME = pytest.mark.parametrize(("name", "arguments"), every_third(CASES.values()), ids=CASES)
OTHER_LENGTHS = [name for name in CASES if name not in ("simple", "flatten")]


def complete(arguments: dict[str, Any]) -> dict[str, Any]:
    return {"in_channels": N_CHANNELS, "n_times": N_TIMES, **arguments}


def build(name: str, arguments: dict[str, Any]) -> nn.Module:
    torch.manual_seed(1)
    return models.build(name, complete(arguments))


def schema(name: str, arguments: dict[str, Any]) -> Any:
    return NETWORKS[name](name=name, **complete(arguments))


def series(n: int = 4, n_times: int = N_TIMES) -> torch.Tensor:
    drawn = np.random.default_rng([n, n_times]).standard_normal((n, N_CHANNELS, n_times))
    smooth = (drawn + np.roll(drawn, 1, axis=2)) / np.sqrt(2)
    return torch.from_numpy(smooth.astype(np.float32))


def test_all_networks_are_in_the_table() -> None:
    networks = [name for name in models.names() if not models.is_baseline(name)]
    assert sorted({name for name, _ in CASES.values()}) == sorted(NETWORKS) == networks


@EACH
def test_closed_forms_are_those_of_the_network(name: str, arguments: dict[str, Any]) -> None:
    network, described, multiplied = build(name, arguments), schema(name, arguments), []

    def count(layer: nn.Module, _: object, output: torch.Tensor) -> None:
        assert isinstance(layer, nn.Conv1d)
        multiplied.append(layer.weight.numel() * output.shape[2])

    def count_products(_: nn.Module, given: tuple[torch.Tensor], __: object) -> None:
        _, n, n_times = given[0].shape
        multiplied.append(n * n * n_times)

    for layer in network.modules():
        if isinstance(layer, nn.Conv1d):
            layer.register_forward_hook(count)
        elif isinstance(layer, Moments):
            layer.register_forward_hook(count_products)
    network.eval()(series(1, described.n_times))
    assert geometry.multiplications(name, vars(described)) == sum(multiplied)
    assert geometry.encoder_parameters(described) == sum(p.numel() for p in network.encoder.parameters())
    [linear] = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    assert geometry.linear_inputs(described) == linear.in_features


@EACH
def test_a_step_lowers_the_loss_and_each_weight_has_a_finite_gradient(name: str, arguments: dict[str, Any]) -> None:
    network = build(name, arguments)
    given, ages = series(8, complete(arguments)["n_times"]), torch.linspace(-2, 2, 8)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    losses = []
    for _ in range(6):
        torch.manual_seed(2)
        loss = ((network(given)[:, 0] - ages) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


@SOME
def test_series_without_variation_have_finite_gradients(name: str, arguments: dict[str, Any]) -> None:
    given = torch.zeros(2, N_CHANNELS, complete(arguments)["n_times"], requires_grad=True)
    predicted = build(name, arguments).eval()(given)
    [gradient] = torch.autograd.grad(predicted.sum(), [given])
    assert predicted.isfinite().all()
    assert gradient.isfinite().all()


@pytest.mark.parametrize("case", CASES)
def test_a_readout_over_all_points_takes_series_of_other_lengths(case: str) -> None:
    name, arguments = CASES[case]
    network = build(name, arguments).eval()
    assert geometry.takes_other_lengths({"name": name, **complete(arguments)}) == (case in OTHER_LENGTHS)
    if case in OTHER_LENGTHS:
        assert network(series(2, 91)).shape == (2, 1)
    else:
        with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
            network(series(2, 200))


@SOME
def test_predictions_depend_on_no_other_participant(name: str, arguments: dict[str, Any]) -> None:
    network, given = build(name, arguments).eval(), series(4, complete(arguments)["n_times"])
    torch.testing.assert_close(network(given)[1:2], network(given[1:2]))


@pytest.mark.parametrize(("case", "ignores"), [("mlp", True), ("residual", False), ("covariance", False)])
def test_only_the_perceptron_ignores_the_order_of_time_points(case: str, ignores: bool) -> None:
    network, given = build(*CASES[case]).eval(), series()
    order = torch.from_numpy(np.random.default_rng(3).permutation(N_TIMES))
    assert torch.allclose(network(given), network(given[:, :, order]), atol=1e-5) == ignores


@pytest.mark.parametrize("name", every_third(sorted(NETWORKS)))
def test_each_choice_composes_and_trains_an_epoch(name: str, composed: Callable[..., Any], tmp_path: Path) -> None:
    config = parse(composed(f"model={name}", "cohort.n_participants=40"))
    found = sample(**{f"p{number}": 40.0 + number for number in range(12)}).participants
    parts = ["train"] * 8 + ["val"] * 4
    data = Participants(found.table.assign(split=parts), found.store, found.channels, found.n_times)
    arguments = {**config.network_arguments, "in_channels": N_CHANNELS, "n_times": data.n_times}
    settings = FitSettings(
        optimizer=partial(torch.optim.AdamW, lr=1e-3),
        scheduler=None,
        trainer_arguments={"max_epochs": 1, "accelerator": "cpu", "deterministic": True, "enable_model_summary": False},
        output_bias=44.0,
    )
    fitted = fit(
        lambda: models.build(name, arguments),
        AgeDataModule(data, batch_size=4, seed=1, residency="memory"),
        settings,
        tmp_path,
    )
    torch.manual_seed(settings.seed)
    begun = models.build(name, arguments).state_dict()  # as the fit began
    assert fitted.epochs == 1
    assert all(weights.isfinite().all() for weights in fitted.network.state_dict().values())
    moved = fitted.network.state_dict()["encoder.0.weight"] - begun["encoder.0.weight"]
    assert 0 < moved.abs().max() < 0.01  # two steps of AdamW


@SOME
def test_a_bundle_returns_the_same_predictions(name: str, arguments: dict[str, Any], tmp_path: Path) -> None:
    network, described = build(name, arguments).eval(), schema(name, arguments)
    modality = replace(MODALITY, n_times=described.n_times)
    architecture = Architecture(modality, name, complete(arguments))
    trained = constant(50.0, architecture=architecture, weights=network.state_dict())
    write_bundle(tmp_path / "bundle", trained, {"modality": asdict(modality), "model": asdict(described)})
    again = read_bundle(tmp_path / "bundle", "bundle").network()
    given = series(3, described.n_times)
    assert torch.equal(again(given), network(given))


def test_a_bundle_with_weights_of_another_width_is_refused(tmp_path: Path) -> None:
    name, arguments = CASES["covariance"]
    network, described = build(name, arguments), schema(name, {**arguments, "n_features": 5})
    trained = constant(50.0, weights=network.state_dict())
    modality = replace(MODALITY, n_times=N_TIMES)
    write_bundle(tmp_path / "bundle", trained, {"modality": asdict(modality), "model": asdict(described)})
    with pytest.raises(BundleError, match=r"weights of the architecture that it describes, but .*encoder"):
        read_bundle(tmp_path / "bundle", "bundle")


@SOME
def test_attributions_add_up_to_the_difference_from_series_of_zeros(name: str, arguments: dict[str, Any]) -> None:
    network, n_times = build(name, arguments).eval(), complete(arguments)["n_times"]
    given = series(2, n_times)
    effects = integrated_gradients(network, given.numpy(), window_edges(n_times, 5))
    difference = (network(given) - network(torch.zeros_like(given)))[:, 0].detach().numpy()
    np.testing.assert_allclose(effects.components.sum(axis=1), difference, atol=0.02 * np.abs(difference).max())
    assert occlude_components(network, given.numpy()).shape == (2, N_CHANNELS)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("mean_mlp", {"width": 10**9}, r"`model.max_parameters=5000000` is exceeded.*\(depth=2, width=1000000000\)"),
        ("mean_mlp", {"depth": 10**9}, "would have more than .* parameters"),
        ("residual1dcnn", {"depth": 10**9, "n_times": 10**6}, "would have more than .* parameters"),
        ("covariance1dcnn", {"n_features": 10**9}, r"is exceeded.*n_features=1000000000"),
        ("covariance1dcnn", {"n_features": 20_000}, "would have 400420000 parameters"),
        # Two convolutions of 5 points take 8 off: 66 after the first, 58; 29, 21; 10, 2; then pooling gives 1.
        (
            "residual1dcnn",
            {"depth": 4},
            "runs out in layer 4, whose convolution needs 5 points and gets 1. .*fits is 3",
        ),
        ("residual1dcnn", {"n_times": 11}, "in layer 1, whose convolution needs 5 points and gets 3. No depth fits"),
        ("covariance1dcnn", {"kernel_size": 70}, "whose readout needs 2 points and gets 1. No depth fits"),
    ],
)
def test_an_infeasible_network_is_refused(name: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ImpossibleArchitectureError, match=message):
        build(name, arguments)


def test_the_defaults_are_as_large_as_they_are_said_to_be() -> None:
    def parameters(name: str, in_channels: int) -> int:
        with torch.device("meta"):
            network = models.build(name, {"in_channels": in_channels})
        return sum(p.numel() for p in network.parameters())

    assert parameters("mean_mlp", 21) == pytest.approx(10_000, rel=0.05)
    assert parameters("residual1dcnn", 55) < 500_000
    assert parameters("covariance1dcnn", 55) <= 250_000


def test_moments_are_whitened_by_the_mean_covariance_of_the_batch_and_later_by_the_running_one() -> None:
    layer, given = Moments(N_CHANNELS), series(6)
    covariances = [np.cov(one, bias=True) for one in given.double().numpy()]
    mean = np.mean(covariances, axis=0) + layer.RIDGE * np.eye(N_CHANNELS)
    root = np.linalg.inv(scipy.linalg.sqrtm(mean))
    white = [root @ one @ root for one in covariances]
    expected = [[*np.log(np.diag(one) + layer.SHRINKAGE), *one[np.triu_indices(N_CHANNELS, 1)]] for one in white]
    found = layer(given)[:, N_CHANNELS:]
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)
    np.testing.assert_allclose(np.mean(white, axis=0), np.eye(N_CHANNELS), atol=0.02)
    np.testing.assert_allclose(
        layer.running_covariance.numpy(), 0.9 * np.eye(N_CHANNELS) + 0.1 * np.mean(covariances, axis=0), atol=1e-5
    )
    layer.running_covariance.copy_(torch.from_numpy(np.mean(covariances, axis=0)))
    np.testing.assert_allclose(layer.eval()(given[:1])[:, N_CHANNELS:].numpy(), expected[:1], atol=1e-5)


def test_moments_of_numbers_of_16_bits_are_computed_with_32() -> None:
    layer, given = Moments(N_CHANNELS), series(6)
    found = layer.bfloat16()(given.bfloat16())
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), Moments(N_CHANNELS)(given), atol=0.02, rtol=0.02)
