"""Numbers, intervals and p values as text."""

import pytest

from brainage.evaluation.intervals import Estimate
from brainage.reporting.text import number, p_phrase, p_text, percent, signed_interval, slug, with_interval


@pytest.mark.parametrize(("value", "text"), [(None, "-"), (3.14159, "3.14"), (-0.001, "0.00"), (-1.5, "-1.50")])
def test_numbers_have_two_decimals_and_no_negative_zero(value: float | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (float("nan"), "-"), (0.0004, "< 0.001"), (0.001, "0.001"), (0.25, "0.250")]
)
def test_p_values_have_three_decimals_down_to_a_thousandth(value: float | None, text: str) -> None:
    assert p_text(value) == text


def test_a_p_value_in_a_sentence_has_one_sign() -> None:
    assert (p_phrase(0.0001), p_phrase(0.5)) == ("p < 0.001", "p = 0.500")


def test_an_estimate_without_interval_is_a_number_alone() -> None:
    assert with_interval(Estimate(1.0)) == "1.00"
    assert with_interval(Estimate(1.0, 0.5, 1.5)) == "1.00 (0.50 to 1.50)"


def test_differences_have_signs() -> None:
    assert signed_interval(Estimate(0.25, -0.5, 1.0)) == "+0.25 (-0.50 to +1.00)"
    assert signed_interval(Estimate(None)) == "-"


def test_shares_are_whole_percents() -> None:
    assert (percent(0.256), percent(None)) == ("26%", "-")


def test_names_of_files_have_letters_digits_and_hyphens_only() -> None:
    assert (slug("Body mass (kg/m²)"), slug("???")) == ("body-mass-kg-m", "unnamed")
