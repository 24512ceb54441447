"""Leadership by a Lease: one operator acts, the others stand by.

The rule of the Kubernetes clients: a standby takes over when it saw no renewal for the Lease's
whole duration by its own clock, and a leader that could not renew for less than that stops first.
So two never lead at a time, whatever their clocks say. Who lost the Lease starts anew as a
standby.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Protocol

import structlog

from pilotlight.errors import PilotlightError
from pilotlight.storage.kubernetes.lease import LeaseRecord

__all__ = ["Leadership", "Lease"]

DURATION_SECONDS = 15
RENEW_SECONDS = 4.0
GIVE_UP_SECONDS = 12.0
"""A leader that could not renew for so long stops, well before a standby may take over."""
TRY_SECONDS = 3.0
"""In which one read or write must be answered."""
RETRY_SECONDS = 1.0
RELEASE_SECONDS = 8.0
"""For letting go at the end; a standby that is not told waits longer."""

log = structlog.get_logger()


class Lease(Protocol):
    """Where leadership is written down."""

    async def read(self) -> LeaseRecord:
        """Read it; an empty record where it is not there."""
        ...

    async def write(
        self, before: LeaseRecord, *, holder: str, seconds: int, taken: bool = False
    ) -> LeaseRecord | None:
        """Renew it, or take it, if nobody wrote it since; None where somebody did.

        `taken` counts a leader more.
        """
        ...


class Leadership:
    """One process's part in the election."""

    def __init__(self, lease: Lease, identity: str) -> None:
        """Stand for election as `identity`, the `host:port` of this process's claims server."""
        self._lease = lease
        self._identity = identity
        self._record: LeaseRecord | None = None
        self._renewed = 0.0
        """When the write began by which it was renewed last, by the loop's clock; of another's
        Lease, when the renewal was seen."""

    def age(self) -> float:
        """Return how long ago the Lease was renewed, as far as this process knows, in seconds."""
        return asyncio.get_running_loop().time() - self._renewed

    async def acquire(self) -> int:
        """Wait until this process leads; give how many leaders there were, itself included."""
        clock = asyncio.get_running_loop().time
        seen, self._renewed = "", clock()
        while True:
            found = await self._read()
            if found is not None and found.renewed != seen:
                seen, self._renewed = found.renewed, clock()
            if found is not None and self._may_take(found, self.age()):
                began = clock()
                taken = await self._write(found, taken=True)
                if taken is not None:
                    self._record, self._renewed = taken, began
                    log.info("leadership acquired", identity=self._identity)
                    return taken.transitions
            await asyncio.sleep(RETRY_SECONDS)

    async def hold(self) -> None:
        """Renew until that fails for too long or somebody else leads; then return."""
        while await self._renew_in_time():
            pass
        self._record = None
        log.error("leadership lost", identity=self._identity)

    async def release(self) -> None:
        """Let a standby take over at once.

        What the Lease says counts: a renewal that was cut off may have taken effect.
        """
        deadline = asyncio.get_running_loop().time() + RELEASE_SECONDS
        while self._record is not None and not await self._try_to_release(self._record):
            if asyncio.get_running_loop().time() >= deadline:
                log.warning("leadership not released", identity=self._identity)
                return
            found = await self._read()
            if found is None:
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self._record = found if found.holder == self._identity else None

    async def _try_to_release(self, before: LeaseRecord) -> bool:
        try:
            async with asyncio.timeout(TRY_SECONDS):
                return await self._lease.write(before, holder="", seconds=1) is not None
        except (PilotlightError, TimeoutError) as error:
            log.warning("lease not written", error=str(error))
            return False

    def _may_take(self, found: LeaseRecord, unchanged: float) -> bool:
        # Our own identity is an earlier process at this address, which is gone.
        return found.holder in {"", self._identity} or unchanged > DURATION_SECONDS

    async def _renew_in_time(self) -> bool:
        """Wait until a renewal is due and took effect; False where none did or another leads."""
        clock = asyncio.get_running_loop().time
        deadline = self._renewed + GIVE_UP_SECONDS
        await asyncio.sleep(self._renewed + RENEW_SECONDS - clock())
        first = clock()
        while self._record is not None and clock() < deadline:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    if await self._renew(first):
                        return True
                    await asyncio.sleep(RETRY_SECONDS)
        return False

    async def _renew(self, first: float) -> bool:
        """Try once; what the Lease says counts, for a write that was slow may have taken effect.

        `first` is when the first of these tries began: a standby may have counted from it on.
        """
        before, began = self._record or LeaseRecord(), asyncio.get_running_loop().time()
        written = await self._write(before)
        if written is not None:
            self._record, self._renewed = written, began
            return True
        found = await self._read()
        if found is None:
            return False
        self._record = found if found.holder == self._identity else None
        if self._record is None or found.renewed == before.renewed:
            return False
        self._renewed = first
        return True

    async def _read(self) -> LeaseRecord | None:
        try:
            async with asyncio.timeout(TRY_SECONDS):
                return await self._lease.read()
        except (PilotlightError, TimeoutError) as error:
            log.warning("lease not read", error=str(error))
            return None

    async def _write(self, before: LeaseRecord, *, taken: bool = False) -> LeaseRecord | None:
        try:
            async with asyncio.timeout(TRY_SECONDS):
                return await self._lease.write(
                    before, holder=self._identity, seconds=DURATION_SECONDS, taken=taken
                )
        except (PilotlightError, TimeoutError) as error:
            log.warning("lease not written", error=str(error))
            return None
