"""A request's way, step by step: what each refuses, nothing behind it sees."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from multidict import CIMultiDict

from pilotlight_gateway.apis.doors import find_service
from pilotlight_gateway.apis.lambda_.inputs import assemble
from pilotlight_gateway.apis.lambda_.model import load_model
from pilotlight_gateway.apis.platform.service import HEALTH, PLATFORM
from pilotlight_gateway.apis.service import Request
from pilotlight_gateway.errors import UnknownOperationError, ValidationError
from pilotlight_gateway.exchange import Query, parse_query, refuse_repeated

if TYPE_CHECKING:
    from tests.support.gateway import GatewayHarness


@pytest.mark.parametrize(
    "path",
    [
        "/2015-03-31/functions/f/invocations?Qualifier=1&Qualifier=2",
        "/2015-03-31/functions?Marker=a&Marker=b",
        "/-/logs?function=a&function=b",
    ],
)
def test_a_parameter_with_one_value_comes_once(platform: GatewayHarness, path: str) -> None:
    """Two could mean one thing here and another where the request was checked before."""
    status, _, body = platform.get(path) if "invocations" not in path else platform.post(path)
    assert status == 400
    assert "is repeated" in json.loads(body)["message"]


def test_a_list_in_the_query_is_read_whole() -> None:
    """UntagResource names each key by a parameter of its own."""
    resource = "arn:aws:lambda:us-east-1:000000000000:function:f"
    query = Query([("tagKeys", "a"), ("tagKeys", "b")])
    route = load_model().match("DELETE", f"/2017-03-31/tags/{resource}", query)
    assert route is not None
    given = assemble(load_model(), route, query, {}, b"")
    assert given == {"Resource": resource, "TagKeys": ["a", "b"]}


def test_a_query_of_too_many_parameters_is_refused(platform: GatewayHarness) -> None:
    assert len(parse_query("&".join(f"p{n}=1" for n in range(100)))) == 100
    status, headers, body = platform.get("/2015-03-31/functions?" + "a=1&" * 101)
    assert (status, headers["x-amzn-ErrorType"]) == (400, "ValidationException")
    assert "more than 100 parameters" in json.loads(body)["message"]


def test_repeated_parameters_are_named() -> None:
    query = Query([("a", "1"), ("b", "1"), ("b", "2")])
    refuse_repeated(query, allowed=frozenset({"b"}))
    with pytest.raises(ValidationError, match="'b' is repeated"):
        refuse_repeated(query)


def test_probes_need_no_credentials_and_nothing_else_does_without(
    platform: GatewayHarness,
) -> None:
    """Packages want a ticket, roles a grant; a cluster's metrics have another port."""
    anonymous = {route.operation for route in PLATFORM._routes if route.anonymous}
    assert anonymous == {"GetLive", "GetReady", "GetMetrics", "GetArtifact", "GetRoleCredentials"}
    assert platform.get("/-/live")[0] == 200
    assert platform.get("/-/ready")[0] == 200
    status, headers, _ = platform.get(f"/-/artifacts/{'0' * 64}")
    assert (status, headers["x-amzn-ErrorType"]) == (403, "AccessDeniedException")


def test_a_clusters_clients_get_no_metrics() -> None:
    """What they tell of all accounts is for the health port; one machine has one port."""
    request = Request("GET", "/-/metrics", "", CIMultiDict(), Query())
    with pytest.raises(UnknownOperationError):
        find_service(request).find(request)
    for door in (HEALTH, PLATFORM):
        assert door.find(request).operation == "GetMetrics"


def test_no_number_is_no_number(platform: GatewayHarness) -> None:
    """Python reads them as numbers, no store does."""
    platform.create("numbers", "def handler(e, c):\n    return 1\n")
    for query in ("limit=nan", "since=inf", "after_id=-inf", "after_id=1e400", "limit="):
        status, _, body = platform.get(f"/-/logs?function=numbers&{query}")
        assert status == 400, query
        assert "a number is expected" in json.loads(body)["message"]


@pytest.mark.parametrize("path", ["/2015-03-31/functions/none/invocations", "/-/fn/1/none/", "/"])
def test_a_gateway_that_drains_tells_clients_to_go_elsewhere(
    platform: GatewayHarness, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Whatever answers: a connection that the gateway closed could lose the request after."""
    _, headers, _ = platform.post(path)
    assert headers.get("Connection") != "close"
    monkeypatch.setattr(platform.gateway._clients, "draining", True)
    _, headers, _ = platform.post(path)
    assert headers["Connection"] == "close"
