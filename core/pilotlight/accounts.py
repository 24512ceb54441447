"""Accounts: which 12-digit id a namespace has, and which namespace an id means.

The id is a label of the namespace. The operator derives and writes one where it is missing; the
gateway asks the other way round, for the account in a request's ARN or access key.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .errors import AlreadyExistsError, ConflictError, InvalidResourceError, NotFoundError
from .names import ACCOUNT_LABEL, derive_account
from .resources import Key, Namespace

if TYPE_CHECKING:
    from .storage import ResourceStore

__all__ = ["Accounts"]


class Accounts:
    """Namespaces as accounts."""

    def __init__(self, resources: ResourceStore) -> None:
        self._resources = resources

    async def account(self, namespace: str) -> str:
        """Give a namespace's account id, writing a derived one where it has none.

        Raises NotFoundError; InvalidResourceError where the label is no account id;
        AlreadyExistsError where another namespace has that id.
        """
        found = await self._resources.get(Namespace, Key("", namespace))
        account = found.metadata.labels.get(ACCOUNT_LABEL)
        if account is None:
            return await self._label(found)
        if not re.fullmatch(r"[0-9]{12}", account):
            raise InvalidResourceError(
                f"label {ACCOUNT_LABEL} of namespace {namespace!r} is {account!r}: "
                "an account id of 12 digits is expected"
            )
        await self._refuse_collision(found, account)
        return account

    async def namespace(self, account: str) -> str:
        """Give the namespace that is an account; raises NotFoundError."""
        holders = await self._holders(account)
        if not holders:
            raise NotFoundError(f"no namespace is the account {account}")
        return holders[0].metadata.name

    async def _label(self, namespace: Namespace) -> str:
        account = derive_account(namespace.metadata.name)
        await self._refuse_collision(namespace, account)
        labels = namespace.metadata.labels | {ACCOUNT_LABEL: account}
        metadata = namespace.metadata.model_copy(update={"labels": labels})
        try:
            await self._resources.replace(namespace.model_copy(update={"metadata": metadata}))
        except ConflictError:
            return await self.account(namespace.metadata.name)
        return account

    async def _refuse_collision(self, namespace: Namespace, account: str) -> None:
        names = [holder.metadata.name for holder in await self._holders(account)]
        # The oldest holder keeps the id: a namespace that comes later takes nobody's account.
        if names and names[0] != namespace.metadata.name:
            raise AlreadyExistsError(
                f"account id {account} of namespace {namespace.metadata.name!r} is namespace "
                f"{names[0]!r}'s already: give one of them another label {ACCOUNT_LABEL}"
            )

    async def _holders(self, account: str) -> list[Namespace]:
        found = await self._resources.list(Namespace)
        holders = [one for one in found if one.metadata.labels.get(ACCOUNT_LABEL) == account]
        return sorted(holders, key=_age)


def _age(namespace: Namespace) -> tuple[str, str]:
    return namespace.metadata.creation_timestamp or "", namespace.metadata.name
