"""Reconciles functions: reads the facts, decides the status, writes what differs.

Level-triggered: nothing here remembers an event, so a process that dies between any two writes
leaves a state from which the next call converges. `Reconciler` calls it with a key; gateways see
the written status and route to its revision.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar, Protocol

from pilotlight.errors import NotFoundError
from pilotlight.names import FUNCTION_LABEL
from pilotlight.publishing import publish
from pilotlight.resources import (
    FUNCTIONS_BY_LABEL,
    FUNCTIONS_BY_NAME,
    FUNCTIONS_BY_RUNTIME,
    FUNCTIONS_BY_SECRET,
    FUNCTIONS_BY_SECURITY_GROUP,
    FUNCTIONS_WITH_FILE_SYSTEMS,
    Function,
    LayerVersion,
    NetworkPolicy,
    PersistentVolumeClaim,
    Runtime,
    Secret,
    now,
)

from .environment_secrets import EnvironmentSecrets
from .file_systems import ClaimedFileSystems
from .function_facts import FactsReader
from .function_problems import find_problem
from .function_status import decide
from .images import PULLING
from .networks import Networks

if TYPE_CHECKING:
    from collections.abc import Collection

    from pilotlight.accounts import Accounts
    from pilotlight.cache import Cache
    from pilotlight.resources import FunctionStatus, Key, Resource
    from pilotlight.walls import Walls

    from .file_systems import FindsFileSystems
    from .function_facts import Facts
    from .images import FindsImages
    from .packages import Packages

__all__ = ["Acknowledgements", "FunctionService"]

ACKNOWLEDGE_SECONDS = 5.0
"""How long one reconcile waits for the gateways before it lets others have their turn."""
AGAIN_SECONDS = 1.0
REPAIR_SECONDS = 15.0
"""What a spec lacks (a package, a Secret, a Runtime) may come without an event of the function."""
LONGEST_REPAIR_SECONDS = 600.0


class Acknowledgements(Protocol):
    """Knows what the connected gateways route to."""

    async def wait(self, function: Key, revision: str, *, seconds: float) -> bool:
        """Wait until all connected gateways route to a revision; False where time ran out."""
        ...


class FunctionService:
    """Makes functions what their specs say."""

    kind: ClassVar[type[Resource]] = Function

    def __init__(  # noqa: PLR0913  its collaborators, each by name where they could be confused
        self,
        cache: Cache,
        packages: Packages,
        acknowledgements: Acknowledgements,
        *,
        region: str,
        accounts: Accounts,
        images: FindsImages | None = None,
        runnable: Collection[str] | None = None,
        file_systems: FindsFileSystems | None = None,
        walls: Walls | None = None,
    ) -> None:
        """Without `images` no registry is asked for any: nothing here runs them.

        Without `file_systems` claims are mounted; without walls there are no networks.
        """
        self._cache = cache
        self._images = images
        self._acknowledgements = acknowledgements
        self._secrets = EnvironmentSecrets(cache)
        self._networks = Networks(cache, walls)
        self._facts = FactsReader(
            cache,
            packages,
            file_systems or ClaimedFileSystems(cache),
            self._networks,
            accounts=accounts,
            region=region,
            runnable=runnable,
        )

    def affected_by(self, changed: Resource) -> list[Function]:
        """Return the functions that a change concerns."""
        match changed:
            case Function():
                # Who had the name may have left it to another.
                name = (changed.metadata.namespace, changed.function_name)
                return self._cache.by(FUNCTIONS_BY_NAME, name)
            case Secret():
                return self._cache.by(FUNCTIONS_BY_SECRET, changed.key)
            case LayerVersion():
                return [one for one in self._cache.all(Function) if _names_layer(one, changed)]
            case PersistentVolumeClaim() | NetworkPolicy():
                return self._with(changed)
            case Runtime():
                return self._cache.by(FUNCTIONS_BY_RUNTIME, changed.metadata.name)
            case _:
                return []

    def _with(self, given: PersistentVolumeClaim | NetworkPolicy) -> list[Function]:
        """Return who may mount a claim; whose network a policy opens, and who joins its group."""
        namespace, labels = given.metadata.namespace, given.metadata.labels
        if isinstance(given, PersistentVolumeClaim):
            return self._cache.by(FUNCTIONS_WITH_FILE_SYSTEMS, namespace)
        owners = self._cache.by(FUNCTIONS_BY_LABEL, (namespace, labels.get(FUNCTION_LABEL)))
        group = (namespace, given.security_group)
        return owners + self._cache.by(FUNCTIONS_BY_SECURITY_GROUP, group)

    async def reconcile(self, key: Key) -> float | None:
        """Bring one function's status up to date.

        Returns the seconds after which it should be called again though nothing changed, or None
        where it is settled. `runnable` of the constructor are the runtimes that something here
        runs; without it those that have a `Runtime` resource. Raises UnavailableError where a
        store is away, and ConflictError where somebody else wrote at the same time: call again.
        """
        function = self._cache.get(Function, key)
        if function is None or function.metadata.deletion_timestamp:
            self._forget_image(key)
            return None
        try:
            return await self._reconcile(function)
        except NotFoundError:
            self._forget_image(key)
            return None  # deleted meanwhile; its owner reference collects the rest

    def _forget_image(self, key: Key) -> None:
        if self._images is not None:
            self._images.forget(key)

    async def _reconcile(self, function: Function) -> float | None:
        await self._secrets.adopt(function)
        facts = await self._read(function)
        await self._networks.ensure(function)
        function = await self._write(function, decide(facts, acknowledged=False, at=now()))
        if facts.image is PULLING:
            return AGAIN_SECONDS
        if _says(function.status, "Progressing"):
            function = await self._follow_gateways(function, facts)
        if _says(function.status, "Progressing"):
            return AGAIN_SECONDS
        if not _says(function.status, "Ready"):
            return _repair_seconds(function)
        if function.spec.publish == "OnChange":
            await publish(self._cache, function)
        dropped = (
            await self._secrets.drop_superseded(function),
            await self._networks.drop_superseded(function),
        )
        return min((seconds for seconds in dropped if seconds is not None), default=None)

    async def _read(self, function: Function) -> Facts:
        """Read all facts; an image is looked for only where nothing else is wrong, for it costs."""
        facts = await self._facts.read(function)
        if self._images is None or find_problem(facts) is not None:
            return facts
        return replace(facts, image=await self._images.find(function))

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
        changed = function.model_copy(update={"status": status})
        return await self._cache.resources.write_status(changed)


def _repair_seconds(function: Function) -> float:
    """Ask a bucket or a registry that has nothing less and less: each time may cost a whole one."""
    code = function.status.condition("CodeAvailable")
    elsewhere = function.spec.code.s3 or function.spec.code.image
    if elsewhere is None or code is None or code.status != "False":
        return REPAIR_SECONDS
    waited = datetime.now(UTC) - datetime.fromisoformat(code.last_transition_time)
    return min(max(REPAIR_SECONDS, waited.total_seconds()), LONGEST_REPAIR_SECONDS)


def _names_layer(function: Function, layer: LayerVersion) -> bool:
    end = f":layer:{layer.spec.layer}:{layer.spec.version}"
    return any(arn.endswith(end) for arn in function.spec.layers)


def _says(status: FunctionStatus, kind: str) -> bool:
    condition = status.condition(kind)
    return condition is not None and condition.status == "True"
