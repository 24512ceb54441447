"""Events for people: one a minute of the same thing, counted up, never in anybody's way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from pilotlight.cache import Cache
from pilotlight.claims import RevisionKey
from pilotlight.errors import (
    RevisionGoneError,
    StartFailedError,
    ThrottledError,
    UnavailableError,
)
from pilotlight.resources import Code, Condition, Function, FunctionSpec, ObjectMeta
from pilotlight_operator.controller import TOLD
from pilotlight_operator.events import (
    MOST_WAITING,
    SERIES_SECONDS,
    ClaimEvents,
    ConditionEvents,
    KubernetesEvents,
)
from tests.support.api_server import ApiServer
from tests.support.memory import MemoryResources

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

pytestmark = pytest.mark.looptime

EVENTS = "/api/v1/namespaces/team/events"


class Server(ApiServer):
    """Merges patches, as of events."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "",
    ) -> dict[str, Any]:
        """Answer."""
        if method == "PATCH":
            if self.away:
                raise UnavailableError("the API server is away")
            return self.put(path, **{**self._find(path), **body})
        return await super().request(
            method, path, query=query, body=body, content_type=content_type
        )

    def told(self) -> list[tuple[str, int]]:
        """Return reasons and counts of all events."""
        return [
            (one["reason"], one["count"])
            for path, one in self.objects.items()
            if path.startswith(EVENTS)
        ]


def function(name: str = "hello") -> Function:
    """Make a function."""
    spec = FunctionSpec(runtime="python3.13", handler="a.b", code=Code(inline="x"))
    return Function(metadata=ObjectMeta(name=name, namespace="team", uid=f"uid-{name}"), spec=spec)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def events(server: Server) -> AsyncIterator[KubernetesEvents]:
    events = KubernetesEvents(server)  # type: ignore[arg-type]  # as much of it as is used
    task = asyncio.create_task(events.run())
    yield events
    task.cancel()


async def test_the_same_is_counted_up_once_a_minute(
    server: Server, events: KubernetesEvents
) -> None:
    for _ in range(100):
        events.note(function(), "Warning", "NoRoom", "no node has room")
    await asyncio.sleep(1)
    assert server.told() == [("NoRoom", 1)]
    await asyncio.sleep(SERIES_SECONDS)
    events.note(function(), "Warning", "NoRoom", "no node has room")
    events.note(function("other"), "Warning", "NoRoom", "no node has room")
    await asyncio.sleep(1)
    assert server.told() == [("NoRoom", 101), ("NoRoom", 1)]


async def test_one_that_the_server_forgot_is_told_anew(
    server: Server, events: KubernetesEvents
) -> None:
    events.note(function(), "Warning", "NoRoom", "no node has room")
    await asyncio.sleep(1)
    server.objects.clear()
    await asyncio.sleep(SERIES_SECONDS)
    events.note(function(), "Warning", "NoRoom", "no node has room")
    await asyncio.sleep(1)
    assert server.told() == [("NoRoom", 2)]


async def test_a_server_that_is_away_costs_events_and_nothing_else(
    server: Server, events: KubernetesEvents
) -> None:
    server.away = True
    for number in range(2 * MOST_WAITING):
        events.note(function(), "Normal", "Serving", f"revision {number} is served")
    await asyncio.sleep(1)
    server.away = False
    events.note(function(), "Normal", "Serving", "revision last is served")
    await asyncio.sleep(1)
    assert server.told() == [("Serving", 1)]


async def test_a_long_message_is_cut_to_what_the_server_takes(
    server: Server, events: KubernetesEvents
) -> None:
    events.note(function(), "Warning", "CodeInvalid", "x" * 5000)
    await asyncio.sleep(1)
    (told,) = [one for path, one in server.objects.items() if path.startswith(EVENTS)]
    assert len(told["message"]) == 1024
    assert told["involvedObject"]["uid"] == "uid-hello"


async def test_a_function_that_gets_no_environment_is_told_why(
    server: Server, events: KubernetesEvents
) -> None:
    """Once a minute and reason, whichever pod found no room; not what its owner cannot mend."""
    cache = Cache(MemoryResources(), Function)
    await cache.resources.create(function())
    claims = ClaimEvents(cache, events)
    for number in range(30):
        said = f"Rate Exceeded: pod team/hello-{number} cannot be scheduled: Insufficient memory"
        throttled = ThrottledError(said, reason="ConcurrentInvocationLimitExceeded")
        claims.refused(RevisionKey("team", "hello", "r1"), throttled)
    lost = StartFailedError("package 1234 is not there", reason="CodeUnavailable")
    claims.refused(RevisionKey("team", "hello", "r1"), lost)
    claims.refused(RevisionKey("team", "hello", "r1"), RevisionGoneError("r1 is not served"))
    claims.refused(RevisionKey("team", "unknown", "r1"), lost)
    await asyncio.sleep(1)
    assert sorted(server.told()) == [("StartFailed", 1), ("Throttled", 1)]
    told = {one["message"] for path, one in server.objects.items() if path.startswith(EVENTS)}
    assert "package 1234 is not there (CodeUnavailable)" in told


@pytest.mark.parametrize("kind", TOLD)
async def test_every_kind_that_is_followed_is_told_of(
    server: Server, events: KubernetesEvents, kind: type[Any]
) -> None:
    cache = Cache(MemoryResources(), kind)
    ConditionEvents(cache, events).follow([kind])
    condition = Condition(type="Ready", status="True", reason="Serving")
    for conditions in ([], [condition]):
        status = kind.model_fields["status"].annotation(conditions=conditions)
        metadata = ObjectMeta(name="hello", namespace="team", uid="uid", generation=1)
        cache.note(kind.model_construct(metadata=metadata, status=status, spec=None))
    await asyncio.sleep(1)
    assert server.told() == [("Serving", 1)]
