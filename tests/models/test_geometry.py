import pytest

from brainage.config.groups.model import Simple1DCNNConfig, Variable1DCNNConfig
from brainage.errors import ImpossibleArchitectureError
from brainage.models import geometry


def architecture(**changes: object) -> Variable1DCNNConfig:
    """The default network of 21 components, changed."""
    return Variable1DCNNConfig(**{"name": "variable1dcnn", "in_channels": 21, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        # By hand, a layer takes n to (n - 4 - 5) // 2 + 1: 490, 241, 117, 55, 24, 8; then 8 - 4 = 4 < 5.
        ({"depth": 6}, ["layer 6", "pooling needs 5 points and gets 4", "largest depth that fits is 5"]),
        # The first convolution spans 6 * 99 + 1 points.
        ({"kernel_size": 7, "dilation": 99}, ["layer 1", "convolution needs 595 points and gets 490", "No depth fits"]),
        # Two convolutions take 8 points off, then pooling: 490, 239, 114, 51, 20, 4.
        (
            {"depth": 6, "double_conv": True, "start_out": 1, "max_parameters": 10**9},
            ["layer 6", "convolution needs 5 points and gets 4"],
        ),
    ],
    ids=["pooling", "first-layer", "double-conv"],
)
def test_a_sequence_that_runs_out_is_explained(changes: dict[str, object], words: list[str]) -> None:
    with pytest.raises(ImpossibleArchitectureError, match="runs out in layer") as caught:
        geometry.check("variable1dcnn", architecture(**changes))
    for word in words:
        assert word in str(caught.value)


def test_the_largest_depth_in_the_message_is_feasible() -> None:
    deepest = architecture(depth=5)
    geometry.check("variable1dcnn", deepest)
    # 490 points: 486, 241; 237, 117; 113, 55; 51, 24; 20, 8. Channels: 32 * 2 ** 4.
    assert geometry.linear_inputs(deepest) == 8 * 32 * 2**4


def test_too_many_parameters_come_before_too_few_points() -> None:
    # 8 layers of kernel 5: both faults. 21*32*5 + 32 = 3392, then 5 * c * 2c + 2c for c = 32 .. 2048.
    count = 3392 + sum(5 * c * 2 * c + 2 * c for c in (32, 64, 128, 256, 512, 1024, 2048))
    with pytest.raises(ImpossibleArchitectureError, match=rf"5000000.* is exceeded.* {count} parameters"):
        geometry.check("variable1dcnn", architecture(depth=8))


def test_a_very_large_depth_is_refused_without_counting() -> None:
    with pytest.raises(ImpossibleArchitectureError, match="more than"):
        geometry.check("variable1dcnn", architecture(depth=10**9))


def test_the_published_final_network_has_its_published_counts() -> None:
    final = architecture(kernel_size=6, depth=1, start_out=64, stride=4, double_conv=True, batch_norm=True)
    # 73,025 in all, of which the last layer has 15,232 weights and a bias.
    assert geometry.linear_inputs(final) == 15232
    assert geometry.encoder_parameters(final) == 73025 - 15232 - 1


@pytest.mark.parametrize(("n_times", "layer"), [(4, 1), (20, 2)])
def test_simple1dcnn_refuses_a_short_sequence(n_times: int, layer: int) -> None:
    # 20 points: 16 after the convolution, 6 after pooling, 2 after the next convolution: pooling wants 5.
    with pytest.raises(ImpossibleArchitectureError, match=f"layer {layer}"):
        geometry.check("simple1dcnn", Simple1DCNNConfig(name="simple1dcnn", in_channels=3, n_times=n_times))
