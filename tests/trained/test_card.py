"""The model card: every known fact is on it, and unknown facts are named as unknown."""

from __future__ import annotations

from brainage.evaluation.gap import Correction
from brainage.evaluation.training_stats import Spread
from brainage.trained.card import model_card
from tests.trained.networks import constant

METRICS = {"mae": 4.126, "rmse": 5.0, "r2": 0.5, "pearson_r": None}
FACTS = {
    "metrics": {"test": METRICS},
    "n": {"train": 60, "val": 8, "test": 12},
    "baseline": {"test": {"mae": 6.789}},
    "versions": {"torch": "2.0"},
    "commit": "abc123",
}


def row(card: str, first: str) -> list[str]:
    (line,) = [line for line in card.splitlines() if line.startswith(f"| {first} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_card_of_a_run_has_its_participants_accuracy_and_versions() -> None:
    ages = Spread(60, 61.25, 7.0, 45.0, 80.0)
    config = {"cohort": {"name": "ukb", "include": "sex == 'F'"}}
    card = model_card(constant(60.0, ages=ages, facts=FACTS), config)
    for fact in (
        "ukb",
        "sex == 'F'",
        "N = 60",
        "61.2 ± 7.0 years",
        "5th to 95th percentile 45 to 80",
        "6.79",
        "abc123",
        "torch 2.0",
    ):
        assert fact in card, fact
    assert row(card, "test") == ["test", "12", "4.13", "5.00", "0.50", "-"]
    assert row(card, "val") == ["val", "8", "-", "-", "-", "-"]


def test_the_card_counts_weights_without_counters_of_batches() -> None:
    network = constant(60.0)
    # Kernels of 5 points, 3-32-64-128-256 components, each with biases; then 256 features x positions, and a bias.
    convolutions = sum(5 * a * b + b for a, b in ((3, 32), (32, 64), (64, 128), (128, 256)))
    last = network.weights["decoder.0.weight"].numel() + 1
    assert f"{convolutions + last:,} numbers" in model_card(network, {})


def test_an_imported_network_has_unknown_facts() -> None:
    card = model_card(constant(60.0, facts={"imported_from": "best.ckpt"}), {})
    assert "`best.ckpt`" in card
    assert "training participants: not known" in card
    assert "## Accuracy\n\nUnknown." in card
    assert "None. No reason." in card


def test_the_card_has_the_formula_of_the_correction() -> None:
    fit = Correction("linear", intercept=6.0, slope=-0.125, n=25, fitted_on="validation", people="")
    assert "gap - (6.000 + -0.1250 x age)" in model_card(constant(60.0, correction=fit), {})
    fit = Correction("cole", intercept=30.0, slope=0.5, n=25, fitted_on="validation", people="")
    card = model_card(constant(60.0, correction=fit), {})
    assert "(predicted age - 30.000) / 0.5000 - age" in card
    assert "25 validation participants" in card
    fit = Correction("crossfit", intercept=6.0, slope=-0.125, n=40, fitted_on="held-out", people="")
    card = model_card(constant(60.0, correction=fit), {})
    assert "`crossfit`, fitted on 40 held-out participants: corrected gap = gap - (6.000 + -0.1250 x age)" in card
