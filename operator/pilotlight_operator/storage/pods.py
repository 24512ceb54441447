"""Pods as compute: created directly, watched until their agent answers, told of when they go.

One watch a namespace feeds everything here; a start waits for its own pod's changes, and a pod
that ends by itself is deleted and reported to the autoscaler. Nothing is left behind by a start
that fails.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from pilotlight.agent.health import wait_until_ready
from pilotlight.agent.token import pod_token_digest
from pilotlight.compute import Pod, PodRequest
from pilotlight.errors import (
    NotFoundError,
    PilotlightError,
    QuotaExceededError,
    StartFailedError,
    UnavailableError,
)
from pilotlight.resources import Key, Runtime
from pilotlight.storage.kubernetes.api import MERGE_PATCH, STRATEGIC_MERGE_PATCH
from pilotlight.storage.kubernetes.watch import Collection, follow
from pilotlight_wire.protocol import AGENT_PORT

from ..manifests.pod import MANAGED_BY, PodSettings, assignment, manifest, narrowing
from .pod_state import (
    address,
    failure,
    generic_runtime,
    has_ended,
    no_room,
    node,
    over_quota,
    pod_key,
    why_waiting,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable

    from pilotlight.storage import ResourceStore
    from pilotlight.storage.kubernetes.api import Json, KubernetesApi
    from pilotlight.storage.kubernetes.watch import RawChange

__all__ = ["KubernetesCompute"]

LONGEST_PREFIX = 48
FIRST_DELAY = 0.5
LONGEST_DELAY = 30.0
NARROW_SECONDS = 10.0
"""How long a pod keeps the size of the pool after it got its function."""
NO_ROOM_SECONDS = 10.0
"""How long a pod may wait for room on a node: what makes space takes seconds to go."""

log = structlog.get_logger()


@dataclass(slots=True)
class _Starting:
    """A pod whose start somebody waits for."""

    pod: Json
    changed: asyncio.Event = field(default_factory=asyncio.Event)


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
        self._known: set[str] = set()
        self._generic: dict[str, tuple[str, Pod]] = {}
        self._stopping: set[str] = set()
        self._starting: dict[str, _Starting] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        # One after the other: nobody waits for them, and starts need the processors more.
        self._changing = asyncio.Lock()
        self._quiet: Callable[[], Awaitable[None]] = _do_nothing
        self._tell: Callable[[str], Awaitable[None]] | None = None
        self._make_space: Callable[[], Awaitable[None]] = _do_nothing

    async def start(self, request: PodRequest, *, seconds: float) -> Pod:
        """Create a pod and wait for its agent; a start that fails leaves nothing behind.

        Raises ThrottledError where no node or quota has room, else StartFailedError.
        """
        key = self._name(request)
        body = await self._manifest(key, request)
        starting = self._starting[key] = _Starting(body)
        try:
            async with asyncio.timeout(seconds):
                await self._api.request("POST", _path(key.partition("/")[0]), body=body)
                # A pod that nobody waits for may wait itself.
                make_space = self._make_space if request.revision else _do_nothing
                host = await _wait_for_address(starting, make_space)
                await wait_until_ready(host, AGENT_PORT)
        except BaseException as error:
            self._remove(key)
            if isinstance(error, TimeoutError):
                raise why_waiting(starting.pod) from error
            if isinstance(error, QuotaExceededError):
                raise over_quota(error) from error
            raise
        finally:
            del self._starting[key]
        return Pod(key, host, AGENT_PORT, node(starting.pod))

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

    async def running(self) -> list[str]:
        """Name the pods that are there, but for those that go already or just start."""
        return sorted(self._known - self._stopping - self._starting.keys())

    async def generic(self) -> list[tuple[str, Pod]]:
        """Return the generic pods that run, but for those that go already or just start."""
        gone = self._stopping | self._starting.keys()
        return [found for key, found in self._generic.items() if key not in gone]

    def give_way(self, quiet: Callable[[], Awaitable[None]]) -> None:
        """Wait for `quiet` before pods are narrowed."""
        self._quiet = quiet

    def on_crowded(self, make_space: Callable[[], Awaitable[None]]) -> None:
        """Ask for space once for each start that somebody waits for and no node has room for."""
        self._make_space = make_space

    def on_gone(self, tell: Callable[[str], Awaitable[None]]) -> None:
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

    async def _note(self, change: RawChange) -> None:
        key = pod_key(change.object)
        starting = self._starting.get(key)
        if starting is not None:
            starting.pod = change.object
            starting.changed.set()
        if change.kind == "gone":
            await self._gone(key)
        elif has_ended(change.object):
            await self._ended(key)
        else:
            self._known.add(key)
            self._note_generic(key, change.object)

    def _note_generic(self, key: str, pod: Json) -> None:
        runtime, host = generic_runtime(pod), address(pod)
        if runtime is None or host is None:
            self._generic.pop(key, None)
        else:
            self._generic[key] = runtime, Pod(key, host, AGENT_PORT, node(pod))

    async def _ended(self, key: str) -> None:
        """Take a pod away whose container ended by itself."""
        await self._gone(key)
        self._remove(key)

    async def _gone(self, key: str) -> None:
        known, stopped = key in self._known, key in self._stopping
        self._known.discard(key)
        self._generic.pop(key, None)
        self._stopping.discard(key)
        if known and not stopped and key not in self._starting:
            log.warning("pod gone", pod=key)
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


async def _wait_for_address(starting: _Starting, make_space: Callable[[], Awaitable[None]]) -> str:
    deadline: float | None = None
    while True:
        error, host = failure(starting.pod), address(starting.pod)
        if error is not None:
            raise error
        if host is not None:
            return host
        crowded = no_room(starting.pod)
        if crowded is None:
            deadline = None
        elif deadline is None:
            deadline = _now() + NO_ROOM_SECONDS
            await make_space()
        try:
            async with asyncio.timeout_at(deadline):
                await starting.changed.wait()
        except TimeoutError as late:
            raise crowded or late from None
        starting.changed.clear()


async def _do_nothing() -> None:
    """Make no space, and wait for nothing."""


def _now() -> float:
    return asyncio.get_running_loop().time()


def _path(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/pods"
