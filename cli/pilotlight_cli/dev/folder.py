"""The manifests that `pilotlight dev` keeps applied, and the files that they depend on.

A change of a file reloads the manifests that it belongs to; only what differs from what was
applied last is applied again, so that an editor's noise does nothing.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pilotlight.errors import AlreadyExistsError
from pilotlight.resources import Function, Runtime, Secret
from pilotlight_cli.failures import Failure
from pilotlight_cli.manifests import SUFFIXES, Manifest, load
from pilotlight_local.accounts import DEFAULT_NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pilotlight.storage import ResourceStore
    from pilotlight_cli.builders import Packager
    from pilotlight_cli.platform import Applied, Platform

    from .console import Console

__all__ = ["AppliedFolder"]

SETTLE_SECONDS = 30.0


class AppliedFolder:
    """Manifests of some paths, applied."""

    def __init__(
        self, resources: ResourceStore, platform: Platform, console: Console, packager: Packager
    ) -> None:
        self._resources = resources
        self._platform = platform
        self._console = console
        self._packager = packager
        self._manifests: dict[tuple[Path, str, str], Manifest] = {}

    @property
    def sources(self) -> set[Path]:
        """Where the code of the manifests is, and what links in it lead to."""
        return {place for one in self._manifests.values() for place in _sources(one)}

    async def apply(self, manifests: Iterable[Manifest]) -> list[Function]:
        """Apply what is new or differs; give the functions among it that are served now."""
        applied: list[Applied] = []
        for manifest in manifests:
            place = _place(manifest)
            if self._manifests.get(place) != manifest:
                self._manifests[place] = manifest
                self._name_left_out(manifest)
                with self._reporting(manifest):
                    applied += await self._apply(manifest)
        return [function for one in applied for function in await self._settle(one)]

    async def reload(self, changed: set[Path]) -> list[Function]:
        """Apply what the changed files belong to; give the functions that are served anew."""
        files = {path for path in changed if path.suffix in SUFFIXES and path.is_file()}
        for manifest in self._manifests.values():
            places = _sources(manifest)
            if any(path.is_relative_to(place) for path in changed for place in places):
                files.add(manifest.file)
        try:
            manifests = await asyncio.to_thread(
                load, sorted(files), lenient=True, packager=self._packager
            )
        except Failure as error:
            self._console.problem(error.format_message())
            return []
        return await self.apply(manifests)

    async def _apply(self, manifest: Manifest) -> list[Applied]:
        match manifest.resource:
            case Secret() as secret:
                # No Secret goes over the API: this one is of this machine, like the store.
                await self._put_secret(secret)
            case Runtime():
                raise Failure("a Runtime is a cluster's: this machine runs what it has")
            case _:
                return [await asyncio.to_thread(self._platform.apply, manifest)]
        return []

    async def _settle(self, applied: Applied) -> list[Function]:
        if not isinstance(applied.manifest.resource, Function):
            return []
        with self._reporting(applied.manifest):
            metadata = applied.stored["metadata"]
            function = await asyncio.to_thread(
                self._platform.settle,
                applied.stored["spec"].get("functionName", metadata["name"]),
                metadata["generation"],
                seconds=SETTLE_SECONDS,
            )
            return [function]
        return []

    @contextmanager
    def _reporting(self, manifest: Manifest) -> Iterator[None]:
        """Show a failure of one manifest and go on with the others."""
        try:
            yield
        except Failure as error:
            self._console.problem(f"{manifest.file}: {error.format_message()}")

    def _name_left_out(self, manifest: Manifest) -> None:
        """Say what of a function's folder is not in its package."""
        for entry, why in (manifest.package.left_out if manifest.package else {}).items():
            self._console.problem(f"{manifest.source}: {entry} is left out: {why}")

    async def _put_secret(self, secret: Secret) -> None:
        namespace = secret.metadata.namespace or DEFAULT_NAMESPACE
        metadata = secret.metadata.model_copy(update={"namespace": namespace})
        wanted = secret.model_copy(update={"metadata": metadata})
        try:
            await self._resources.create(wanted)
        except AlreadyExistsError:
            present = await self._resources.get(Secret, wanted.key)
            metadata = present.metadata.model_copy(update={"labels": metadata.labels})
            update = {"string_data": wanted.string_data, "metadata": metadata}
            await self._resources.replace(present.model_copy(update=update))


def _sources(manifest: Manifest) -> set[Path]:
    if manifest.source is None:
        return set()
    return {manifest.source} | (manifest.package.linked if manifest.package else frozenset())


def _place(manifest: Manifest) -> tuple[Path, str, str]:
    resource = manifest.resource
    return manifest.file, resource.kind_name, resource.metadata.name
