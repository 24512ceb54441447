"""Accounts of local mode: any access key will do, and one of 12 digits is an account of its own.

On Kubernetes an admin makes an account by labelling a namespace; here the first request does. So a
function's own credentials are its account's id, which LocalStack and moto understand as well. A key
that a manifest declares as a cluster's Secret does acts for the account that it names, with its
policy, so that policies are tried where functions are written; its secret is not asked for.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pilotlight.errors import AlreadyExistsError
from pilotlight.names import ACCOUNT_LABEL
from pilotlight.resources import Key, Namespace, ObjectMeta
from pilotlight_gateway.auth.access_keys import SECRETS_BY_ACCESS_KEY, AccessKeys
from pilotlight_gateway.auth.caller import Caller
from pilotlight_gateway.auth.credentials import parse_authorization
from pilotlight_gateway.auth.local import LocalAuthenticator
from pilotlight_gateway.errors import UnrecognizedClientError

if TYPE_CHECKING:
    from pilotlight.accounts import Accounts
    from pilotlight.cache import Cache
    from pilotlight.resources import Secret
    from pilotlight_gateway.auth.caller import RequestHead, Verify

__all__ = ["DEFAULT_NAMESPACE", "SelfServiceAccounts", "credentials_of"]

DEFAULT_NAMESPACE = "default"


def credentials_of(_namespace: str, account: str, _function: str) -> dict[str, str]:
    """Return the variables of credentials with which a function acts for its own account."""
    return {
        "AWS_ACCESS_KEY_ID": account,
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_SESSION_TOKEN": "local",
    }


class SelfServiceAccounts:
    """An `Authenticator` that believes everybody and opens the account that they name."""

    def __init__(self, cache: Cache, accounts: Accounts, account: str) -> None:
        self._cache = cache
        self._keys = AccessKeys(cache, accounts)
        self._resources = cache.resources
        self._account = account
        self._believer = LocalAuthenticator(account)
        self._open: set[str] = set()

    async def check_head(self, head: RequestHead) -> Verify:
        """Open the account that the access key names, or the default one."""
        credentials = parse_authorization(head.headers.get("Authorization", ""))
        declared = credentials and self._cache.by(SECRETS_BY_ACCESS_KEY, credentials.access_key)
        if declared:
            caller = await self._caller_of(declared[0])
            return lambda _: caller
        caller = self._believer.caller(head)
        if caller.namespace not in self._open:
            await self.open(caller.namespace, caller.account)
        return lambda _: caller

    async def _caller_of(self, secret: Secret) -> Caller:
        namespace = secret.string_data["namespace"]
        named = re.fullmatch(r"account-(\d{12})", namespace)
        if named and namespace not in self._open:
            await self.open(namespace, named[1])
        key = await self._keys.find(secret.string_data["accessKeyId"])
        if key is None:
            raise UnrecognizedClientError(
                f"The access key of Secret {secret.metadata.name} is for namespace {namespace!r}, "
                "default or account- and 12 digits is expected."
            )
        return Caller(key.account, key.namespace, key.id, policy=key.policy)

    async def open(self, namespace: str = DEFAULT_NAMESPACE, account: str = "") -> None:
        """Make an account's namespace, or give the one that is there its id."""
        labels = {ACCOUNT_LABEL: account or self._account}
        try:
            await self._resources.create(
                Namespace(metadata=ObjectMeta(name=namespace, labels=labels))
            )
        except AlreadyExistsError:
            present = await self._resources.get(Namespace, Key("", namespace))
            metadata = present.metadata.model_copy(
                update={"labels": present.metadata.labels | labels}
            )
            await self._resources.replace(present.model_copy(update={"metadata": metadata}))
        self._open.add(namespace)
