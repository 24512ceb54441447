"""Looks now and then at everything, for what no event told of: a level, not an edge.

Finds changes that a silent watch swallowed, and makes what must be there whatever users do: account
ids and runtimes. That it comes to its end is the controller's sign of life.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pilotlight.resources import Key, Resource, RuntimeSpec
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
    touch: Mapping[type[Resource], Callable[[Key], None]]
    """Has a resource of that kind reconciled."""

    async def run(self) -> None:
        """Look once; raises UnavailableError."""
        await self.accounts.ensure(self.namespaces)
        await self.runtimes.ensure(self.wanted_runtimes)
        for kind, touch in self.touch.items():
            for resource in await self.resources.list(kind):
                status = getattr(resource, "status", None)
                if getattr(status, "observed_generation", 0) != resource.metadata.generation:
                    touch(resource.key)
