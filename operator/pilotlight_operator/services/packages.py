"""Finds the package of a function, wherever its code is; what is not stored yet is stored first.

Inline code is made a package, since only then its sha256 and size are facts; an object of a bucket
is fetched once and pinned: what the bucket has later is asked for only where the spec names another
object or version. Both writes repeat without harm.

The operator fetches, not a gateway: it alone acts for a function, so nobody need agree on who does,
and what came of it goes into the status that it writes anyway. Memory is lent by namespace and
turns are short: a bucket that sends slowly holds up its own account, and not the controller's
health.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pilotlight.aws.buckets import BucketError
from pilotlight.budget import ByteBudget
from pilotlight.errors import InvalidResourceError, PilotlightError, UnavailableError
from pilotlight.packages import inline_package
from pilotlight_wire.archive import PACKED_LIMIT, ArchiveError, check

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pilotlight.aws.buckets import Buckets
    from pilotlight.resources import Function, S3Object
    from pilotlight.storage import ArtifactStore

__all__ = ["Package", "Packages"]

MOST_FETCHES = 2
TURN_SECONDS = 20.0
FETCH_SECONDS = 45.0


@dataclass(frozen=True, slots=True)
class Package:
    """A deployment package that is in the artifact store."""

    sha256: str
    size: int
    """Bytes."""


class Packages:
    """The packages of all functions."""

    def __init__(self, artifacts: ArtifactStore, buckets: Buckets) -> None:
        self._artifacts = artifacts
        self._buckets = buckets
        self._memory = ByteBudget(MOST_FETCHES * PACKED_LIMIT)

    async def find(self, function: Function, account: str) -> Package | PilotlightError | None:
        """Return a function's package, what is wrong with it, or None where nobody brought it.

        Raises UnavailableError where a store is away, or too much is being fetched.
        """
        code, namespace = function.spec.code, function.metadata.namespace
        if code.inline is not None:
            return await self._inline(function, code.inline)
        if code.s3 is not None:
            pinned = function.status.pinned
            known = pinned is not None and pinned.s3 == code.s3
            stored = await self._stored(pinned.sha256, namespace) if pinned and known else None
            return stored or await self._fetch(code.s3, namespace, account)
        return await self._stored(code.zip, namespace) if code.zip else None

    async def _stored(self, sha256: str, namespace: str) -> Package | None:
        # A name is no ticket: another account's package is as good as none.
        if not await self._artifacts.belongs(sha256, namespace):
            return None
        size = await self._artifacts.size(sha256)
        return None if size is None else Package(sha256, size)

    async def _inline(self, function: Function, source: str) -> Package | PilotlightError:
        spec = function.spec
        try:
            content = inline_package(spec.handler or "", source, spec.runtime or "")
        except InvalidResourceError as error:
            return error
        return await self._keep(content, function.metadata.namespace)

    async def _fetch(
        self, source: S3Object, namespace: str, account: str
    ) -> Package | PilotlightError:
        memory = self._memory.share(namespace, MOST_FETCHES)
        try:
            async with asyncio.timeout(TURN_SECONDS):
                lent = await memory.take(PACKED_LIMIT)
        except TimeoutError as error:
            raise UnavailableError("too many packages are being fetched from buckets") from error
        try:
            content = await self._buckets.read(
                source, namespace=namespace, account=account,
                limit=PACKED_LIMIT, seconds=FETCH_SECONDS,
            )  # fmt: skip
            await asyncio.to_thread(check, io.BytesIO(content))
            return await self._keep(content, namespace)
        except BucketError as error:
            return error
        except ArchiveError as error:
            said = f"code.s3 {source.bucket}/{source.key}: could not unzip the package: {error}"
            return InvalidResourceError(said)
        finally:
            memory.give(lent)

    async def _keep(self, content: bytes, namespace: str) -> Package:
        sha256 = hashlib.sha256(content).hexdigest()
        # Asked first: a reconcile of a settled function writes nothing.
        if not await self._artifacts.belongs(sha256, namespace):
            await self._artifacts.put(sha256, _once(content))
            await self._artifacts.note_owner(sha256, namespace)
        return Package(sha256, len(content))


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
