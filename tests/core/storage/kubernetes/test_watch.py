"""Following a collection: nothing that came or went stays unheard, whatever happens to watches."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

import pytest

from pilotlight.storage.kubernetes.watch import Collection, follow
from tests.support.api_server import ApiServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pilotlight.storage.kubernetes.api import KubernetesApi

pytestmark = pytest.mark.looptime

PATH = "/api/v1/namespaces/team/pods"


class Follower:
    """Keeps what a watch told."""

    def __init__(self, server: ApiServer) -> None:
        self.told: list[tuple[str, str]] = []
        self._server = cast("KubernetesApi", server)

    async def run(self) -> None:
        """Follow for ever."""
        async with aclosing(follow(self._server, Collection(PATH))) as changes:
            async for change in changes:
                name = change.object.get("metadata", {}).get("name", "")
                self.told.append((change.kind, name))

    async def hears(self, *wanted: tuple[str, str]) -> None:
        """Wait a virtual minute and compare with what was told since the last time."""
        await asyncio.sleep(60)
        assert self.told == list(wanted)
        self.told.clear()


BEGIN = (("present", "first"), ("synced", ""))


@pytest.fixture
def server() -> ApiServer:
    server = ApiServer()
    _put(server, "first")
    return server


@pytest.fixture
async def follower(server: ApiServer) -> AsyncIterator[Follower]:
    follower = Follower(server)
    task = asyncio.create_task(follower.run())
    yield follower
    assert not task.done(), "it never ends by itself"
    task.cancel()


def _put(server: ApiServer, name: str, **fields: Any) -> None:
    server.put(f"{PATH}/{name}", kind="Pod", **fields)


async def test_changes_are_told(server: ApiServer, follower: Follower) -> None:
    await follower.hears(*BEGIN)
    _put(server, "second")
    _put(server, "first", spec={"changed": True})
    server.remove(f"{PATH}/second")
    await follower.hears(("present", "second"), ("present", "first"), ("gone", "second"))


async def test_a_watch_that_ends_goes_on(server: ApiServer, follower: Follower) -> None:
    await follower.hears(*BEGIN)
    server.break_watches()
    _put(server, "second")
    await follower.hears(("present", "second"))


async def test_what_happened_behind_an_expired_watch_is_found(
    server: ApiServer, follower: Follower
) -> None:
    await follower.hears(*BEGIN)
    _put(server, "second")
    await follower.hears(("present", "second"))
    server.away = True
    server.break_watches()
    server.remove(f"{PATH}/first")
    _put(server, "third")
    server.expire()
    server.away = False
    await follower.hears(("gone", "first"), ("present", "third"))


async def test_a_namesake_is_another_object(server: ApiServer, follower: Follower) -> None:
    await follower.hears(*BEGIN)
    server.remove(f"{PATH}/first")
    _put(server, "first")
    server.expire()
    await asyncio.sleep(60)
    assert follower.told[-1] == ("present", "first")
    assert ("gone", "first") in follower.told


async def test_while_the_server_is_away_it_asks_less_and_less(
    server: ApiServer, follower: Follower
) -> None:
    await follower.hears(*BEGIN)
    server.away = True
    server.expire()
    server.requests.clear()
    await asyncio.sleep(600)
    assert 15 < len(server.requests) < 60
    server.away = False
    _put(server, "second")
    await follower.hears(("present", "second"))
