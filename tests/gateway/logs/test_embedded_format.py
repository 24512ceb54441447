"""What a line in CloudWatch's embedded metric format measures."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from hypothesis import given
from hypothesis import strategies as st

from pilotlight_gateway.logs.embedded_format import EmbeddedFormatError, Measurement, read


def line(directive: Any, **root: Any) -> str:
    return json.dumps({"_aws": {"Timestamp": 1, "CloudWatchMetrics": [directive]}, **root})


def directive(*names: str, dimensions: Any = (("service",),)) -> dict[str, Any]:
    return {
        "Namespace": "shop",
        "Dimensions": dimensions,
        "Metrics": [{"Name": name, "Unit": "Count"} for name in names],
    }


def test_what_powertools_prints_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = EphemeralMetrics(namespace="shop", service="orders")
    metrics.add_metric("Orders", MetricUnit.Count, 1)
    metrics.add_metric("Orders", MetricUnit.Count, 2)
    metrics.add_metric("Latency", MetricUnit.Milliseconds, 12.5)
    metrics.flush_metrics()
    found = read(capsys.readouterr().out.strip())
    assert found == [
        Measurement("shop", "Orders", "Count", (("dimension_service", "orders"),), [1.0, 2.0]),
        Measurement("shop", "Latency", "Milliseconds", (("dimension_service", "orders"),), [12.5]),
    ]


def test_each_set_of_dimensions_is_a_series_and_none_is_one_too() -> None:
    sets = [["service"], ["service", "api-version"], []]
    text = line(directive("n", dimensions=sets), service="a", n=3, **{"api-version": "v1"})
    assert [one.dimensions for one in read(text)] == [
        (("dimension_service", "a"),),
        (("dimension_api_version", "v1"), ("dimension_service", "a")),
        (),
    ]
    assert [one.dimensions for one in read(line(directive("n", dimensions=[]), n=3))] == [()]


def test_what_nodes_console_says_is_read_behind_its_prefix() -> None:
    """In its text format; its JSON format makes one text of a document, on AWS as well."""
    text = line(directive("n"), service="a", n=3)
    prefix = "2026-11-29T17:02:50.505Z\t1ac0cee0-e964-410d-af70-ca1f5153e172\tINFO\t"
    assert read(prefix + text) == read(text) != []
    assert read(json.dumps({"level": "INFO", "message": text})) == []
    assert read(prefix + prefix + text) == []


@pytest.mark.parametrize(
    "text",
    [
        "hello", "{", '{"message": "no"}', '{"said": "\\"CloudWatchMetrics\\""}',
        '{"_aws": 1, "a": "CloudWatchMetrics"}', '{"CloudWatchMetrics": []}', "",
        '{"_aws": {"CloudWatchMetrics": []}}', 'WARN {"_aws": {"CloudWatchMetrics": [{}]}}',
    ],
)  # fmt: skip
def test_any_other_line_measures_nothing(text: str) -> None:
    assert read(text) == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (line({}), "Namespace must be text"),
        (line([]), "a metric directive must be an object"),
        ('{"_aws": {"CloudWatchMetrics": {}}}', "CloudWatchMetrics must be a list"),
        (line(directive("n"), service="a"), "'n' must be a number"),
        (line(directive("n"), service="a", n="3"), "'n' must be a number"),
        (line(directive("n"), service="a", n=True), "'n' must be a number"),
        (line(directive("n"), service="a", n=[1, None]), "'n' must be a number"),
        (line(directive("n"), service="a", n=[]), "1 to 100 values"),
        (line(directive("n"), service="a", n=[1] * 101), "1 to 100 values"),
        (line(directive("n"), n=1), "the dimension 'service' must be text"),
        (line(directive("n"), n=1, service=7), "the dimension 'service' must be text"),
        (line(directive("n"), n=1, service="x" * 1025), "1 to 1024 characters"),
        (line(directive(*map(str, range(101))), service="a", **dict.fromkeys(
            map(str, range(101)), 1)), "more than 100 metrics"),
        (line(directive("n", dimensions=[[f"d{i}" for i in range(31)]]), n=1), "more than 30"),
        (line(directive("n", dimensions=["service"]), n=1, service="a"), "must be a list"),
        (line(directive("n", dimensions=[["a-b", "a.b"]]), n=1, **{"a-b": "1", "a.b": "2"}),
         "two dimensions are dimension_a_b"),
        (line(directive("n", dimensions=[["a", "b", "c"]]), n=1, **dict.fromkeys(
            "abc", "x" * 1000)), "too long"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_says_why(text: str, why: str) -> None:
    with pytest.raises(EmbeddedFormatError, match=why):
        read(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Namespace", "Dimensions", "Metrics", "Name", "Unit", "n"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(JSON, JSON)
def test_nothing_that_a_function_prints_breaks_it(directives: Any, value: Any) -> None:
    text = json.dumps({"_aws": {"CloudWatchMetrics": directives}, "n": value})
    try:
        found = read(text)
    except EmbeddedFormatError:
        return
    assert all(sum(one.values) is not None for one in found)
