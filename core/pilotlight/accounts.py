"""Accounts: which 12-digit id a namespace has.

The id is a label of the namespace; where it is missing, one is derived and written.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .errors import AlreadyExistsError, ConflictError, InvalidResourceError, NotFoundError
from .names import ACCOUNT_LABEL, derive_account
from .resources import NAMESPACES_BY_ACCOUNT, Key, Namespace

if TYPE_CHECKING:
    from .cache import Cache

__all__ = ["Accounts", "namespace_of"]


class Accounts:
    """Namespaces as accounts."""

    def __init__(self, cache: Cache) -> None:
        """Read namespaces from a cache that follows them."""
        self._cache = cache

    async def account(self, namespace: str) -> str:
        """Return a namespace's account id, writing a derived one where it has none.

        Raises NotFoundError; InvalidResourceError where the label is no account id;
        AlreadyExistsError where another namespace has that id.
        """
        found = await self._cache.find(Namespace, Key("", namespace))
        if found is None:
            raise NotFoundError(f"there is no namespace {namespace!r}")
        account = found.metadata.labels.get(ACCOUNT_LABEL)
        if account is None:
            return await self._label(found)
        if not re.fullmatch(r"[0-9]{12}", account):
            raise InvalidResourceError(
                f"label {ACCOUNT_LABEL} of namespace {namespace!r} is {account!r}: "
                "an account id of 12 digits is expected"
            )
        self._refuse_collision(found, account)
        return account

    async def _label(self, namespace: Namespace) -> str:
        account = derive_account(namespace.metadata.name)
        await self._cache.refresh(Namespace)  # a label stays: nobody's id may have been missed
        self._refuse_collision(namespace, account)
        labels = namespace.metadata.labels | {ACCOUNT_LABEL: account}
        metadata = namespace.metadata.model_copy(update={"labels": labels})
        try:
            changed = namespace.model_copy(update={"metadata": metadata})
            await self._cache.resources.replace(changed)
        except ConflictError:
            await self._cache.resources.get(Namespace, namespace.key)
            return await self.account(namespace.metadata.name)
        return account

    def _refuse_collision(self, namespace: Namespace, account: str) -> None:
        holder = namespace_of(self._cache, account)
        if holder is not None and holder != namespace.metadata.name:
            raise AlreadyExistsError(
                f"account id {account} of namespace {namespace.metadata.name!r} is namespace "
                f"{holder!r}'s already: give one of them another label {ACCOUNT_LABEL}"
            )


def namespace_of(cache: Cache, account: str) -> str | None:
    """Return the namespace that is an account; None where there is none.

    Of several the oldest: a namespace that comes later takes nobody's account.
    """
    oldest = min(cache.by(NAMESPACES_BY_ACCOUNT, account), key=_age, default=None)
    return None if oldest is None else oldest.metadata.name


def _age(namespace: Namespace) -> tuple[str, str]:
    return namespace.metadata.creation_timestamp or "", namespace.metadata.name
