"""Pods as compute: created directly, watched until their agent answers, told of when they go.

One watch a namespace feeds everything here; a start waits for its own pod's changes, and a pod
that ends by itself is deleted and reported to the autoscaler. Nothing is left behind by a start
that fails.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter, OrderedDict
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any

import structlog

from pilotlight.agent.token import pod_token_digest
from pilotlight.claims import Demand
from pilotlight.compute import Crowd
from pilotlight.errors import (
    ConflictError,
    NotFoundError,
    PilotlightError,
    QuotaExceededError,
    StartFailedError,
    UnavailableError,
)
from pilotlight.resources import Key, NetworkPolicy, Runtime
from pilotlight.storage.kubernetes.api import MERGE_PATCH, STRATEGIC_MERGE_PATCH
from pilotlight.storage.kubernetes.watch import Collection, follow

from ..manifests.pod import MANAGED_BY, PodSettings, assignment, manifest, narrowing
from .pod_start import NO_ROOM_SECONDS, Room, Starting, wait_until_it_answers
from .pod_state import (
    found,
    has_ended,
    is_deleted,
    no_room,
    over_quota,
    pod_key,
    why_ended,
    why_waiting,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable

    from pilotlight.compute import Found, Pod, PodRequest
    from pilotlight.storage import ResourceStore
    from pilotlight.storage.kubernetes.api import Json, KubernetesApi
    from pilotlight.storage.kubernetes.watch import RawChange

    from .pod_start import MakeSpace

    Tell = Callable[[str], Awaitable[None]]

__all__ = ["KubernetesCompute"]

LONGEST_PREFIX = 48
FIRST_DELAY = 0.5
LONGEST_DELAY = 30.0
NARROW_SECONDS = 10.0
"""How long a pod keeps the size of the pool after it got its function."""
MOST_ABANDONED = 1000
"""Pods whose start failed that are looked out for."""
QUOTA_RETRY_SECONDS = 0.5
CONFLICT_SECONDS = 0.1

log = structlog.get_logger()


class KubernetesCompute:
    """Pods of some namespaces; `run` must be running."""

    def __init__(
        self,
        api: KubernetesApi,
        resources: ResourceStore,
        namespaces: Iterable[str],
        platform_key: bytes,
        settings: PodSettings,
    ) -> None:
        self._api = api
        self._resources = resources
        self._namespaces = tuple(namespaces)
        self._platform_key = platform_key
        self._settings = settings
        self._unlisted = set(self._namespaces)
        self._listed = asyncio.Event()
        """Set once all pods are known that were there before."""
        self._known: set[str] = set()
        self._found: dict[str, Found] = {}
        self._abandoned: OrderedDict[str, None] = OrderedDict()
        """Pods whose start failed: one that comes even so is deleted."""
        self._started: set[str] = set()
        """Pods that this process started."""
        self._stopping: set[str] = set()
        self._left: set[str] = set()  # those of them that went already when they were first seen
        self._ends: dict[str, asyncio.Event] = {}  # of the pods whose end is waited for
        self._leaving = False
        self._starting: dict[str, Starting] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        # One after the other: nobody waits for them, and starts need the processors more.
        self._changing = asyncio.Lock()
        self._quiet: Callable[[], Awaitable[None]] = _do_nothing
        self._tell: Tell | None = None
        self._make_space: MakeSpace | None = None

    async def start(
        self, request: PodRequest, *, seconds: float, demand: Demand | None = None
    ) -> Pod:
        """Create a pod and wait for its agent; a start that fails leaves nothing behind.

        Raises ThrottledError where no node or quota has room, WithdrawnError where nobody waits
        for room any more, else StartFailedError.
        """
        await self._check_groups(request)
        key = self._name(request)
        body = await self._manifest(key, request)
        crowd = Crowd(request.namespace, waited_for=request.revision is not None)
        room = Room(self._make_space, crowd, demand or Demand())
        self._started.add(key)
        async with self._starts(key, body, seconds) as starting:
            await self._create(key, body, room)
            return await wait_until_it_answers(key, starting, room)

    async def _check_groups(self, request: PodRequest) -> None:
        """Raise StartFailedError where a security group that the pod would be in is not there."""
        groups = request.network.security_group_ids if request.network else []
        if not groups:
            return
        policies = await self._resources.list(NetworkPolicy, request.namespace)
        there = {policy.security_group for policy in policies}
        if gone := sorted(set(groups) - there):
            said = f"the security group {gone[0]} is not there"
            raise StartFailedError(said, reason="InvalidSecurityGroup")

    async def _create(self, key: str, body: Json, room: Room) -> None:
        """Create a pod; where a quota has no room, ask for space in it and try a little longer."""
        namespace, deadline = key.partition("/")[0], 0.0
        while True:
            try:
                await self._api.request("POST", _path(namespace), body=body)
            except ConflictError:
                # A quota is one object, and several pods at a time are counted in it.
                await asyncio.sleep(CONFLICT_SECONDS)
                continue
            except QuotaExceededError:
                if not room.crowd.waited_for or (deadline and _now() >= deadline):
                    raise
            else:
                return
            deadline = deadline or _now() + NO_ROOM_SECONDS
            await room.ask(in_quota=True)
            await asyncio.sleep(QUOTA_RETRY_SECONDS)

    def leave(self) -> None:
        """Leave pods whose start is given up from now on to whoever leads next."""
        self._leaving = True

    async def join(self, pod: str, *, seconds: float) -> Pod:
        """Wait for a pod that an earlier leader started; what does not come in time goes."""
        namespace, _, name = pod.partition("/")
        body = {"metadata": {"namespace": namespace, "name": name}}
        async with self._starts(pod, body, seconds) as starting:
            room = Room(None, Crowd(namespace), Demand())
            return await wait_until_it_answers(pod, starting, room)

    @asynccontextmanager
    async def _starts(self, key: str, body: Json, seconds: float) -> AsyncIterator[Starting]:
        """Follow a pod that starts within the block; where that fails, nothing is left behind."""
        starting = self._starting[key] = Starting(body)
        try:
            async with asyncio.timeout(seconds):
                yield starting
        except BaseException as error:
            if not self._leaving:
                self._abandon(key)
            if isinstance(error, TimeoutError):
                raise why_waiting(starting.pod) from error
            if isinstance(error, QuotaExceededError):
                raise over_quota(error) from error
            raise
        finally:
            del self._starting[key]

    async def assign(self, pod: str, request: PodRequest) -> None:
        """Give a generic pod its function's labels and owner; later its function's size.

        With its function's labels it goes with the function.
        """
        try:
            async with self._changing:
                if pod in self._stopping:
                    return
                await self._patch(pod, assignment(request), MERGE_PATCH)
        except PilotlightError as error:
            log.warning("pod not assigned", pod=pod, error=str(error))
            return
        self._later(self._narrow(pod, request))

    async def _narrow(self, pod: str, request: PodRequest) -> None:
        """Make a pod smaller in place, where the cluster can: what it held too much, others get.

        Not at once: initialising and the first calls are all CPU. Nor while others wait for pods:
        a node that narrows forty starts a third fewer.
        """
        await asyncio.sleep(NARROW_SECONDS)
        await self._quiet()
        try:
            runtime = await self._resources.get(Runtime, Key("", request.runtime))
            patch = narrowing(request, runtime, self._settings)
            async with self._changing:
                await self._patch(f"{pod}/resize", patch, STRATEGIC_MERGE_PATCH)
        except PilotlightError as error:
            log.info("pod not narrowed", pod=pod, error=str(error))

    async def _patch(self, pod: str, body: Json, content_type: str) -> None:
        namespace, _, rest = pod.partition("/")
        path = f"{_path(namespace)}/{rest}"
        await self._api.request("PATCH", path, body=body, content_type=content_type)

    async def stop(self, pod: str) -> None:
        """Delete a pod, trying until it works; the running invocation ends within its grace."""
        self._stopping.add(pod)
        await self._delete(pod)
        if pod in self._known:
            await self._ends.setdefault(pod, asyncio.Event()).wait()

    async def running(self) -> list[str]:
        """Name the pods that are there, but for those that go already or just start."""
        await self._listed.wait()
        return sorted(self._known - self._stopping - self._starting.keys())

    def starting(self) -> Counter[tuple[str, str]]:
        """Count the pods that this process makes by namespace and state."""
        return Counter(
            (key.partition("/")[0], "pending" if no_room(one.pod) else "starting")
            for key, one in self._starting.items()
        )

    async def found(self) -> list[Found]:
        """Return the pods that an earlier leader started, but for those that go already."""
        await self._listed.wait()
        others = self._found.keys() - self._stopping - self._started
        return [self._found[key] for key in sorted(others)]

    async def ending(self) -> list[Found]:
        """Return the pods that are going since before this process began."""
        await self._listed.wait()
        return [self._found[key] for key in sorted(self._left & self._found.keys())]

    def give_way(self, quiet: Callable[[], Awaitable[None]]) -> None:
        """Wait for `quiet` before pods are narrowed."""
        self._quiet = quiet

    def on_crowded(self, make_space: MakeSpace) -> None:
        """Ask for space for each start that no node has room for."""
        self._make_space = make_space

    def on_gone(self, tell: Tell) -> None:
        """Tell of pods that ended or vanished by themselves."""
        self._tell = tell

    async def run(self) -> None:
        """Follow the pods of all namespaces; never ends by itself."""
        async with asyncio.TaskGroup() as tasks:
            for namespace in self._namespaces:
                tasks.create_task(self._follow(namespace))

    async def _follow(self, namespace: str) -> None:
        labels = ",".join(f"{name}={value}" for name, value in MANAGED_BY.items())
        collection = Collection(_path(namespace), {"labelSelector": labels})
        async with aclosing(follow(self._api, collection)) as changes:
            async for change in changes:
                if change.kind != "synced":
                    await self._note(change)
                    continue
                self._unlisted.discard(namespace)
                if not self._unlisted:
                    self._listed.set()

    async def _note(self, change: RawChange) -> None:
        key = pod_key(change.object)
        starting = self._starting.get(key)
        if starting is not None:
            starting.pod = change.object
            starting.changed.set()
        if change.kind == "gone":
            await self._gone(key, change.object)
        elif has_ended(change.object):
            await self._gone(key, change.object)
            self._remove(key)  # its container ended by itself
        else:
            self._there(key, change.object)

    def _there(self, key: str, pod: Json) -> None:
        if is_deleted(pod) and key not in self._known:
            self._stopping.add(key)  # by an earlier leader
            self._left.add(key)
        elif key in self._abandoned and key not in self._stopping:
            self._remove(key)  # its creation was given up, and came through even so
        self._known.add(key)
        self._found[key] = found(key, pod)

    async def _gone(self, key: str, pod: Json) -> None:
        known, stopped = key in self._known, key in self._stopping
        self._known.discard(key)
        self._found.pop(key, None)
        self._started.discard(key)
        self._stopping.discard(key)
        self._left.discard(key)
        self._abandoned.pop(key, None)
        if (end := self._ends.pop(key, None)) is not None:
            end.set()
        if known and not stopped and key not in self._starting:
            if is_deleted(pod):
                log.info("pod was deleted", pod=key)
            else:
                log.warning("pod gone", pod=key, why=why_ended(pod))
            if self._tell is not None:
                await self._tell(key)

    async def _manifest(self, key: str, request: PodRequest) -> Json:
        try:
            runtime = await self._resources.get(Runtime, Key("", request.runtime))
        except NotFoundError as error:
            message = f"nothing here runs runtime {request.runtime!r}: a Runtime is expected"
            raise StartFailedError(message, reason="InvalidRuntime") from error
        digest = pod_token_digest(self._platform_key, key)
        name = key.partition("/")[2]
        return manifest(name, digest, request, runtime, self._settings)

    @staticmethod
    def _name(request: PodRequest) -> str:
        owner = request.revision.function if request.revision else f"generic-{request.runtime}"
        prefix = owner.replace(".", "-")[:LONGEST_PREFIX].rstrip("-")
        return f"{request.namespace}/{prefix}-{secrets.token_hex(5)}"

    def _abandon(self, key: str) -> None:
        """Delete a pod whose start failed; its creation may still be on its way."""
        self._abandoned[key] = None
        if len(self._abandoned) > MOST_ABANDONED:
            self._started.discard(self._abandoned.popitem(last=False)[0])
        self._remove(key)

    def _remove(self, key: str) -> None:
        """Delete a pod in which nothing runs, without anybody waiting for it."""
        self._stopping.add(key)
        self._later(self._delete(key, gracePeriodSeconds="0"))

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something about a pod that nobody waits for."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _delete(self, key: str, **query: str) -> None:
        namespace, _, name = key.partition("/")
        delay = FIRST_DELAY
        while True:
            try:
                await self._api.request("DELETE", f"{_path(namespace)}/{name}", query=query)
            except NotFoundError:
                self._stopping.discard(key)
            except UnavailableError as error:
                log.warning("pod not deleted", pod=key, error=str(error))
                await asyncio.sleep(delay)
                delay = min(delay * 2, LONGEST_DELAY)
                continue
            return


async def _do_nothing() -> None:
    """Wait for nothing."""


def _now() -> float:
    return asyncio.get_running_loop().time()


def _path(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/pods"
