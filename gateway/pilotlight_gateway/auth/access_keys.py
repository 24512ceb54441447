"""Access keys of the cluster: Secrets of the release's namespace that carry a label.

`accessKeyId`, `secretAccessKey` and `namespace`, the account that the key may act for. Keys are
read again twice a minute, also while there are no calls, since the first one would wait for it; and
when an unknown one comes. So a new key works at once and a deleted one soon does not; while the API
server is away the last ones count.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from pilotlight.errors import PilotlightError
from pilotlight.resources import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from pilotlight.accounts import Accounts
    from pilotlight.storage import ResourceStore

__all__ = ["AccessKey", "AccessKeys"]

LABEL = "pilotlight.dev/access-key"
FRESH_SECONDS = 60.0
"""How long a key that was deleted may still be taken for one."""
RENEW_SECONDS = 30.0
"""How often keys are read again, so that no call waits for it."""
MISS_SECONDS = 1.0
"""How soon an unknown key may make us read again."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A key and the account it acts for."""

    id: str
    secret: str = field(repr=False)
    namespace: str
    account: str


@dataclass(slots=True)
class AccessKeys:
    """All access keys, kept for a while."""

    resources: ResourceStore
    accounts: Accounts
    namespace: str
    clock: Callable[[], float] = time.monotonic
    _keys: dict[str, AccessKey] = field(default_factory=dict)
    _read_at: float = float("-inf")
    _reading: asyncio.Task[None] | None = None

    async def find(self, access_key: str) -> AccessKey | None:
        """Give a key; None where there is none of that id."""
        age = self.clock() - self._read_at
        unknown = access_key not in self._keys
        if age > FRESH_SECONDS or (unknown and (age > MISS_SECONDS or self._reading)):
            await asyncio.shield(self._read_once())
        return self._keys.get(access_key)

    async def run(self) -> None:
        """Keep what is known fresh, for ever."""
        while True:
            await self._read_once()
            await asyncio.sleep(RENEW_SECONDS)

    def _read_once(self) -> asyncio.Task[None]:
        """Read, or join whoever reads already."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
            self._reading.add_done_callback(self._has_read)
        return self._reading

    def _has_read(self, _: asyncio.Task[None]) -> None:
        self._reading = None

    async def _read(self) -> None:
        self._read_at = self.clock()
        try:
            secrets = await self.resources.list(Secret, self.namespace)
            keys = [await self._key(secret) for secret in secrets if _is_key(secret)]
        except PilotlightError as error:
            log.warning("access keys not read", error=str(error))
            return
        self._keys = {key.id: key for key in keys if key is not None}

    async def _key(self, secret: Secret) -> AccessKey | None:
        data = secret.string_data
        missing = {"accessKeyId", "secretAccessKey", "namespace"} - data.keys()
        if missing:
            log.warning(
                "access key ignored", secret=str(secret.key), missing=", ".join(sorted(missing))
            )
            return None
        try:
            account = await self.accounts.account(data["namespace"])
        except PilotlightError as error:
            log.warning("access key ignored", secret=str(secret.key), error=str(error))
            return None
        return AccessKey(data["accessKeyId"], data["secretAccessKey"], data["namespace"], account)


def _is_key(secret: Secret) -> bool:
    return secret.metadata.labels.get(LABEL) == "true"
