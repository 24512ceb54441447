"""How a pod's start is waited for: for its address, then its agent; not for room that never comes.

`pods` creates it and tells of its changes; what they say is in `pod_state`.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pilotlight.agent.health import wait_until_ready
from pilotlight.compute import Crowd, Pod
from pilotlight.errors import WithdrawnError
from pilotlight_wire.protocol import AGENT_PORT

from .pod_state import address, failure, no_room, no_volume, node, not_mounted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pilotlight.claims import Demand
    from pilotlight.storage.kubernetes.api import Json

    MakeSpace = Callable[[Crowd], Awaitable[bool]]

__all__ = ["NO_ROOM_SECONDS", "Room", "Starting", "wait_until_it_answers"]

NO_ROOM_SECONDS = 10.0
"""How long a pod may wait for room on a node: what makes space takes seconds to go."""
MOUNT_SECONDS = 20.0
"""How long a node may mount a pod's claims: less than a call waits for its environment, so that it
hears why there is none."""
SPACE_SECONDS = 0.5
"""Between two questions for space where there was none to make."""
GOES_SECONDS = 3.0
"""How long what goes takes to go; a pod that finds no room by then needs more of it. One of a pool
does not wait for that: it is larger than most."""
URGENT_SECONDS = 4.0
"""How long a pod waits for room of its account, or of one that has more."""


@dataclass(slots=True)
class Starting:
    """A pod whose start somebody waits for."""

    pod: Json
    changed: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class Room:
    """What is done about room for a pod that finds none."""

    make: MakeSpace | None
    """Asked until it has made some, and again where that was not enough; None: nothing goes."""
    crowd: Crowd
    demand: Demand
    asked_first: float | None = None
    """When it was asked first."""
    made: float | None = None
    """When it made some last."""

    async def ask(self, *, in_quota: bool = False) -> None:
        """Ask for space; raises WithdrawnError where nobody waits for it any more."""
        if self.demand.withdrawn:
            raise WithdrawnError("nobody waits for the pod any more, and nothing has room for it")
        now = asyncio.get_running_loop().time()
        self.asked_first = now if self.asked_first is None else self.asked_first
        patience = GOES_SECONDS if self.crowd.waited_for else SPACE_SECONDS
        if self.make is None or (self.made is not None and now < self.made + patience):
            return
        urgent = self.crowd.waited_for and now >= self.asked_first + URGENT_SECONDS
        if await self.make(replace(self.crowd, in_quota=in_quota, urgent=urgent)):
            self.made = now


async def wait_until_it_answers(key: str, starting: Starting, room: Room) -> Pod:
    """Wait for a pod; raises ThrottledError where nothing has room for it, StartFailedError."""
    host = await _wait_for_address(starting, room)
    await wait_until_ready(host, AGENT_PORT)
    return Pod(key, host, AGENT_PORT, node(starting.pod))


async def _wait_for_address(starting: Starting, room: Room) -> str:
    now = asyncio.get_running_loop().time
    room_until: float | None = None
    mount_until: float | None = None
    while True:
        if (error := failure(starting.pod)) is not None:
            raise error
        if (host := address(starting.pod)) is not None:
            return host
        crowded, bare = no_room(starting.pod), not_mounted(starting.pod)
        room_until = (room_until or now() + NO_ROOM_SECONDS) if crowded else None
        mount_until = (mount_until or now() + MOUNT_SECONDS) if bare else None
        if crowded and room_until and now() >= room_until:
            raise no_volume(starting.pod) or crowded
        if bare and mount_until and now() >= mount_until:
            raise bare
        if crowded and no_volume(starting.pod) is None:
            await room.ask()
        look = min(room_until, now() + SPACE_SECONDS) if room_until else mount_until
        with suppress(TimeoutError):
            async with asyncio.timeout_at(look):
                await starting.changed.wait()
        starting.changed.clear()
