"""CloudWatch Logs' filter patterns: AWS's own examples, and what is refused."""

from __future__ import annotations

import contextlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotlight_gateway.logs.filter_pattern import FilterPatternError, compile_filter

JSON = json.dumps(
    {
        "eventType": "UpdateTrail",
        "sourceIPAddress": "111.111.111.111",
        "arrayKey": ["value", "another value"],
        "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}],
        "SomeObject": None,
        "ThisFlag": True,
        "ms": 15,
        "a b": "spaced",
    }
)
ACCESS = '127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'


@pytest.mark.parametrize(
    ("pattern", "line", "wanted"),
    [
        ("", "anything", True),
        ("ERROR", "[ERROR 400] BAD REQUEST", True),
        ("ERROR", "an error", False),
        ("ERROR ARGUMENTS", "[ERROR] INVALID ARGUMENTS", True),
        ("ERROR ARGUMENTS", "[ERROR] UNAUTHORIZED", False),
        ("?ERROR ?ARGUMENTS", "INVALID ARGUMENTS", True),
        ("?ERROR ?ARGUMENTS", "fine", False),
        ("ERROR ?ARGUMENTS", "ERROR alone", True),  # beside others a ? is ignored
        ('"INTERNAL SERVER ERROR"', "[ERROR 500] INTERNAL SERVER ERROR", True),
        ('"INTERNAL SERVER ERROR"', "INTERNAL ERROR of a SERVER", False),
        ("ERROR -ARGUMENTS", "[ERROR] INVALID ARGUMENTS", False),
        ("ERROR -ARGUMENTS", "[ERROR] UNAUTHORIZED", True),
        (r'"say \"so\""', 'they say "so"', True),
        ('{ $.eventType = "UpdateTrail" }', JSON, True),
        ('{ $.eventType = "UpdateTrail" }', f"x{JSON}", False),
        ("{ $.sourceIPAddress = 111.111.* }", JSON, True),
        ("{ $.sourceIPAddress != 123.123.* }", JSON, True),
        ("{ $.nowhere != 123.123.* }", JSON, False),
        ('{ $.arrayKey[0] = "value" }', JSON, True),
        ("{ $.objectList[1].id = 2 }", JSON, True),
        ("{ $.objectList[*].id = 2 }", JSON, True),
        ("{ $.SomeObject IS NULL }", JSON, True),
        ("{ $.SomeOtherObject NOT EXISTS }", JSON, True),
        ("{ $.ThisFlag IS TRUE }", JSON, True),
        ("{ $.ThisFlag IS FALSE }", JSON, False),
        ("{ $.ms >= 15 && ($.ms < 1e2 || $.nowhere = 1) }", JSON, True),
        ("{ $.ms = 15 && $.eventType = Other }", JSON, False),
        ('{ $["a b"] = spaced }', JSON, True),
        ("{ $.ms > 99999999999999999999 }", JSON, False),
        ("[ip, user, username, timestamp, request, status=4*, bytes]", ACCESS, True),
        ("[ip, user, username, timestamp, request, status=4*, bytes>2000]", ACCESS, False),
        ("[ip!=127.*, ...]", ACCESS, False),
        ("[..., status=404, bytes]", ACCESS, True),
        ("[w1=a* || w1=b*, w2]", "beta two", True),
        ("[w1, w2]", "one two three", False),
    ],
)
def test_lines_are_wanted_as_aws_says(pattern: str, line: str, *, wanted: bool) -> None:
    """The examples of its guide among them."""
    assert compile_filter(pattern)(line) is wanted


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("{ $.a = }", "a value is expected after ="),
        ("{ $.a", "ends with }"),
        ('"open', "is a quote missing"),
        ("{ a = 1 }", "a path that begins with \\$"),
        ("{ $.a = 1 $.b }", "'\\$.b' is too much"),
        ("[a, b", "ends with \\]"),
        ("[a, ..., b, ...]", "may stand once"),
        ("%[0-9]+%", "regular expressions"),
        ("{ $.a = %x% }", "regular expressions"),
        ("{ $.a < x }", "a number is expected after <"),
        ("{ $.a IS maybe }", "NULL, TRUE or FALSE"),
        ("{ ($.a = 1 }", r"a \) is missing"),
        ("{" + "(" * 500 + "$.a = 1" + ")" * 500 + "}", "nested"),
        ("{}", "a path that begins"),
    ],
)
def test_what_cannot_be_read_is_named(pattern: str, says: str) -> None:
    with pytest.raises(FilterPatternError, match=says):
        compile_filter(pattern)


SIGNS = st.sampled_from('{}[]()$.a"0=<>!&|*? -%,')


@given(st.text(SIGNS, max_size=60), st.text(max_size=40))
def test_no_pattern_fails_otherwise(pattern: str, line: str) -> None:
    with contextlib.suppress(FilterPatternError):
        compile_filter(pattern)(line)
        compile_filter(pattern)(json.dumps({"a": line}))


def test_no_pattern_takes_long() -> None:
    """One pattern of a tenant is asked of every line of a group."""
    matches = compile_filter("{ $.a = " + "*a" * 400 + "*b }")
    began = time.process_time()
    assert not matches(json.dumps({"a": "a" * 100_000}))
    assert time.process_time() - began < 1.0
