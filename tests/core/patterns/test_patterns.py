"""Event patterns mean what they mean to AWS: its own library's verdicts are replayed."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotlight.patterns import PatternError, compile_pattern, load_json
from pilotlight.patterns.errors import UnjudgedError
from tests.support.event_ruler import verdicts
from tests.support.pattern_pairs import pairs


def matches(pattern: Any, event: Any) -> bool:
    return compile_pattern(json.dumps(pattern)).matches(load_json(json.dumps(event)))


def verdict(pattern: str, event: str) -> bool | None:
    try:
        return compile_pattern(pattern).matches(load_json(event))
    except PatternError:
        return None


def has_ordinary_or(pattern: str) -> bool:
    return any("$or" in field for field in compile_pattern(pattern).fields)


def test_every_verdict_is_event_rulers() -> None:
    """Of 10,000 pairs; where `$or` is an ordinary field, more is understood than there."""
    said = verdicts()
    other = [(one, verdict(*one[:2])) for one in said if verdict(*one[:2]) != one[2]]
    assert [one for one, _ in other if one[2] is not None or not has_ordinary_or(one[0])] == []
    assert len(other) < 50
    counts = [sum(one[2] is kind for one in said) for kind in (True, False, None)]
    assert min(counts) > 1000
    assert sum(counts) >= 5000


def test_the_verdicts_are_of_the_pairs_that_the_generator_makes() -> None:
    """So that a change of the generator asks event-ruler anew (`make patterns`)."""
    said = verdicts()
    assert pairs(13, len(said)) == [(pattern, event) for pattern, event, _ in said]


@pytest.mark.parametrize(
    ("pattern", "event"),
    [
        ({"a": [{"cidr": "10.0.0.0/8"}]}, {"a": "a00::1"}),
        ({"a": [{"cidr": "0.0.0.0/0"}]}, {"a": 5}),
        ({"a": ["16.0.0.0", 7]}, {"a": 10000000}),
        ({"a": [{"anything-but": {"wildcard": "*b*"}}, {"equals-ignore-case": "ß"}]}, {"a": "*b*"}),
    ],
)
def test_what_event_ruler_mixes_up_is_kept_apart(pattern: Any, event: Any) -> None:
    """Numbers are no addresses, addresses of six no addresses of four, alternatives independent."""
    assert not matches(pattern, event)


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ('{"a": [1}', "Expecting ',' delimiter at line 1, column 9"),
        ("[]", "Filter is not an object"),
        ("{}", "Empty objects are not allowed at the top"),
        ('{"a": {"b": 1}}', '"b" must be an object or an array at a.b'),
        ('{"a": {"b": ["x", {"prefx": "y"}]}}', "Unrecognized match type prefx at a.b[1]"),
        ('{"a": [{"wildcard": "é**"}]}', "Consecutive wildcard characters at pos 3 at a[0]"),
        ('{"a": [{"numeric": [">", 5, "<", 5]}]}', "Bottom must be less than top at a[0]"),
        ('{"a": [{"numeric": [">"]}]}', "Value of > must be numeric at a[0]"),
        ('{"a": [{"cidr": "10.0.0.0/32"}]}', "IPv4 mask bits must be < 32 at a[0]"),
        ('{"$or": [{"a": [1]}]}', "at least 2 Objects in $or relationship at $or"),
        ('{"a": [NaN]}', "NaN is no JSON"),
    ],
)
def test_an_error_says_what_is_wrong_and_where(pattern: str, wanted: str) -> None:
    with pytest.raises(PatternError, match="Event pattern is not valid") as caught:
        compile_pattern(pattern)
    assert str(caught.value).endswith(wanted)


def test_alternatives_do_not_multiply_without_bound() -> None:
    """EventBridge's limit: 1,000 combinations of `$or`."""
    levels = {
        f"f{level}": {"$or": [{"a": [1]}, {"b": [1]}, {"c": [1]}, {"d": [1]}]} for level in range(5)
    }
    with pytest.raises(PatternError, match="more than 1000 combinations at f4"):
        compile_pattern(json.dumps(levels))
    assert compile_pattern(json.dumps({key: levels[key] for key in ["f0", "f1", "f2", "f3"]}))


def test_deep_patterns_and_events_are_no_crash() -> None:
    deep = '{"a":' * 5000 + "[1]" + "}" * 5000
    with pytest.raises(PatternError, match="too many levels"):
        compile_pattern(deep)
    event: Any = 1
    for _ in range(500):
        event = [event]
    assert compile_pattern('{"a": [1]}').matches({"a": event})


def test_long_arrays_cost_their_length_and_not_its_square() -> None:
    """What is asked of one object is looked up, not compared with each of the others."""
    asked = {"a": {"x": [1], "y": [1]}, "b": {"z": [1]}, "c": {"z": [1]}}
    pattern = compile_pattern(json.dumps(asked | {"d": {"z": [{"exists": False}]}}))
    odd_and_even = [{"x": at % 2, "y": 1 - at % 2} for at in range(8000)]
    event = {"a": odd_and_even, "b": [{"z": 1}] * 8000, "c": [{"z": 1}] * 8000}
    began = time.process_time()
    assert not pattern.matches(event)
    assert pattern.matches(event | {"a": [*odd_and_even, {"x": 1, "y": 1}]})
    assert time.process_time() - began < 5


MANY = 100_000
CHAIN = ["p" + ".m" * level for level in range(8)]
COSTLY: list[tuple[Any, Any]] = [
    ({"a": [{"prefix": str(at)} for at in range(200)]}, {"a": ["x"] * MANY}),
    # Arrays that all stay of interest to the last field: their elements would multiply.
    (
        {f"{path}.{name}": [1] for path in CHAIN for name in "az"},
        {path: [{"a": 1, "z": 1}] * 10 for path in CHAIN},
    ),
    ({"a": {"x": [1]}}, {"a": json.loads("[" * 500 + ",".join(["{}"] * MANY) + "]" * 500)}),
]


@pytest.mark.parametrize(("pattern", "event"), COSTLY, ids=["values", "arrays", "levels"])
def test_what_would_take_too_long_is_not_judged(pattern: Any, event: Any) -> None:
    """A pattern and an event of one stranger hold nobody up, nor do they fill memory."""
    compiled = compile_pattern(json.dumps(pattern))
    began = time.process_time()
    with pytest.raises(UnjudgedError):
        compiled.matches(event)
    assert time.process_time() - began < 2


def test_a_pattern_costs_its_length_and_not_its_square() -> None:
    """A field's name may have thousands of points; `$or`s may multiply what stands beside them."""
    began = time.process_time()
    compiled = compile_pattern(json.dumps({"a." * 2000 + "a": [1]}))
    assert compiled.matches({"a." * 1000 + "a": {"a." * 999 + "a": 1}})
    pattern: dict[str, Any] = {"$or": [{"a": [1]}, {"b": [1]}]}
    choices = pattern
    for _ in range(8):
        choices["x"] = {"$or": [{"a": [1]}, {"b": [1]}]}
        choices = choices["x"]
    pattern |= {f"k{at}": [1] for at in range(330)}
    with pytest.raises(PatternError, match="more than 10000 conditions at k"):
        compile_pattern(json.dumps(pattern))
    assert time.process_time() - began < 1


def test_a_long_text_costs_its_length_whatever_case_it_may_have() -> None:
    """Of a suffix the end alone is looked at, and ß is still also SS."""
    suffix = compile_pattern(json.dumps({"a": [{"suffix": {"equals-ignore-case": "x" * 2000}}]}))
    began = time.process_time()
    assert not suffix.matches({"a": "x" * 1_000_000 + "y"})
    assert suffix.matches({"a": "y" + "X" * 1_000_000})
    assert time.process_time() - began < 1
    street = {"a": [{"suffix": {"equals-ignore-case": "straße"}}]}
    assert matches(street, {"a": "BERGSTRASSE"})
    assert not matches(street, {"a": "bergstrasse"})


NAMES = ["a", "$or", "prefix", "suffix", "numeric", "anything-but", "exists", "cidr", "wildcard",
         "equals-ignore-case", "exactly"]  # fmt: skip
VALUES = (
    st.none() | st.booleans() | st.integers() | st.sampled_from(["", "=", "<", "**", "1.2.3.4/8"])
)
DOCUMENTS = st.recursive(
    VALUES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=2)
    ),
    max_leaves=12,
)


@settings(deadline=None, max_examples=500)
@given(pattern=st.dictionaries(st.sampled_from(NAMES), DOCUMENTS, max_size=2), event=DOCUMENTS)
def test_rubbish_is_a_pattern_error(pattern: Any, event: Any) -> None:
    """Whatever stands where: a verdict or PatternError, no other."""
    with suppress(PatternError):
        matches(pattern, {"a": event, "$or": event})
