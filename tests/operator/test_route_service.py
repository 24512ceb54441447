"""What a route's condition says."""

from __future__ import annotations

from typing import Any

import pytest

from pilotlight.cache import Cache
from pilotlight.errors import UnavailableError
from pilotlight.hosts import Hosts
from pilotlight.resources import Code, Function, FunctionSpec, Key, ObjectMeta, Route, RouteSpec
from pilotlight_operator.services.routes import RouteFacts, RouteService, decide
from tests.support.memory import MemoryResources

JWT = {"type": "jwt", "jwt": {"issuer": "https://i.example", "audience": ["shop"]}}


def make(name: str, namespace: str = "shop", **spec: Any) -> Route:
    document = {"host": "a.example.com", "path": "/x", "function": "fn:prod", **spec}
    return Route(
        metadata=ObjectMeta(name=name, namespace=namespace),
        spec=RouteSpec.model_validate(document),
    )


async def keys(issuer: str) -> list[dict[str, Any]]:
    if "away" in issuer:
        raise UnavailableError(f"{issuer} cannot be read")
    return []


@pytest.fixture
async def resources() -> MemoryResources:
    """A store with the function fn."""
    store = MemoryResources()
    spec = FunctionSpec(runtime="python3.13", handler="a.b", code=Code(inline="x"))
    metadata = ObjectMeta(name="fn", namespace="shop")
    await store.create(Function(metadata=metadata, spec=spec))
    return store


async def said(
    resources: MemoryResources, name: str, namespace: str = "shop", hosts: Hosts | None = None
) -> tuple[str, str]:
    """Reconcile a route and give its condition's reason and message."""
    key = Key(namespace, name)
    cache = Cache(resources, Function, Route)
    await cache.refresh()
    again = await RouteService(cache, keys, hosts or Hosts()).reconcile(key)
    ready = (await resources.get(Route, key)).condition("Ready")
    assert ready is not None
    assert (again is None) == (ready.status == "True")
    return ready.reason, ready.message


async def test_a_good_route_is_served(resources: MemoryResources) -> None:
    await resources.create(make("one", auth=JWT))
    assert await said(resources, "one") == ("Serving", "")


async def test_the_second_route_of_a_path_is_refused(resources: MemoryResources) -> None:
    await resources.create(make("one"))
    await resources.create(make("two", methods=["GET"]))
    assert await said(resources, "one") == ("Serving", "")
    assert await said(resources, "two") == ("PathTaken", "a.example.com/x: route 'one' was first")
    await resources.delete(Route, Key("shop", "one"))
    assert await said(resources, "two") == ("Serving", "")


async def test_other_accounts_routes_are_not_told(resources: MemoryResources) -> None:
    await resources.create(make("secret", namespace="else"))
    await resources.create(make("two"))
    reason, message = await said(resources, "two")
    assert reason == "PathTaken"
    assert "secret" not in message


async def test_a_host_of_the_platform_or_of_another_account(resources: MemoryResources) -> None:
    """Its route is not served, and stands in nobody's way."""
    hosts = Hosts(("api.example.com",), {"shop": ("a.example.com",)})
    await resources.create(make("first", namespace="else"))
    await resources.create(make("one"))
    await resources.create(make("two", host="api.example.com"))
    refused = "HostNotAllowed", "a.example.com is no host that this account may have"
    assert await said(resources, "first", "else", hosts) == refused
    assert await said(resources, "one", hosts=hosts) == ("Serving", "")
    assert (await said(resources, "two", hosts=hosts))[0] == "HostNotAllowed"


async def test_a_missing_function_or_authorizer(resources: MemoryResources) -> None:
    await resources.create(make("one", function="nobody"))
    assert await said(resources, "one") == ("FunctionNotFound", "there is no function 'nobody'")
    auth = {"type": "authorizer", "authorizer": {"function": "gone"}}
    await resources.create(make("two", path="/y", auth=auth))
    assert await said(resources, "two") == ("FunctionNotFound", "there is no function 'gone'")


async def test_an_issuer_that_cannot_be_read(resources: MemoryResources) -> None:
    auth = {"type": "jwt", "jwt": {"issuer": "https://away.example", "audience": ["shop"]}}
    await resources.create(make("one", auth=auth))
    reason, message = await said(resources, "one")
    assert (reason, message) == ("IssuerUnreadable", "https://away.example cannot be read")


async def test_a_deleted_route_is_settled() -> None:
    cache = Cache(MemoryResources(), Function, Route)
    assert await RouteService(cache, keys, Hosts()).reconcile(Key("shop", "gone")) is None


def test_a_transition_time_stays_while_the_status_does() -> None:
    route = make("one")
    first = decide(RouteFacts(route), at="2026-01-01T00:00:00Z")
    same = decide(RouteFacts(route.model_copy(update={"status": first})), at="2026-01-02T00:00:00Z")
    assert same == first
