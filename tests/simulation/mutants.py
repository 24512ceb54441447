"""Defects that the simulation must find: each takes one guard away from the real code."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any
from unittest import mock

from pilotlight.claims import Lease
from pilotlight_autoscaler.claims.server import ClaimsServer
from pilotlight_autoscaler.creations import Creations
from pilotlight_autoscaler.leases.capacity import Capacity
from pilotlight_autoscaler.leases.limits import Limits
from pilotlight_autoscaler.leases.succession import Succession
from pilotlight_autoscaler.leases.table import LeaseTable
from pilotlight_autoscaler.pods.left_pods import LeftPod, LeftPods
from pilotlight_autoscaler.pools.keeper import PoolKeeper
from pilotlight_gateway.event_queue.interface import Done
from pilotlight_gateway.events import handler
from pilotlight_gateway.invocation.dispatch.dispatcher import Dispatcher
from pilotlight_gateway.invocation.dispatch.idle_history import IdleHistory
from pilotlight_gateway.invocation.dispatch.queue import RevisionQueue
from pilotlight_operator.leadership import RENEW_SECONDS, Leadership
from pilotlight_operator.storage.pods import KubernetesCompute

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FAULTS", "MUTANTS", "mutated"]


async def _nothing(*_: object, **__: object) -> None:
    """Forget what was asked for."""


def _grant_under_one_epoch(table: LeaseTable, holder: str, lease: Lease) -> Lease:
    """Grant without counting on."""
    granted: Lease = _GRANT(table, holder, lease)
    table.remove(granted.id)
    same = Lease(**{name: getattr(granted, name) for name in Lease.__slots__} | {"epoch": 1})
    table.add(holder, same)
    return same


def _take_and_leave(queue: RevisionQueue) -> Any:
    """Hand out a free environment, and leave it free."""
    if not queue.free:
        return None
    queue.busy += 1
    environment = queue.free.pop()
    if not environment.ended:
        queue.free.append(environment)
    return environment


def _keep_gone(compute: KubernetesCompute, key: str, pod: object) -> Any:
    """Tell nobody of a pod that went."""
    del pod
    compute._known.discard(key)
    return _nothing()


def _done(*_: object, **__: object) -> Done:
    """Take every event for done."""
    return Done()


@contextlib.asynccontextmanager
async def _at_once(_: object, function: object, seconds: float, demand: object) -> Any:
    """Give everybody a turn."""
    del function, demand
    yield seconds


@contextlib.asynccontextmanager
async def _uncounted(_: object, namespace: object) -> Any:
    """Wait for no turn, and count nothing."""
    del namespace
    yield


def _take_and_keep(keeper: PoolKeeper, key: Any) -> Any:
    """Hand out a generic pod that the pool keeps."""
    pool = keeper._pool(key)
    pool.last_interest = keeper._clock()
    return pool.ready[0] if pool.ready else None


def _hear_no_late_answer(server: ClaimsServer, message: Any) -> None:
    """Take an answer for which somebody waits still, and no other."""
    asked = server._asked.get(message.id)
    if asked is not None and not asked.done():
        asked.set_result(message)


async def _stop_and_forget(compute: KubernetesCompute, pod: str) -> None:
    """Delete a pod, and take it for gone though its call goes on."""
    compute._stopping.add(pod)
    await compute._delete(pod)


async def _ask_only(pods: LeftPods, found: Any, epoch: int, *, seconds: float) -> LeftPod:
    """Take a pod over whose agent goes on taking older leases."""
    del epoch, seconds
    return await pods.ask(found)


async def _go_on(_: object) -> bool:
    """Renew nothing, and lead."""
    await asyncio.sleep(RENEW_SECONDS)
    return True


_GRANT: Any = LeaseTable.grant

MUTANTS: dict[str, tuple[object, str, Any]] = {
    "leases of one epoch": (LeaseTable, "grant", _grant_under_one_epoch),
    "a cap that is not looked at": (Limits, "has_room", lambda *_: True),
    "a start that counts for ever": (Limits, "free", lambda *_: None),
    "a release that is forgotten": (Capacity, "release", _nothing),
    "pods of unknown holders that do not count": (Limits, "suspect", lambda *_: None),
    "a gateway that tells nothing of what it holds": (Dispatcher, "held", lambda _: []),
    "pods that are taken over without a fence": (LeftPods, "fence", _ask_only),
    "orphans that stay": (Succession, "stop_orphans", _nothing),
    "a gateway that is never given up": (Capacity, "release_all", _nothing),
    "an environment for two": (RevisionQueue, "take", _take_and_leave),
    "pods without turns": (Creations, "turn", _at_once),
    "pods that go unheard": (KubernetesCompute, "_gone", _keep_gone),
    "events that are done before they ran": (handler, "after_attempt", _done),
    "room made of what is between two calls": (IdleHistory, "has_rested", lambda *_: True),
    "refills beside the budget": (Creations, "refill", _uncounted),
    "generic pods for everybody": (PoolKeeper, "take", _take_and_keep),
    "an environment that is given back too late": (ClaimsServer, "_hear", _hear_no_late_answer),
    "a pod that counts no more as it begins to go": (KubernetesCompute, "stop", _stop_and_forget),
    "a leader that goes on without its Lease": (Leadership, "_renew_in_time", _go_on),
}
"""What each is called, and what it puts in whose place."""


FAULTS = {
    "pods of unknown holders that do not count": "_change_leaders_slowly",
    "orphans that stay": "_kill_both",
    "pods that are taken over without a fence": "_wake_after_a_change",
    "a gateway that is never given up": "_kill_a_gateway",
    "pods without turns": "_storm",
    "refills beside the budget": "_storm_on_empty_pools",
    "pods that go unheard": "_lose_pods",
    "an environment that is given back too late": "_pause_a_gateway",
    "a pod that counts no more as it begins to go": "_kill_a_gateway",
    "a leader that goes on without its Lease": "_pause_the_leader",
}
"""The fault that a guard is for, where one of a few is."""


@contextlib.contextmanager
def mutated(name: str) -> Iterator[None]:
    """Have a defect while the block lasts."""
    of, attribute, stand_in = MUTANTS[name]
    with mock.patch.object(of, attribute, stand_in):
        yield
