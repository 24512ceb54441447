"""Looks now and then at everything, for what no event told of: a level, not an edge.

Finds changes that a silent watch swallowed, and makes what must be there whatever users do: account
ids and runtimes. That it comes to its end is the controller's sign of life.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pilotlight.resources import Function

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pilotlight.resources import Key, RuntimeSpec
    from pilotlight.storage import ResourceStore

    from .services.accounts import AccountService
    from .services.runtimes import RuntimeService

__all__ = ["Resync"]


@dataclass(frozen=True, slots=True)
class Resync:
    """One look at everything."""

    resources: ResourceStore
    accounts: AccountService
    runtimes: RuntimeService
    namespaces: tuple[str, ...]
    wanted_runtimes: Mapping[str, RuntimeSpec]
    touch: Callable[[Key], None]
    """Has a function reconciled."""

    async def run(self) -> None:
        """Look once; raises UnavailableError."""
        await self.accounts.ensure(self.namespaces)
        await self.runtimes.ensure(self.wanted_runtimes)
        for function in await self.resources.list(Function):
            if function.status.observed_generation != function.metadata.generation:
                self.touch(function.key)
