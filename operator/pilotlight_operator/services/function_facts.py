"""What must be known of a function before its status can be decided, read in one place.

Where code is not stored as a package yet, that is done first (`packages`). `function_status.decide`
goes on from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pilotlight.errors import (
    AlreadyExistsError,
    InvalidResourceError,
    NotFoundError,
    PilotlightError,
)
from pilotlight.layers import find_layer_version
from pilotlight.resources import FUNCTIONS_BY_NAME, Key, Layer, Runtime, Secret

from .file_systems import FileSystemError

if TYPE_CHECKING:
    from collections.abc import Collection

    from pilotlight.accounts import Accounts
    from pilotlight.cache import Cache
    from pilotlight.resources import Function, Mount

    from .file_systems import FindsFileSystems
    from .images import FoundImage
    from .networks import NetworkError, Networks
    from .packages import Package, Packages

__all__ = ["Facts", "FactsReader"]


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
    file_systems: tuple[Mount, ...] | FileSystemError = ()
    missing_secret: str | None = None
    """Which Secret cannot be had that is wanted as files."""
    network: NetworkError | None = None
    """Why the function cannot have its network."""
    image: FoundImage | None = None
    """The container image, if the function is one and nothing else is wrong with it."""


class FactsReader:
    """Reads facts from the cache and the packages."""

    def __init__(  # noqa: PLR0913  where facts are, each by name
        self,
        cache: Cache,
        packages: Packages,
        file_systems: FindsFileSystems,
        networks: Networks,
        *,
        accounts: Accounts,
        region: str,
        runnable: Collection[str] | None = None,
    ) -> None:
        self._cache = cache
        self._packages = packages
        self._file_systems = file_systems
        self._networks = networks
        self._accounts = accounts
        self._region = region
        self._runnable = runnable

    async def read(self, function: Function) -> Facts:
        """Read all facts about a function; raises UnavailableError where a store is away."""
        account = await self._account(function)
        return Facts(
            function=function,
            account=account,
            region=self._region,
            holder=self._holder(function),
            runnable=self._runtimes() if self._runnable is None else self._runnable,
            package=await self._package(function, account),
            secret=self._secret(function),
            layers=await self._layers(function),
            file_systems=self._mounts(function),
            missing_secret=self._file_systems.find_missing_secret(function),
            network=self._networks.check(function),
        )

    def _mounts(self, function: Function) -> tuple[Mount, ...] | FileSystemError:
        try:
            return self._file_systems.find(function)
        except FileSystemError as error:
            return error

    async def _package(
        self, function: Function, account: str | PilotlightError
    ) -> Package | PilotlightError | None:
        if not isinstance(account, str):
            return None  # there is nobody whose package it could be
        return await self._packages.find(function, account)

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
