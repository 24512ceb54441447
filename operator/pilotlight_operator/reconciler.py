"""Calls the service for every key that something changed about, one call a key at a time.

Between kopf's handlers, which only say "look at this one", and the services. A change while a call
runs makes one more call; a failure comes back later and later. Nothing is kept but the keys that
are due: after a restart kopf tells of everything anew.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

import structlog

from pilotlight.errors import PilotlightError

if TYPE_CHECKING:
    from pilotlight.resources import Key

__all__ = ["Reconciler", "Service"]

FIRST_DELAY = 0.2
LONGEST_DELAY = 60.0

log = structlog.get_logger()


class Service(Protocol):
    """What brings one resource up to date."""

    async def reconcile(self, key: Key) -> float | None:
        """Give the seconds after which to call again, or None where it is settled."""
        ...


class Reconciler:
    """Keys that are due, and a worker for each."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._due: dict[Key, asyncio.Event] = {}
        self._workers: set[asyncio.Task[None]] = set()
        self._since: dict[Key, float] = {}

    def touch(self, key: Key) -> None:
        """Have a key reconciled soon; called from the loop that the service runs in."""
        if key not in self._due:
            self._due[key] = asyncio.Event()
            worker = asyncio.get_running_loop().create_task(self._work(key))
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)
        self._due[key].set()

    def longest_call(self) -> float:
        """Give for how many seconds the slowest call now runs; a stuck one shows here."""
        now = asyncio.get_running_loop().time()
        return max((now - since for since in self._since.values()), default=0.0)

    async def close(self) -> None:
        """End all workers."""
        for worker in list(self._workers):
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    async def _work(self, key: Key) -> None:
        due, delay = self._due[key], FIRST_DELAY
        while True:
            due.clear()
            try:
                again = await self._call(key)
                delay = FIRST_DELAY
            except Exception as error:  # whatever it is, the next call may succeed
                expected = isinstance(error, PilotlightError)
                log.warning(
                    "reconcile_failed", key=str(key), error=str(error), exc_info=not expected
                )
                again, delay = delay, min(delay * 2, LONGEST_DELAY)
            if again is None and not due.is_set():
                del self._due[key]
                return
            await _wait(due, again)

    async def _call(self, key: Key) -> float | None:
        self._since[key] = asyncio.get_running_loop().time()
        try:
            return await self._service.reconcile(key)
        finally:
            del self._since[key]


async def _wait(due: asyncio.Event, seconds: float | None) -> None:
    try:
        async with asyncio.timeout(seconds):
            await due.wait()
    except TimeoutError:
        return
