"""Metrics that functions print, on the page of metrics, within bounds."""

from __future__ import annotations

import json

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from pilotlight.storage import LogLine
from pilotlight_gateway.invocation.dispatch.log_sink import LogSink
from pilotlight_gateway.logs import embedded_metrics
from pilotlight_gateway.logs.embedded_metrics import IDLE_SECONDS, EmbeddedMetrics
from tests.support.gateway import MemoryLogs


class Page:
    """A gateway's metrics, and the clock that they are counted by."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.registry = CollectorRegistry()
        self.metrics = EmbeddedMetrics(self.registry, lambda: self.now)

    def print(self, message: str, function: str = "orders", namespace: str = "default") -> None:
        self.metrics.take([LogLine(1.0, namespace, function, "s", "r", message)])

    def measure(self, customer: str, *values: float, function: str = "orders") -> None:
        self.print(measured(customer, *values), function)

    def refused(self, function: str, reason: str) -> float | None:
        labels = {"namespace": "default", "function": function, "reason": reason}
        return self.registry.get_sample_value("pilotlight_embedded_metrics_refused_total", labels)

    def customers(self, function: str = "orders") -> set[str]:
        [family] = self.metrics.collect()
        return {
            one.labels["dimension_customer"]
            for one in family.samples
            if one.labels["function"] == function
        }


def measured(customer: str, *values: float) -> str:
    definition = {
        "Namespace": "shop", "Dimensions": [["customer"]],
        "Metrics": [{"Name": "Latency", "Unit": "Milliseconds"}],
    }  # fmt: skip
    aws = {"Timestamp": 1, "CloudWatchMetrics": [definition]}
    return json.dumps({"_aws": aws, "customer": customer, "Latency": list(values)})


@pytest.fixture
def page() -> Page:
    return Page()


def test_values_are_counted_and_summed_by_what_the_function_says(page: Page) -> None:
    page.measure('a"b\n', 10, 20)
    page.measure('a"b\n', 30.5)
    families = text_string_to_metric_families(generate_latest(page.registry).decode())
    [family] = [one for one in families if one.name == "pilotlight_embedded_metric"]
    labels = {
        "namespace": "default", "function": "orders", "metric_namespace": "shop",
        "metric": "Latency", "unit": "Milliseconds", "dimension_customer": 'a"b\n',
    }  # fmt: skip
    assert family.type == "summary"
    assert [(one.name, one.labels, one.value) for one in family.samples] == [
        ("pilotlight_embedded_metric_count", labels, 3),
        ("pilotlight_embedded_metric_sum", labels, 60.5),
    ]


def test_a_line_that_cannot_be_read_is_counted_and_changes_nothing(page: Page) -> None:
    page.print('{"_aws": {"CloudWatchMetrics": [{}]}}')
    page.print("just a line")
    assert page.refused("orders", "invalid") == 1
    assert not page.customers()


def test_series_are_bounded_for_each_function(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_metrics, "MOST_OF_FUNCTION", 2)
    for customer in ("a", "b", "c", "a"):
        page.measure(customer, 1)
    page.measure("z", 1, function="other")
    assert page.customers() == {"a", "b"}
    assert page.customers("other") == {"z"}
    assert page.refused("orders", "series") == 1


def test_series_are_bounded_for_each_account(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_metrics, "MOST_OF_ACCOUNT", 2)
    for function in ("one", "two", "three"):
        page.measure("a", 1, function=function)
    page.print(measured("a", 1), "three", "another")
    assert page.refused("three", "series") == 1
    [family] = page.metrics.collect()
    assert [one.labels["function"] for one in family.samples[::2]] == ["one", "two", "three"]


def test_a_series_that_nothing_is_added_to_gives_up_its_place(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_metrics, "MOST_OF_FUNCTION", 2)
    page.measure("old", 1)
    page.measure("busy", 1)
    page.now += IDLE_SECONDS
    page.measure("busy", 1)
    page.now += 1
    page.measure("new", 1)
    assert page.customers() == {"busy", "new"}
    assert page.refused("orders", "series") is None


def test_a_function_has_so_much_time_a_second(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_metrics, "MOST_A_SECOND", 10)
    for customer in "abcdefg":
        page.measure(customer, 1)
    page.measure("z", 1, function="other")
    assert page.customers() == set("abcde")
    assert page.refused("orders", "rate") == 2
    page.now += 1
    page.measure("f", 1)
    assert page.customers() == set("abcdef")
    assert page.customers("other") == {"z"}


async def test_the_log_sink_brings_each_line_that_it_takes_once(page: Page) -> None:
    sink = LogSink(MemoryLogs())
    sink.metrics = page.metrics
    sink.add([LogLine(1.0, "default", "orders", "s", "r", measured("a", 1)) for _ in range(3)])
    await sink.flush()
    [family] = page.metrics.collect()
    assert family.samples[0].value == 3
