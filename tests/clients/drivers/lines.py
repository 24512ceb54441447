"""The lines that drivers in Python read and write (`tests.clients.driver`)."""

from __future__ import annotations

import base64
import datetime as dt
import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["asked", "decoded", "refusal", "say"]

BLOBS = {"ZipFile", "Payload", "InvokeArgs"}
"""Members of inputs that are bytes."""


def asked() -> Iterator[dict[str, Any]]:
    """Read what is asked for, a line each, until there is no more."""
    return map(json.loads, sys.stdin)


def decoded(given: Any) -> Any:
    """Return an input with its bytes as bytes."""
    if not isinstance(given, dict):
        return given
    return {
        name: base64.b64decode(value) if name in BLOBS else decoded(value)
        for name, value in given.items()
    }


def refusal(said: dict[str, Any]) -> dict[str, Any]:
    """Return the answer that tells botocore's `ClientError.response`."""
    return {
        "error": said["Error"]["Code"],
        "status": said["ResponseMetadata"]["HTTPStatusCode"],
        "message": said["Error"]["Message"],
    }


def say(answer: dict[str, Any]) -> None:
    """Write an answer."""
    sys.__stdout__.write(json.dumps(answer, default=_text) + "\n")  # type: ignore[union-attr]
    sys.__stdout__.flush()  # type: ignore[union-attr]  # the driver has one


def _text(value: Any) -> str:
    if isinstance(value, dt.datetime):
        return value.isoformat()
    return base64.b64encode(value).decode()
