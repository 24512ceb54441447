"""Accounts of local mode: any access key will do, and one of 12 digits is an account of its own.

On Kubernetes an admin makes an account by labelling a namespace; here the first request does. So a
function's own credentials are its account's id, which LocalStack and moto understand as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight.errors import AlreadyExistsError
from pilotlight.names import ACCOUNT_LABEL
from pilotlight.resources import Key, Namespace, ObjectMeta
from pilotlight_gateway.auth.local import LocalAuthenticator

if TYPE_CHECKING:
    from pilotlight.cache import Cache
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

    def __init__(self, cache: Cache, account: str) -> None:
        self._resources = cache.resources
        self._account = account
        self._believer = LocalAuthenticator(account)
        self._open: set[str] = set()

    async def check_head(self, head: RequestHead) -> Verify:
        """Open the account that the access key names, or the default one."""
        caller = self._believer.caller(head)
        if caller.namespace not in self._open:
            await self.open(caller.namespace, caller.account)
        return lambda _: caller

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
