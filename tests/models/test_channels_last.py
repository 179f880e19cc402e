import copy

import pytest
import torch
from torch import Tensor, nn

from brainage.models import channels_last
from brainage.models.variable1dcnn import Variable1DCNN

_LAYERS = (
    nn.Conv1d(6, 8, 5, stride=2, dilation=3, groups=2),
    nn.BatchNorm1d(6),
    nn.ReLU(),
    nn.Dropout1d(0.5),
    nn.MaxPool1d(4, 3),
    nn.AvgPool1d(4, 3),
    nn.AdaptiveAvgPool1d(1),
)


def _network(**arguments: object) -> Variable1DCNN:
    torch.manual_seed(1)
    sizes = {"in_channels": 5, "kernel_size": 4, "depth": 2, "start_out": 8, "stride": 2, "n_times": 120}
    return Variable1DCNN(**{**sizes, **arguments})  # type: ignore[arg-type]


def _step(network: nn.Module, series: Tensor) -> tuple[Tensor, Tensor]:
    """Return predictions in bfloat16, as in training, and gradients."""
    torch.manual_seed(2)
    with torch.autocast("cpu", torch.bfloat16):
        predicted = network(series)
    predicted.square().mean().backward()
    return predicted.detach(), torch.cat([parameter.grad.flatten() for parameter in network.parameters()])


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("layer", _LAYERS, ids=lambda layer: type(layer).__name__)
def test_each_layer_has_the_same_output_gradients_and_state(layer, training):
    usual = copy.deepcopy(layer).double().train(training)
    other = copy.deepcopy(usual)
    series = torch.randn(7, 6, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    given = series.clone().requires_grad_()
    moved = series.unsqueeze(2).to(memory_format=torch.channels_last).requires_grad_()
    torch.manual_seed(4)
    expected = usual(given)
    torch.manual_seed(4)
    found = channels_last._FORMS[type(layer)](other, moved)
    torch.testing.assert_close(found.squeeze(2), expected)
    (expected * torch.arange(expected.shape[2])).sum().backward()
    (found.squeeze(2) * torch.arange(expected.shape[2])).sum().backward()
    torch.testing.assert_close(moved.grad.squeeze(2), given.grad)
    for one, another in zip(other.parameters(), usual.parameters(), strict=True):
        torch.testing.assert_close(one.grad, another.grad)
    torch.testing.assert_close(other.state_dict(), usual.state_dict())


@pytest.mark.parametrize(
    "arguments", [{}, {"batch_norm": True, "double_conv": True, "readout": "global_average"}, {"conv_dropout": 0.3}]
)
def test_bfloat16_takes_this_layout_and_trains_alike(arguments, monkeypatch):
    series = torch.randn(16, 5, 120, generator=torch.Generator().manual_seed(5))
    taken = []
    monkeypatch.setattr(channels_last, "apply", lambda *given, _=channels_last.apply: taken.append(1) or _(*given))
    predicted, gradients = _step(_network(**arguments), series)
    assert taken
    monkeypatch.setattr(channels_last, "is_faster", lambda *_: False)
    expected, expected_gradients = _step(_network(**arguments), series)
    assert len(taken) == 1
    torch.testing.assert_close(predicted, expected, atol=0.01, rtol=0.02)
    assert (gradients - expected_gradients).norm() <= 0.02 * expected_gradients.norm()


def test_float32_and_other_layers_keep_the_usual_layout(monkeypatch):
    taken = []
    monkeypatch.setattr(channels_last, "apply", lambda *given, _=channels_last.apply: taken.append(1) or _(*given))
    series = torch.randn(4, 5, 120, generator=torch.Generator().manual_seed(6))
    _network()(series)
    _step(_network(readout="global_average_sd"), series)
    assert taken == []
