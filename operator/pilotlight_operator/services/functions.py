"""Reconciles functions: reads the facts, decides the status, writes what differs.

Level-triggered: nothing here remembers an event, so a process that dies between any two writes
leaves a state from which the next call converges. kopf's handlers and local mode's reconciler call
it with a key; gateways see the written status and route to its revision.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from pilotlight.errors import NotFoundError
from pilotlight.publishing import publish
from pilotlight.resources import Function, now

from .environment_secrets import EnvironmentSecrets
from .function_facts import FactsReader
from .function_status import decide

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pilotlight.accounts import Accounts
    from pilotlight.resources import FunctionStatus, Key
    from pilotlight.storage import ArtifactStore, ResourceStore

    from .function_facts import Facts

__all__ = ["Acknowledgements", "FunctionService"]

ACKNOWLEDGE_SECONDS = 5.0
"""How long one reconcile waits for the gateways before it lets others have their turn."""
AGAIN_SECONDS = 1.0
REPAIR_SECONDS = 15.0
"""What a spec lacks (a package, a Secret, a Runtime) may come without an event of the function."""


class Acknowledgements(Protocol):
    """Knows what the connected gateways route to."""

    async def wait(self, function: Key, revision: str, *, seconds: float) -> bool:
        """Wait until all connected gateways route to a revision; False where time ran out."""
        ...


class FunctionService:
    """Makes functions what their specs say."""

    def __init__(  # noqa: PLR0913  its collaborators, each by name where they could be confused
        self,
        resources: ResourceStore,
        artifacts: ArtifactStore,
        acknowledgements: Acknowledgements,
        *,
        region: str,
        accounts: Accounts,
        runnable: Callable[[str], Awaitable[bool]] | None = None,
    ) -> None:
        self._resources = resources
        self._acknowledgements = acknowledgements
        self._secrets = EnvironmentSecrets(resources)
        self._facts = FactsReader(
            resources, artifacts, accounts=accounts, region=region, runnable=runnable
        )

    async def reconcile(self, key: Key) -> float | None:
        """Bring one function's status up to date.

        Gives the seconds after which it should be called again though nothing changed, or None
        where it is settled. `runnable` of the constructor says whether something here runs a
        runtime; without it a `Runtime` resource must be there. Raises UnavailableError where a
        store is away, and ConflictError where somebody else wrote at the same time: call again.
        """
        try:
            return await self._reconcile(await self._resources.get(Function, key))
        except NotFoundError:
            return None  # deleted before or meanwhile; its owner reference collects the rest

    async def _reconcile(self, function: Function) -> float | None:
        if function.metadata.deletion_timestamp:
            return None
        await self._secrets.adopt(function)
        facts = await self._facts.read(function)
        function = await self._write(function, decide(facts, acknowledged=False, at=now()))
        if _says(function.status, "Progressing"):
            function = await self._follow_gateways(function, facts)
        if _says(function.status, "Progressing"):
            return AGAIN_SECONDS
        if not _says(function.status, "Ready"):
            return REPAIR_SECONDS
        if function.spec.publish == "OnChange":
            await publish(self._resources, function)
        return await self._secrets.drop_superseded(function)

    async def _follow_gateways(self, function: Function, facts: Facts) -> Function:
        revision = function.status.revision or ""
        if not await self._acknowledgements.wait(
            function.key, revision, seconds=ACKNOWLEDGE_SECONDS
        ):
            return function
        rolled = replace(facts, function=function)
        return await self._write(function, decide(rolled, acknowledged=True, at=now()))

    async def _write(self, function: Function, status: FunctionStatus) -> Function:
        if status == function.status:
            return function
        return await self._resources.write_status(function.model_copy(update={"status": status}))


def _says(status: FunctionStatus, kind: str) -> bool:
    condition = status.condition(kind)
    return condition is not None and condition.status == "True"
