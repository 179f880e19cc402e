"""Maps of networks whose effects are known by hand, and their summaries."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from brainage.errors import ConfigError
from brainage.explanation.duration import duration, expected_seconds
from brainage.explanation.effects import rank_correlation, window_edges
from brainage.explanation.explain import explain
from brainage.explanation.gradients import integrated_gradients
from brainage.explanation.occlusion import occlude, occlude_components
from brainage.explanation.randomisation import compare_maps, randomised
from brainage.explanation.summary import Explanation, shuffled_caveats, summarise
from brainage.reporting.explanation_page import check_rows, component_rows, explanation_page, lead
from brainage.reporting.page import write_report

N, CHANNELS, TIMES, WINDOWS = 13, 4, 11, 3
# Component 4 is an artefact, so the network's channels are these.
COMPONENTS = (1, 2, 3, 5)


class Linear(nn.Module):
    """60 years, and each point times its weight."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(CHANNELS * TIMES, 1)
        generator = torch.Generator().manual_seed(7)
        with torch.no_grad():
            self.last.weight.copy_(torch.randn(self.last.weight.shape, generator=generator))
            self.last.bias.fill_(60.0)

    def forward(self, series: Tensor) -> Tensor:
        predicted: Tensor = self.last(series.flatten(1))
        return predicted


class Power(nn.Module):
    """50 years, and the weighted powers of the components: not linear, so steps matter."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([0.0, 3.0, -1.0, 0.5]))

    def forward(self, series: Tensor) -> Tensor:
        return 50 + ((series**2).mean(dim=2) @ self.weight)[:, None]


class Weightless(nn.Module):
    """A network whose weights do not matter: a fixed buffer weighs the components, the second most."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(5))
        self.register_buffer("written", torch.tensor([1.0, 4.0, -2.0, 0.5]))

    def forward(self, series: Tensor) -> Tensor:
        return 60 + ((series**2).mean(dim=2) @ self.get_buffer("written"))[:, None] + 0 * self.weight.sum()


@pytest.fixture(scope="module")
def series() -> NDArray[np.float32]:
    rng = np.random.default_rng(3)
    raw = rng.standard_normal((N, CHANNELS, TIMES)) * rng.gamma(4, size=(N, CHANNELS, 1))
    return raw.astype(np.float32)


@pytest.fixture(scope="module")
def edges() -> NDArray[np.intp]:
    return window_edges(TIMES, WINDOWS)


def weights_of(network: Linear) -> NDArray[np.float64]:
    weights: NDArray[np.float64] = network.last.weight.detach().double().numpy().reshape(CHANNELS, TIMES)
    return weights


def explained(network: nn.Module, series: NDArray[np.float32], *, seed: int = 43) -> Explanation:
    found = explain(network.eval(), series, components=COMPONENTS, t_r=2.0, n_windows=WINDOWS, n_steps=32, seed=seed)
    return replace(found, n_resamples=200)


@pytest.mark.parametrize(
    ("n_times", "n_windows", "expected"),
    [(11, 3, [0, 4, 7, 11]), (490, 10, list(range(0, 491, 49))), (5, 5, [0, 1, 2, 3, 4, 5]), (5, 1, [0, 5])],
)
def test_windows_cut_a_series_without_gaps(n_times: int, n_windows: int, expected: list[int]) -> None:
    assert window_edges(n_times, n_windows).tolist() == expected


@pytest.mark.parametrize("n_windows", [0, 12])
def test_windows_that_would_be_empty_are_refused(n_windows: int) -> None:
    with pytest.raises(ConfigError, match=f"`n_windows` must be from 1 to 11.*got {n_windows}"):
        window_edges(11, n_windows)


def test_occlusion_of_a_linear_network_is_what_the_part_adds(
    series: NDArray[np.float32], edges: NDArray[np.intp]
) -> None:
    network = Linear()
    added = weights_of(network) * series  # of each point
    by_window = np.stack([added[..., 0:4].sum(-1), added[..., 4:7].sum(-1), added[..., 7:11].sum(-1)], axis=-1)
    found = occlude(network, series, edges)
    np.testing.assert_allclose(found.components, added.sum(axis=2), atol=2e-5)
    np.testing.assert_allclose(found.map, by_window, atol=2e-5)
    np.testing.assert_allclose(found.time, by_window.sum(axis=1), atol=2e-5)
    np.testing.assert_array_equal(occlude_components(network, series), found.components)


def test_occlusion_of_a_power_is_its_weight_times_the_power(
    series: NDArray[np.float32], edges: NDArray[np.intp]
) -> None:
    found = occlude(Power(), series, edges)
    expected = np.array([0.0, 3.0, -1.0, 0.5]) * (series.astype(float) ** 2).mean(axis=2)
    np.testing.assert_allclose(found.components, expected, rtol=1e-5, atol=5e-5)
    assert not found.components[:, 0].any()


def test_effects_of_a_linear_network_are_those_of_deviations_from_a_reference(
    series: NDArray[np.float32], edges: NDArray[np.intp]
) -> None:
    network, means = Linear(), 100 + 10 * np.arange(N * CHANNELS, dtype=np.float32).reshape(N, CHANNELS, 1)
    added = (weights_of(network) * series).sum(axis=2)
    keys = {"components": COMPONENTS, "t_r": 2.0, "n_windows": WINDOWS, "n_steps": 4, "seed": 1}
    found = explain(network, series + means, reference=means, **keys)  # type: ignore[arg-type]
    for effects in found.maps.methods.values():
        np.testing.assert_allclose(effects.components, added, rtol=1e-3, atol=5e-3)
    silent = 60 + (weights_of(network) * means).sum(axis=(1, 2))
    np.testing.assert_allclose(found.maps.silent, silent, rtol=1e-5)
    assert found.maps.completeness.mean < 0.01


def test_gradients_of_a_linear_network_are_exact_at_every_point(series: NDArray[np.float32]) -> None:
    network = Linear()
    points = integrated_gradients(network, series, np.arange(TIMES + 1), n_steps=3)
    np.testing.assert_allclose(points.map, weights_of(network) * series, rtol=1e-5, atol=1e-6)


def test_gradients_add_up_by_component_and_by_window(series: NDArray[np.float32], edges: NDArray[np.intp]) -> None:
    found = integrated_gradients(Power(), series, edges)
    assert found.map.shape == (N, CHANNELS, WINDOWS)
    np.testing.assert_allclose(found.components, found.map.sum(axis=2), atol=1e-12)
    np.testing.assert_allclose(found.time, found.map.sum(axis=1), atol=1e-12)
    # The gradient of w x^2 is integrated exactly by Gauss and Legendre's rule: w x^2 again.
    expected = np.array([0.0, 3.0, -1.0, 0.5])[:, None] * series.astype(float) ** 2 / TIMES
    np.testing.assert_allclose(found.map[..., 0], expected[..., 0:4].sum(axis=-1), rtol=1e-5, atol=1e-5)


def test_the_completeness_error_is_what_is_missing_and_falls_with_the_steps(
    series: NDArray[np.float32],
) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv1d(CHANNELS, 8, 3),
        nn.ReLU(),
        nn.MaxPool1d(2),
        nn.Flatten(),
        nn.Linear(32, 8),
        nn.ReLU(),
        nn.Linear(8, 1),
    ).eval()
    keys = {"components": COMPONENTS, "t_r": 2.0, "n_windows": WINDOWS, "seed": 1}
    few, many = (explain(network, series, n_steps=n, **keys) for n in (2, 256))  # type: ignore[arg-type]
    with torch.no_grad():
        predicted = network(torch.from_numpy(series)).squeeze(1).double().numpy()
        silent = float(network(torch.zeros(1, CHANNELS, TIMES)))
    missing = few.maps.gradients.components.sum(axis=1) - (predicted - silent)
    np.testing.assert_allclose(few.maps.completeness_error, missing, atol=1e-12)
    assert few.maps.completeness.mean == pytest.approx(abs(missing).mean())
    assert few.maps.completeness.highest == pytest.approx(abs(missing).max())
    assert few.maps.completeness.relative == pytest.approx(abs(missing).mean() / abs(predicted - silent).mean())
    assert many.maps.completeness.mean < few.maps.completeness.mean / 10
    assert any("n_steps, which is 2" in note for note in few.notes)
    assert not any("n_steps" in note for note in many.notes)


def test_gradients_do_not_depend_on_the_other_participants(
    series: NDArray[np.float32], edges: NDArray[np.intp]
) -> None:
    many = np.concatenate([series, series[::-1]])  # more than are held at every time point
    found = integrated_gradients(Power(), many, edges)
    np.testing.assert_allclose(found.map[:N], found.map[N:][::-1], rtol=1e-6)


def test_a_summary_is_mean_size_and_spread_over_participants_with_intervals() -> None:
    effects = np.random.default_rng(5).normal([2.0, -1.0], [0.5, 3.0], size=(40, 2))
    first, second = summarise(effects, n_resamples=150, seed=9)
    drawn = [effects[who] for who in np.random.default_rng(9).integers(40, size=(150, 40))]
    for k, summary in enumerate((first, second)):
        for estimate, statistic in (
            (summary.mean, lambda sample: sample.mean()),
            (summary.absolute, lambda sample: np.abs(sample).mean()),
            (summary.spread, lambda sample: sample.std(ddof=1)),
        ):
            assert estimate.value == pytest.approx(statistic(effects[:, k]), abs=1e-10)
            low, high = np.quantile([statistic(sample[:, k]) for sample in drawn], [0.025, 0.975])
            assert (estimate.low, estimate.high) == (pytest.approx(low), pytest.approx(high))


@pytest.mark.more
def test_one_participant_has_effects_but_no_spread_and_no_intervals(
    series: NDArray[np.float32], tmp_path: Path
) -> None:
    found = explained(Power(), series[:1])
    table = found.component_table()
    assert table["occlusion_spread"].isna().all()
    assert table["occlusion_mean_low"].isna().all()
    size = np.abs([0.0, 3.0, -1.0, 0.5]) * (series[0] ** 2).mean(axis=1)
    assert found.order == np.argsort(-size).tolist()
    assert component_rows(found)[0][1] == "occlusion, size"
    assert any("too few for intervals" in note for note in found.notes)
    write_report(tmp_path, explanation_page(found, [], title="One", points="all"))
    assert (tmp_path / "figures" / "components.png").is_file()


def test_rank_correlations_are_spearmans() -> None:
    assert rank_correlation(np.array([1.0, 5.0, 2.0]), np.array([10.0, 12.0, 11.0])) == pytest.approx(1)
    # Ranks 1 2 3 4 and 2 1 4 3: 1 - 6 * 4 / (4 * 15).
    assert rank_correlation(np.arange(4.0), np.array([2.0, 1.0, 4.0, 3.0])) == pytest.approx(0.6)
    assert np.isnan(rank_correlation(np.arange(4.0), np.ones(4)))


@pytest.mark.usefixtures("undrawn")
def test_components_keep_their_numbers(series: NDArray[np.float32], tmp_path: Path) -> None:
    found = explained(Power(), series)
    assert found.component_table()["component"].tolist() == [1, 2, 3, 5]
    assert found.map_table()["component"].tolist() == [1, 1, 1, 2, 2, 2, 3, 3, 3, 5, 5, 5]
    assert found.map_table()["end"].tolist()[:3] == [8.0, 14.0, 22.0]  # points times the repetition time
    assert found.time_table()["begin"].tolist() == [0.0, 8.0, 14.0]
    names = [f"{method}_{number}" for method in ("occlusion", "gradients") for number in COMPONENTS]
    assert found.participants_table().columns.tolist() == ["row", "predicted_age", "completeness_error", *names]
    assert found.arrays()["components"].tolist() == list(COMPONENTS)
    # Powers weigh 0, 3, -1, 0.5, so the first component is the last, whatever the others' powers are.
    assert [row[0] for row in component_rows(found)[1]][-1] == "1"
    html = write_report(tmp_path, explanation_page(found, [], title="Four", points="all")).read_text()
    assert ">5</td>" in html and ">4</td>" not in html


def test_channels_without_a_number_are_refused(series: NDArray[np.float32]) -> None:
    with pytest.raises(ValueError, match="`components` must name 4 channels, but got 3"):
        explain(Linear(), series, components=(1, 2, 3), t_r=2.0, n_windows=2, n_steps=4, seed=1)


def test_random_weights_have_the_trained_ones_mean_and_sd_and_come_from_the_seed() -> None:
    network = nn.Sequential(nn.Linear(200, 100), nn.BatchNorm1d(100))
    with torch.no_grad():
        network[0].weight.mul_(3).add_(0.5)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    one, same, other = (randomised(network, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name]), "the trained network is changed"
    drawn = one.state_dict()["0.weight"]
    assert drawn.mean().item() == pytest.approx(0.5, abs=0.01)
    assert drawn.std().item() == pytest.approx(before["0.weight"].std().item(), rel=0.02)
    assert abs(np.corrcoef(drawn.flatten(), before["0.weight"].flatten())[0, 1]) < 0.03
    assert torch.equal(drawn, same.state_dict()["0.weight"])
    assert not torch.equal(drawn, other.state_dict()["0.weight"])


def test_maps_of_a_network_that_learned_something_are_not_those_of_random_weights(series: NDArray[np.float32]) -> None:
    found = explained(Linear(), series)
    assert found.randomisation.alike is False
    assert abs(found.randomisation.maps.mean or 0) < 0.3
    assert dict(check_rows(found)[1])["maps with random weights"] == "different"


@pytest.mark.usefixtures("undrawn")
def test_maps_that_do_not_depend_on_the_weights_fail_the_check_and_say_so(
    series: NDArray[np.float32], tmp_path: Path
) -> None:
    found = explained(Weightless(), series)
    assert found.randomisation.alike is True
    assert found.randomisation.maps.mean == pytest.approx(1, abs=0.01)
    assert found.randomisation.occlusion.low == pytest.approx(1)
    assert dict(check_rows(found)[1])["maps with random weights"] == "similar"
    html = write_report(tmp_path, explanation_page(found, [], title="Alike", points="none")).read_text()
    assert 'class="notice"' in html and "Do not interpret them" in html


def test_maps_that_shuffled_ages_give_too_are_not_to_be_interpreted(
    series: NDArray[np.float32], edges: NDArray[np.intp]
) -> None:
    found = explained(Linear(), series)
    same = compare_maps([Linear()], series, edges, found.maps)
    assert same.n_draws == 1 and same.occlusion.mean == pytest.approx(1) and same.maps.mean == pytest.approx(1)
    assert "trained on shuffled ages gives similar maps" in shuffled_caveats(same)[0]
    other = compare_maps([randomised(Linear(), torch.Generator().manual_seed(3))], series, edges, found.maps)
    assert other.alike is False and shuffled_caveats(other) == []
    rows = dict(check_rows(replace(found, shuffled=same, shuffled_epochs=3, others=other))[1])
    assert rows["maps with shuffled ages"] == "similar"
    assert rows["shuffled ages (3 epochs), maps of gradients"] == "ρ = 1.00"


def test_the_same_seed_gives_the_same_numbers_and_another_seed_other_draws(series: NDArray[np.float32]) -> None:
    network = Linear()
    state = torch.get_rng_state()
    one, same, other = (explained(network, series, seed=seed) for seed in (5, 5, 6))
    assert torch.equal(torch.get_rng_state(), state), "the global generator is drawn from"
    assert one.facts() == same.facts()
    assert one.component_table().equals(same.component_table())
    assert one.facts()["randomisation"] != other.facts()["randomisation"]
    np.testing.assert_array_equal(one.maps.gradients.map, other.maps.gradients.map)


@pytest.mark.usefixtures("undrawn")
def test_points_none_omits_single_participants(series: NDArray[np.float32], tmp_path: Path) -> None:
    found = explained(Linear(), series)
    shown = {}
    for points in ("all", "none"):
        write_report(tmp_path / points, explanation_page(found, [("run", "R")], title="T", points=points))
        shown[points] = {path.stem for path in (tmp_path / points / "figures").iterdir()}
    assert shown["none"] == {"components", "component-time", "time"}
    assert shown["all"] - shown["none"] == {"participants", "single-maps"}
    assert "row 1" not in (tmp_path / "none" / "report.html").read_text()


@pytest.mark.usefixtures("undrawn")
def test_names_on_the_page_are_text(series: NDArray[np.float32], tmp_path: Path) -> None:
    page = explanation_page(explained(Linear(), series), [("run", "<script>x</script>")], title="<b>", points="all")
    html = write_report(tmp_path, page).read_text()
    assert "<script" not in html and "<b>" not in html and "&lt;b&gt;" in html


def test_the_lead_has_the_sd_of_the_first_component(series: NDArray[np.float32]) -> None:
    found = explained(Power(), series)
    sd = found.maps.occlusion.components[:, found.order[0]].std(ddof=1)
    assert f"an SD of {sd:.2f} (" in lead(found)[0]


class Counting(nn.Module):
    """Counts the series that it has predicted."""

    n_seen = 0

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3 * 40, 1)

    def forward(self, series: Tensor) -> Tensor:
        Counting.n_seen += len(series)
        predicted: Tensor = self.linear(series.flatten(1))
        return predicted


def test_the_expected_duration_is_that_of_the_measured_batches(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The clock counts series, so that the expected seconds are those that will be predicted."""
    monkeypatch.setattr("brainage.explanation.duration.time.perf_counter", lambda: float(Counting.n_seen))
    series = np.random.default_rng(3).normal(size=(20, 3, 40)).astype(np.float32)
    network, edges = Counting().eval(), window_edges(40, 10)
    expected = expected_seconds(network, series, edges, n_steps=32)
    monkeypatch.undo()
    Counting.n_seen = 0
    caplog.set_level("INFO", "brainage")
    explain(network, series, components=[1, 2, 3], t_r=None, n_steps=32, seed=1)
    assert expected == pytest.approx(Counting.n_seen, rel=0.15)
    assert caplog.messages[0].startswith("Explaining the predictions of 20 participants takes about ")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (89, "89 s"), (150, "2 min"), (5399, "90 min"), (9000, "2.5 h")]
)
def test_durations_in_words(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_components_are_ranked_by_the_correlation_of_their_effect_with_age() -> None:
    rng = np.random.default_rng(0)
    many = (rng.normal(size=(40, CHANNELS, TIMES)) * rng.gamma(4, size=(40, CHANNELS, 1))).astype(np.float32)
    found = explained(Power(), many)
    effects = found.maps.occlusion.components
    assert found.order == [1, 2, 3, 0]  # by SD
    # Age goes with the effect of the third, and falls as it grows; the first has no effect.
    ages = 60 - 5 * effects[:, 3] / effects[:, 3].std() + rng.normal(0, 0.1, 40)
    ranked = replace(found, ages=ages)
    expected = np.abs([0.0, *(np.corrcoef(effect, ages)[0, 1] for effect in effects[:, 1:].T)])
    table = ranked.component_table()
    assert table["occlusion_r_age"].fillna(0).abs().tolist() == pytest.approx(expected.tolist(), abs=1e-10)
    assert ranked.order == np.argsort(-expected).tolist() and ranked.order[0] == 3
    header, rows = component_rows(ranked)
    assert header[1] == "r with age, occlusion" and rows[0][1].startswith("-1.00 (")
    # Nineteen known ages are too few.
    few = replace(found, ages=np.where(np.arange(40) < 19, ages, np.nan))
    assert few.order == found.order and "occlusion_r_age" not in few.component_table()
