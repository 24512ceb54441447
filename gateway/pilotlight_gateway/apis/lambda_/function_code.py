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
from typing import TYPE_CHECKING, Any

from pilotlight_gateway.errors import (
    InvalidParameterValueError,
    NotSupportedError,
    RequestEntityTooLargeError,
    SerializationError,
)
from pilotlight_wire.archive import PACKED_LIMIT, ArchiveError, EmptyArchiveError, check

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from pilotlight.resources import Function
    from pilotlight.storage import ArtifactStore

__all__ = ["check_package", "keep_code", "one_piece", "with_code_size"]

_CHECKS = ThreadPoolExecutor(1, "package-check")
"""One at a time: what a package costs to check is bounded, how many come at once is not."""
_SOURCES = ("ZipFile", "S3Bucket", "ImageUri")


async def keep_code(
    artifacts: ArtifactStore, code: Mapping[str, Any], namespace: str, *, dry_run: bool = False
) -> tuple[str, int]:
    """Check and keep an account's package; returns its sha256 (hex) and its size."""
    given = [name for name in _SOURCES if code.get(name)]
    if len(given) != 1:
        raise InvalidParameterValueError(
            "Please provide a source for function code: exactly one of "
            f"{', '.join(_SOURCES)} is expected, {' and '.join(given) or 'none'} came."
        )
    if given != ["ZipFile"]:
        raise NotSupportedError(
            f"{given[0]} is not supported yet: send the package itself as ZipFile."
        )
    package = _decode(code["ZipFile"])
    sha256 = hashlib.sha256(package).hexdigest()
    await check_package(package)
    if not dry_run:
        await artifacts.put(sha256, one_piece(package))
        await artifacts.note_owner(sha256, namespace)
    return sha256, len(package)


async def check_package(package: bytes) -> None:
    """Check a package; raises InvalidParameterValueError or RequestEntityTooLargeError."""
    await asyncio.get_running_loop().run_in_executor(_CHECKS, _check, package)


def _check(package: bytes) -> None:
    if len(package) > PACKED_LIMIT:
        raise RequestEntityTooLargeError(
            f"Zipped size must be smaller than {PACKED_LIMIT} bytes, {len(package)} came"
        )
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
