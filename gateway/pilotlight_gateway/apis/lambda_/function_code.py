"""The code that comes with CreateFunction and UpdateFunctionCode: checked, kept, addressed.

A package is checked before it is kept (`pilotlight_wire.archive`, the same checks as the agent's),
so a bad one leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from pilotlight.aws.buckets import BucketError
from pilotlight.manifest import parse_model
from pilotlight.resources import S3Object
from pilotlight_gateway.errors import (
    AccessDeniedError,
    InvalidParameterValueError,
    RequestEntityTooLargeError,
    SerializationError,
)
from pilotlight_wire.archive import PACKED_LIMIT, ArchiveError, EmptyArchiveError, check

from .function_input import refuse_unsupported_code

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from pilotlight.resources import Function
    from pilotlight_gateway.auth.caller import Caller
    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.services import Services

__all__ = ["check_package", "keep_code", "lend_package", "one_piece", "with_code_size"]

_CHECKS = ThreadPoolExecutor(1, "package-check")
"""One at a time: what a package costs to check is bounded, how many come at once is not."""
_SOURCES = ("ZipFile", "S3Bucket")


async def keep_code(
    services: Services, call: Call, code: Mapping[str, Any], *, dry_run: bool = False
) -> tuple[str, int]:
    """Check and keep a package for the account it is for; returns its sha256 (hex) and its size.

    A bucket is read with the keys of whoever calls, who may be of another account.
    """
    async with lend_package(services, code, call.caller) as package:
        sha256 = hashlib.sha256(package).hexdigest()
        if not dry_run:
            await services.artifacts.put(sha256, one_piece(package))
            await services.artifacts.note_owner(sha256, call.namespace)
        return sha256, len(package)


@asynccontextmanager
async def lend_package(
    services: Services, code: Mapping[str, Any], caller: Caller
) -> AsyncIterator[bytes]:
    """Lend a package itself, wherever it comes from, once it has been checked."""
    given = [name for name in _SOURCES if code.get(name)]
    if len(given) != 1:
        raise InvalidParameterValueError(
            "Please provide a source for function code: exactly one of "
            f"{', '.join(_SOURCES)} is expected, {' and '.join(given) or 'none'} came."
        )
    refuse_unsupported_code(code)
    if given == ["ZipFile"]:
        package = _decode(code["ZipFile"])
        await check_package(package)
        yield package
        return
    async with services.bodies.room(PACKED_LIMIT, owner=caller.account):
        package = await _of_bucket(services, code, caller)
        await check_package(package)
        yield package


async def _of_bucket(services: Services, code: Mapping[str, Any], caller: Caller) -> bytes:
    """Read a package from a bucket; raises what Lambda says of buckets."""
    if not code.get("S3Key"):
        raise InvalidParameterValueError("S3Key is expected beside S3Bucket, none came.")
    source = parse_model(
        S3Object,
        {"bucket": code["S3Bucket"], "key": code["S3Key"], "version": code.get("S3ObjectVersion")},
    )
    try:
        return await services.buckets.read(
            source, namespace=caller.namespace, account=caller.account, limit=PACKED_LIMIT
        )
    except BucketError as error:
        refused = AccessDeniedError if error.denied else InvalidParameterValueError
        raise refused(str(error)) from error


async def check_package(package: bytes) -> None:
    """Check a package; raises InvalidParameterValueError or RequestEntityTooLargeError."""
    await asyncio.get_running_loop().run_in_executor(_CHECKS, _check, package)


def _check(package: bytes) -> None:
    if len(package) > PACKED_LIMIT:
        raise RequestEntityTooLargeError(f"Zipped size must be smaller than {PACKED_LIMIT} bytes")
    try:
        check(io.BytesIO(package))
    except EmptyArchiveError as error:
        raise InvalidParameterValueError(str(error)) from error
    except ArchiveError as error:
        raise InvalidParameterValueError(f"Could not unzip uploaded file: {error}") from error


def with_code_size(function: Function, size: int) -> Function:
    """Return a function that was just written, with what the operator will say of its package."""
    status = function.status.model_copy(update={"code_size": size})
    return function.model_copy(update={"status": status})


async def one_piece(content: bytes) -> AsyncIterator[bytes]:
    """Return bytes as a stream of one piece."""
    yield content


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SerializationError(f"code.zipFile: Base64 expected: {error}") from error
