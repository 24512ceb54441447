"""Has every resource reconciled that a change concerns: one call a resource at a time.

Both feeds (`feeds.kopf` on a cluster, `feeds.store` in local mode) keep the cache; this listens to
it. A service says which of its resources a change concerns, and brings them up to date. A change
while a call runs makes one more call; a failure comes back later and later. Nothing is kept but
what is due: a process that starts looks at everything once.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol

import structlog

from pilotlight.errors import PilotlightError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pilotlight.cache import Cache
    from pilotlight.resources import Key, Resource

__all__ = ["Reconciler", "Service"]

FIRST_DELAY = 0.1
LONGEST_DELAY = 60.0

log = structlog.get_logger()


class Service(Protocol):
    """What brings the resources of one kind up to date."""

    kind: ClassVar[type[Resource]]

    def affected_by(self, changed: Resource) -> Iterable[Resource]:
        """Return those of its resources that a change of another one concerns.

        `changed` is of any kind, as it is now or, where it is gone, as it was.
        """
        ...

    async def reconcile(self, key: Key) -> float | None:
        """Return the seconds after which to call again, or None where it is settled."""
        ...


class _Due(NamedTuple):
    """A resource that is to be looked at."""

    service: Service
    key: Key

    def __str__(self) -> str:
        return f"{self.service.kind.kind_name} {self.key}"


class Reconciler:
    """Resources that are due, and a worker for each."""

    def __init__(self, cache: Cache, services: Sequence[Service]) -> None:
        self._cache = cache
        self._services = services
        self._due: dict[_Due, asyncio.Event] = {}
        self._workers: set[asyncio.Task[None]] = set()
        self._since: dict[_Due, float] = {}
        self._closed = False

    def start(self) -> None:
        """Look at everything, and at what a change concerns from now on.

        The cache must know everything by then: what is not there is decided about, too.
        """
        for kind in self._cache.kinds:
            self._cache.on_change(kind, self._changed)

    def touch(self, service: Service, key: Key) -> None:
        """Have a resource reconciled soon; after `close` nothing is."""
        if self._closed:
            return
        due = _Due(service, key)
        if due not in self._due:
            self._due[due] = asyncio.Event()
            worker = asyncio.get_running_loop().create_task(self._work(due))
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)
        self._due[due].set()

    def look_again(self) -> None:
        """Have everything reconciled soon, as at the start."""
        for service in self._services:
            for resource in self._cache.all(service.kind):
                self.touch(service, resource.key)

    def longest_call(self) -> float:
        """Return for how many seconds the slowest call now runs; a stuck one shows here."""
        now = asyncio.get_running_loop().time()
        return max((now - since for since in self._since.values()), default=0.0)

    async def close(self) -> None:
        """End all workers, for good."""
        self._closed = True
        for worker in list(self._workers):
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    def _changed(self, before: Resource | None, after: Resource | None) -> None:
        if before is not None and after is not None and _only_status(before, after):
            return
        for changed in (before, after):
            if changed is not None:
                self._touch_affected(changed)

    def _touch_affected(self, changed: Resource) -> None:
        for service in self._services:
            if isinstance(changed, service.kind):
                self.touch(service, changed.key)
            for affected in service.affected_by(changed):
                self.touch(service, affected.key)

    async def _work(self, due: _Due) -> None:
        changed, delay = self._due[due], FIRST_DELAY
        while True:
            changed.clear()
            try:
                again = await self._call(due)
                delay = FIRST_DELAY
            except Exception as error:  # whatever it is, the next call may succeed
                expected = isinstance(error, PilotlightError)
                log.warning(
                    "reconcile failed", resource=str(due), error=str(error), exc_info=not expected
                )
                again, delay = delay, min(delay * 2, LONGEST_DELAY)
            if again is None and not changed.is_set():
                del self._due[due]
                return
            await _wait(changed, again)

    async def _call(self, due: _Due) -> float | None:
        self._since[due] = asyncio.get_running_loop().time()
        try:
            return await due.service.reconcile(due.key)
        finally:
            del self._since[due]


def _only_status(before: Resource, after: Resource) -> bool:
    """Whether a change is one of the status, which says what has been done, not what is to do."""
    old, new = before.metadata, after.metadata
    same = ("uid", "generation", "labels", "annotations", "deletion_timestamp")
    unchanged = all(getattr(old, name) == getattr(new, name) for name in same)
    # Kubernetes counts no generations of its own kinds.
    return unchanged and new.generation > 0


async def _wait(changed: asyncio.Event, seconds: float | None) -> None:
    try:
        async with asyncio.timeout(seconds):
            await changed.wait()
    except TimeoutError:
        return
