"""The keys of token issuers, kept for a while.

Keys are read again when they are ten minutes old, or when a token names one that is not there, but
not more often than twice a minute. While an issuer is away its last keys count for an hour.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from pilotlight.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Issuers"]

FRESH_SECONDS = 600.0
AGAIN_SECONDS = 30.0
STALE_SECONDS = 3600.0

log = structlog.get_logger()


@dataclass(slots=True)
class _Keys:
    by_id: dict[str, dict[str, Any]] = field(default_factory=dict)
    read_at: float = float("-inf")
    tried_at: float = float("-inf")
    problem: str = ""


@dataclass(slots=True)
class Issuers:
    """Issuers and what was read of them."""

    read: Callable[[str], Awaitable[list[dict[str, Any]]]]
    """Reads an issuer's keys; raises UnavailableError."""
    clock: Callable[[], float] = time.monotonic
    _keys: dict[str, _Keys] = field(default_factory=lambda: defaultdict(_Keys))
    _reading: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    async def key(self, issuer: str, key_id: str) -> dict[str, Any] | None:
        """Return a key; None where the issuer has none of that id.

        Raises UnavailableError where the issuer cannot be read and was not in the last hour.
        """
        async with self._reading[issuer]:  # one request reads, the others wait for it
            keys = self._keys[issuer]
            age = self.clock() - keys.read_at
            if age > FRESH_SECONDS or key_id not in keys.by_id:
                await self._refresh(issuer, keys)
        if self.clock() - keys.read_at > STALE_SECONDS:
            raise UnavailableError(keys.problem)
        return keys.by_id.get(key_id)

    async def _refresh(self, issuer: str, keys: _Keys) -> None:
        if self.clock() - keys.tried_at < AGAIN_SECONDS:
            return
        keys.tried_at = self.clock()
        try:
            found = await self.read(issuer)
        except UnavailableError as error:
            keys.problem = str(error)
            log.warning("token issuer not read", issuer=issuer, error=str(error))
            return
        keys.by_id = {str(key.get("kid", "")): key for key in found}
        keys.read_at = self.clock()
