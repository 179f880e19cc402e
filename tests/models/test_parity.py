"""The network against the reference architectures: 39 of the study, and 18 of its successor."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from brainage.config.groups.model import Variable1DCNNConfig
from brainage.errors import ImpossibleArchitectureError
from brainage.models import geometry
from brainage.models.variable1dcnn import Variable1DCNN

STUDY, SUCCESSOR = (
    json.loads(Path(__file__).with_name(f"{name}_parity.json").read_text()) for name in ("variable1dcnn", "successor")
)
CASES = STUDY + SUCCESSOR
FEASIBLE = [case for case in CASES if case["status"] == "ok"]


def name(case: dict[str, Any]) -> str:
    return f"case{case['case']}-{case['status']}"


def fill(network: torch.nn.Module, case: int) -> None:
    """Fill every tensor of the state with the reference's numbers."""
    state = network.state_dict()
    for j, (key, tensor) in enumerate(state.items()):
        if not tensor.is_floating_point():
            continue
        rng, shape = np.random.default_rng([case, j]), tuple(tensor.shape)
        if len(shape) >= 2:
            values = rng.standard_normal(shape) * math.sqrt(2 / math.prod(shape[1:]))
        elif key.endswith(("running_var", ".weight")):
            values = 0.5 + rng.random(shape)
        else:
            values = rng.standard_normal(shape) * 0.1
        state[key] = torch.from_numpy(values.astype(np.float32))
    network.load_state_dict(state)


def test_all_cases_are_there() -> None:
    assert (len(STUDY), len(SUCCESSOR)) == (39, 18)
    assert len(FEASIBLE) == 27 + 14


@pytest.mark.parametrize("case", FEASIBLE, ids=name)
def test_a_feasible_network_has_the_reference_state_counts_and_output(case: dict[str, Any]) -> None:
    n_times = case.get("n_times", 490)
    arguments = {**case["hyperparameters"], "n_times": n_times}
    network = Variable1DCNN(**arguments).eval()
    state = [[key, list(tensor.shape)] for key, tensor in network.state_dict().items()]
    assert state == case["state_dict"]
    assert sum(p.numel() for p in network.encoder.parameters()) == case["encoder_parameters"]
    assert sum(p.numel() for p in network.parameters()) == case["total_parameters" if case in STUDY else "parameters"]
    architecture = Variable1DCNNConfig(name="variable1dcnn", **arguments)
    assert geometry.encoder_parameters(architecture) == case["encoder_parameters"]
    if case in STUDY:
        assert geometry.linear_inputs(architecture) == case["flattened_features"]

    fill(network, case["case"])
    rng = np.random.default_rng([case["case"], 10000])
    series = rng.standard_normal((3, arguments["in_channels"], n_times)).astype(np.float32)
    with torch.inference_mode():
        output = network(torch.from_numpy(series))
    assert output.shape == (3, 1)
    np.testing.assert_allclose(output[:, 0].numpy(), case["output"], rtol=1e-4, atol=2e-4)


@pytest.mark.parametrize("case", [case for case in CASES if case["status"] != "ok"], ids=name)
def test_an_infeasible_network_is_refused_for_the_reference_reason(case: dict[str, Any]) -> None:
    reason = {
        "too_many_parameters": rf"would have {case.get('encoder_parameters', '')}.* parameters",
        "input_too_short": "runs out in layer",
        "too_short": "runs out in layer",
    }[case["status"]]
    with pytest.raises(ImpossibleArchitectureError, match=reason):
        Variable1DCNN(**case["hyperparameters"], n_times=case.get("n_times", 490))
