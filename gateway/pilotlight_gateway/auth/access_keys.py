"""Access keys of the cluster: Secrets of the release's namespace that carry a label.

`accessKeyId`, `secretAccessKey` and `namespace`, the account that the key may act for, and perhaps
`policy`, IAM's JSON of what it may do there; one that cannot be read allows nothing. They are
watched, so that no call waits for one that is known, a new one works at once and a deleted one no
longer does; while the API server is away the last ones count. `sigv4` asks for them.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from pilotlight.access_key_secret import is_access_key, missing_parts, policy_of
from pilotlight.errors import AlreadyExistsError, InvalidResourceError, NotFoundError
from pilotlight.resources import Index, Namespace, Secret

if TYPE_CHECKING:
    from pilotlight.accounts import Accounts
    from pilotlight.cache import Cache
    from pilotlight.identity_policies import IdentityPolicy

__all__ = ["SECRETS_BY_ACCESS_KEY", "AccessKey", "AccessKeys"]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A key and the account it acts for."""

    id: str
    secret: str = field(repr=False)
    namespace: str
    account: str
    function: str = ""
    """Whose own credentials it is of, if it is no Secret's."""
    policy: IdentityPolicy | None = field(default=None, repr=False)
    """What it may do; None lets it do everything in its account."""


class AccessKeys:
    """The access keys among the Secrets that a cache follows."""

    def __init__(self, cache: Cache, accounts: Accounts) -> None:
        self.accounts = accounts
        self._cache = cache
        self._asking = asyncio.Lock()
        self._found: dict[str, AccessKey | None] = {}
        """Keys that were asked for since anything changed; None for one without an account."""
        cache.on_change(Secret, self._secret_changed)
        cache.on_change(Namespace, self._namespace_changed)

    async def find(self, access_key: str) -> AccessKey | None:
        """Return a key; None where there is none of that id. Waits until the cache knows all.

        Raises UnavailableError where its account is not known and cannot be asked for.
        """
        if access_key in self._found:
            return self._found[access_key]
        await self._cache.synced.wait()
        async with self._asking:  # many calls may come at once, with one key
            secret = next(iter(self._cache.by(SECRETS_BY_ACCESS_KEY, access_key)), None)
            if secret is None or access_key in self._found:
                return self._found.get(access_key)
            known = self._found  # another, once something has changed
            known[access_key] = found = await self._read(secret)
            return found

    async def _read(self, secret: Secret) -> AccessKey | None:
        data = secret.string_data
        try:
            account = await self.accounts.account(data["namespace"])
        except (NotFoundError, InvalidResourceError, AlreadyExistsError) as error:
            log.warning("access key ignored", secret=str(secret.key), error=str(error))
            return None
        return AccessKey(
            data["accessKeyId"], data["secretAccessKey"], data["namespace"], account,
            policy=policy_of(secret),
        )  # fmt: skip

    def _secret_changed(self, _before: Secret | None, secret: Secret | None) -> None:
        self._found = {}
        if secret is None or not is_access_key(secret):
            return
        if missing := missing_parts(secret):
            log.warning("access key ignored", secret=str(secret.key), missing=", ".join(missing))
        policy = policy_of(secret)
        if policy is not None and policy.problem:
            log.warning("access key may do nothing", secret=str(secret.key), why=policy.problem)

    def _namespace_changed(self, _before: Namespace | None, _after: Namespace | None) -> None:
        self._found = {}


def _access_key_ids(secret: Secret) -> list[str]:
    is_whole = is_access_key(secret) and not missing_parts(secret)
    return [secret.string_data["accessKeyId"]] if is_whole else []


SECRETS_BY_ACCESS_KEY = Index(Secret, _access_key_ids)
