"""Gives every account namespace its id, before anyone asks: access keys work from then on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from pilotlight.errors import AlreadyExistsError, InvalidResourceError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pilotlight.accounts import Accounts

__all__ = ["AccountService"]

log = structlog.get_logger()


class AccountService:
    """Labels namespaces."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    async def ensure(self, namespaces: Iterable[str]) -> None:
        """Write missing account ids; a namespace that cannot have one hinders no other."""
        for namespace in namespaces:
            try:
                await self._accounts.account(namespace)
            except (AlreadyExistsError, InvalidResourceError, NotFoundError) as error:
                log.warning("account without id", namespace=namespace, error=str(error))
