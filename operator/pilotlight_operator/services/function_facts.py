"""What must be known of a function before its status can be decided, read in one place.

Reading also makes an inline function's package, since only then its sha256 and size are facts;
the write repeats without harm. `function_status.decide` goes on from here.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pilotlight.errors import (
    AlreadyExistsError,
    InvalidResourceError,
    NotFoundError,
    PilotlightError,
)
from pilotlight.layers import find_layer_version
from pilotlight.packages import inline_package
from pilotlight.resources import FUNCTIONS_BY_NAME, Key, Layer, Runtime, Secret

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from pilotlight.accounts import Accounts
    from pilotlight.cache import Cache
    from pilotlight.resources import Function
    from pilotlight.storage import ArtifactStore

__all__ = ["Facts", "FactsReader", "Package"]


@dataclass(frozen=True, slots=True)
class Package:
    """A deployment package that is in the artifact store."""

    sha256: str
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a function's status depends on; what is missing is an error or None."""

    function: Function
    account: str | PilotlightError
    region: str
    holder: str
    """Object name of the function that has the functionName."""
    runnable: Collection[str]
    """The runtimes that something here runs."""
    package: Package | PilotlightError | None
    secret: Secret | None
    """What `environmentFrom` names."""
    layers: tuple[Layer, ...] | PilotlightError = ()


class FactsReader:
    """Reads facts from the cache and the artifact store."""

    def __init__(
        self,
        cache: Cache,
        artifacts: ArtifactStore,
        *,
        accounts: Accounts,
        region: str,
        runnable: Collection[str] | None = None,
    ) -> None:
        self._cache = cache
        self._artifacts = artifacts
        self._accounts = accounts
        self._region = region
        self._runnable = runnable

    async def read(self, function: Function) -> Facts:
        """Read all facts about a function; raises UnavailableError where a store is away."""
        return Facts(
            function=function,
            account=await self._account(function),
            region=self._region,
            holder=self._holder(function),
            runnable=self._runtimes() if self._runnable is None else self._runnable,
            package=await self._package(function),
            secret=self._secret(function),
            layers=await self._layers(function),
        )

    async def _layers(self, function: Function) -> tuple[Layer, ...] | PilotlightError:
        """Return what a spec names; a version that was deleted only where it is served already."""
        if not function.spec.layers:
            return ()
        served = function.status.configuration
        had = {one.arn for one in served.layers} if served else set()
        try:
            account = await self._accounts.account(function.metadata.namespace)
            return tuple(self._layer(arn, account, had) for arn in function.spec.layers)
        except (AlreadyExistsError, InvalidResourceError, NotFoundError) as error:
            return error

    def _layer(self, arn: str, account: str, had: set[str]) -> Layer:
        found = find_layer_version(self._cache, arn, region=self._region, account=account)
        if found.spec.deleted and arn not in had:
            raise NotFoundError(f"Layer version {arn} does not exist.")
        return Layer(arn=arn, sha256=found.spec.code_sha256, size=found.spec.code_size)

    async def _account(self, function: Function) -> str | PilotlightError:
        try:
            return await self._accounts.account(function.metadata.namespace)
        except (AlreadyExistsError, InvalidResourceError, NotFoundError) as error:
            return error

    def _holder(self, function: Function) -> str:
        name = (function.metadata.namespace, function.function_name)
        same = self._cache.by(FUNCTIONS_BY_NAME, name)
        return min(same, key=_precedence, default=function).metadata.name

    def _runtimes(self) -> set[str]:
        return {runtime.metadata.name for runtime in self._cache.all(Runtime)}

    async def _package(self, function: Function) -> Package | PilotlightError | None:
        code = function.spec.code
        if code.inline is not None:
            return await self._inline_package(function, code.inline)
        if code.zip is None:
            return None
        # A name is no ticket: another account's package is as good as none.
        if not await self._artifacts.belongs(code.zip, function.metadata.namespace):
            return None
        size = await self._artifacts.size(code.zip)
        return None if size is None else Package(code.zip, size)

    async def _inline_package(self, function: Function, source: str) -> Package | PilotlightError:
        spec = function.spec
        try:
            content = inline_package(spec.handler or "", source, spec.runtime or "")
        except InvalidResourceError as error:
            return error
        sha256 = hashlib.sha256(content).hexdigest()
        # Asked first: a reconcile of a settled function writes nothing.
        if not await self._artifacts.belongs(sha256, function.metadata.namespace):
            await self._artifacts.put(sha256, _once(content))
            await self._artifacts.note_owner(sha256, function.metadata.namespace)
        return Package(sha256, len(content))

    def _secret(self, function: Function) -> Secret | None:
        reference = function.spec.environment_from
        if reference is None:
            return None
        return self._cache.get(Secret, Key(function.metadata.namespace, reference.secret))


def _precedence(function: Function) -> tuple[str, bool, str]:
    """Sort the holder of a functionName first: the oldest, and of one second the serving one."""
    metadata = function.metadata
    return (
        metadata.creation_timestamp or "",
        function.status.revision is None,
        metadata.name,
    )


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
