"""Requests are counted by what answered, by method and by status, so that 5xx can be alarmed on."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest

from pilotlight_gateway.metrics import Metrics
from tests.support.http_client import fetch

if TYPE_CHECKING:
    from tests.support.gateway import GatewayHarness

FUNCTIONS = "/2015-03-31/functions"


def count(platform: GatewayHarness, handler: str, method: str, status: str) -> float:
    """Read the counter."""
    labels = {"handler": handler, "method": method, "status": status}
    registry = platform.gateway.services.metrics.registry
    return registry.get_sample_value("pilotlight_http_requests_total", labels) or 0.0


@pytest.mark.parametrize(
    ("method", "target", "counted", "status"),
    [
        ("GET", f"{FUNCTIONS}/", ("api", "GET"), 200),
        ("GET", f"{FUNCTIONS}/nobody", ("api", "GET"), 404),
        ("POST", "/-/nowhere", ("api", "POST"), 404),
        ("PROPFIND", "/-/nowhere", ("api", "other"), 404),
        ("GET", "/-/fn/000000000000/nobody/", ("site", "GET"), 403),
    ],
)
def test_each_request_is_counted_once(
    platform: GatewayHarness, method: str, target: str, counted: tuple[str, str], status: int
) -> None:
    hundreds = f"{status // 100}xx"
    before = count(platform, *counted, hundreds)
    assert fetch(platform.port, target, method=method).status == status
    assert count(platform, *counted, hundreds) == before + 1


def test_a_failure_of_the_platform_is_a_5xx(platform: GatewayHarness) -> None:
    """Whatever breaks inside, the client gets an error and the operator a count."""
    before = count(platform, "api", "GET", "5xx")
    broken = "pilotlight_gateway.apis.lambda_.functions.paged"
    with patch(broken, side_effect=RuntimeError("broken")):
        assert fetch(platform.port, f"{FUNCTIONS}/").status == 500
    assert count(platform, "api", "GET", "5xx") == before + 1


def test_a_method_that_nobody_knows_gets_no_series_of_its_own() -> None:
    metrics = Metrics()
    for number in range(20):
        metrics.answered_http("api", f"METHOD-{number}", 404)
    labels = {"handler": "api", "method": "other", "status": "4xx"}
    assert metrics.registry.get_sample_value("pilotlight_http_requests_total", labels) == 20
