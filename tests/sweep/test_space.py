import re

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from brainage.config.overrides import as_overrides, quote_words
from brainage.errors import SweepError
from brainage.sweep.space import corners, parse_space, refuse_other_values


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("range(2,16)", IntDistribution(2, 15)),
        ("range(2,16,3)", IntDistribution(2, 14, step=3)),
        ("range(9,2,-2)", IntDistribution(3, 9, step=2)),
        ("tag(log,range(1,129))", IntDistribution(1, 128, log=True)),
        ("range(0.0,0.5,0.1)", FloatDistribution(0.0, 0.4, step=0.1)),
        ("interval(1,5)", FloatDistribution(1.0, 5.0)),
        ("int(interval(1,5))", IntDistribution(1, 5)),
        ("tag(log,interval(1e-6,1e-2))", FloatDistribution(1e-6, 1e-2, log=True)),
        ("tag(log,int(interval(1,128)))", IntDistribution(1, 128, log=True)),
        ("choice(8,16)", CategoricalDistribution([8, 16])),
        ("8,16", CategoricalDistribution([8, 16])),
        ("null,3", CategoricalDistribution([None, 3])),
        ("choice(null,3)", CategoricalDistribution([None, 3])),
        ("choice(null,'null')", CategoricalDistribution([None, "null"])),
        ("choice(true,false)", CategoricalDistribution([True, False])),
        ("choice(adam,'a b')", CategoricalDistribution(["adam", "a b"])),
    ],
)
def test_hydras_overrides_are_optunas_distributions(text: str, expected: object) -> None:
    assert parse_space({"a.b": text}, []).distributions == {"a.b": expected}
    assert parse_space({}, quote_words([f"a.b={text}"])).distributions == {"a.b": expected}


def test_an_override_fixes_a_parameter_and_a_sweep_override_changes_its_range() -> None:
    params = {"model.start_out": "choice(8,16)", "model.kernel_size": "range(2,16)", "optimizer.lr": "interval(0,1)"}
    words = ["modality=ica25", "model.start_out=8", "model.kernel_size=range(3,8)"]
    space = parse_space(params, words)
    assert space.distributions == {
        "model.kernel_size": IntDistribution(3, 7),
        "optimizer.lr": FloatDistribution(0.0, 1.0),
    }
    assert space.fixed == ("modality=ica25", "model.start_out=8")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("range(5,2)", r"`a.b` must be a range with a value, but got range\(5,2,1\).*Swap its ends"),
        ("range(5,5)", r"`a.b` must be a range with a value"),
        ("interval(5,2)", r"`low <= high` must hold for `a.b`, but got interval\(5.0,2.0\)\. Swap its ends"),
        ("tag(log,interval(0,1))", r"`a.b` must be above 0 to be searched logarithmically, but begins at 0\."),
        ("tag(log,range(0,4))", r"`a.b` must be above 0 to be searched logarithmically, but begins at 0\."),
        ("tag(log,range(1,9,2))", r"`a.b` must have the step 1 where it is a log range, but got 2"),
        ("tag(lg,interval(1,2))", r"`a.b` may have the tag `log`, but got lg"),
        ("choice(1,1)", r"`a.b` must be a choice of different values, but got \[1, 1\]"),
        ("choice([1,2],3)", r"`a.b` must be a choice of numbers, words, true, false and null, but got `\[1, 2\]`"),
        ("choice()", r"`hydra.sweeper.params.a.b` cannot be read: .*empty choice"),
        ("interval(a,2)", r"`hydra.sweeper.params.a.b` cannot be read"),
        (
            "8",
            r"`hydra.sweeper.params.a.b` must be choice\(\), range\(\) or interval\(\), but got `8`\. To fix a value",
        ),
    ],
)
def test_an_invalid_space_is_refused(text: str, message: str) -> None:
    with pytest.raises(SweepError, match=message):
        parse_space({"a.b": text}, [])


def test_a_sweep_in_which_all_is_fixed_is_refused() -> None:
    with pytest.raises(SweepError, match=r"must name at least one parameter to search"):
        parse_space({"model.depth": "range(1,3)"}, ["model.depth=2"])


@pytest.mark.parametrize("value", [True, False, 3, 1e-05, 0.1, "adam", "a b", "it's", "x=1,2", "true", "3", "a/b"])
def test_hydras_grammar_parses_a_quoted_value_as_it_was(value: object) -> None:
    (word,) = as_overrides({"a.b": value})
    parsed = OverridesParser.create().parse_override(word).value()
    found = getattr(parsed, "text", parsed)
    assert found == value
    assert type(found) is type(value)


def test_corners_contain_every_extreme_and_every_choice() -> None:
    space = parse_space({"a": "range(2,9)", "b": "choice(x,y,z)", "c": "interval(0,1)"}, [])
    points = list(corners(space))
    assert {point["a"] for point in points} == {2, 8}
    assert {point["b"] for point in points} == {"x", "y", "z"}
    assert {point["c"] for point in points} == {0.0, 1.0}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("c", 1),
        ("a", 1.5),
        ("a", 4.5),
        ("a", float("nan")),
        ("a", "${oc.env:HOME}"),
        ("a", True),
        ("a", None),
        ("b", 1),
        ("b", "torch.load"),
    ],
)
def test_a_stored_value_that_is_not_searched_is_refused(key: str, value: object) -> None:
    space = parse_space({"a": "interval(2,4)", "b": "choice(true,x,null)"}, ()).distributions
    for b in (True, "x", None):
        refuse_other_values(1, {"a": 2.0, "b": b}, space)
    with pytest.raises(SweepError, match=rf"Trial 1 .*`{key}={re.escape(str(value))}`.*hydra.sweeper.study_name=NAME"):
        refuse_other_values(1, {key: value}, space)
