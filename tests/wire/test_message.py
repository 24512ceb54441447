"""Documents of neighbouring versions are understood; what is none is refused by a field's name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotlight_wire.message import InvalidMessageError
from pilotlight_wire.report import Report
from pilotlight_wire.specialisation import MoreEnvironments, Specialisation, Specialised

LEAST: dict[str, Any] = {
    "revision": "r",
    "function": {"name": "f", "arn": "arn", "runtime": "python3.13"},
    "code": {"sha256": "0" * 64, "url": "file:///x"},
}


def test_what_a_newer_side_says_is_passed_over() -> None:
    newer = LEAST | {"colour": "blue", "function": {**LEAST["function"], "snapStart": True}}
    assert Specialisation.from_json(newer) == Specialisation.from_json(LEAST)


def test_null_is_what_is_not_said() -> None:
    said = LEAST | {"environment": None, "function": {**LEAST["function"], "memory": None}}
    assert Specialisation.from_json(said) == Specialisation.from_json(LEAST)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"revision": 7}, "revision must be of type str"),
        ({"revision": None}, "revision must be of type str"),
        ({"function": []}, "function is not a JSON object"),
        ({"function": {**LEAST["function"], "memory": "much"}}, "memory must be of type int"),
        ({"function": {**LEAST["function"], "memory": True}}, "memory must be of type int"),
        ({"code": {"sha256": "A" * 64, "url": ""}}, r"code\.sha256 must be 64"),
        ({"environment": {"A": 1}}, r"environment\.A must be of type str"),
        ({"environment": ["A"]}, "environment must be of type dict"),
        ({"environment": {"A": "\0"}}, "environment must map .* without NUL"),
        ({"credentials": {"A\0": ""}}, "credentials must map .* without NUL"),
        ({"environments": 0}, "environments must be 1 to 64"),
        ({"environments": 65}, "environments must be 1 to 64"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidMessageError, match=named):
        Specialisation.from_json(LEAST | change)


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b'"text"', b"[" * 100_000])
def test_what_is_no_document_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidMessageError, match="the body is not"):
        MoreEnvironments.parse(body)


def test_a_list_holds_documents() -> None:
    with pytest.raises(InvalidMessageError, match="environments is not a JSON object"):
        Specialised.from_json({"environments": ["e"]})


@given(st.dictionaries(st.text("ab_"), st.text().filter(lambda text: "\0" not in text)))
def test_variables_arrive_as_they_were_sent(variables: dict[str, str]) -> None:
    sent = Specialisation.from_json(LEAST | {"environment": variables})
    assert Specialisation.parse(json.dumps(sent.to_json()).encode()) == sent


def test_secrets_are_not_shown() -> None:
    secret = {"environment": {"A": "hidden"}, "credentials": {"B": "hidden"}}
    code = {**LEAST["code"], "ticket": "hidden"}
    assert "hidden" not in repr(Specialisation.from_json(LEAST | secret | {"code": code}))


@pytest.mark.parametrize("init", [None, 80.25])
def test_a_report_arrives_as_it_was_sent(init: float | None) -> None:
    report = Report(12.5, 13, 128, 31, init, "timeout")
    assert Report.decode(report.encode()) == report
    assert json.loads(report.encode()).keys() >= {"durationMs", "billedMs", "memorySizeMb"}
