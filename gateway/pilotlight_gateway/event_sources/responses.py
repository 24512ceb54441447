"""What a function's answer says of the items of a batch, by Lambda's rules. Pure.

Lambda Developer Guide, "Implementing partial batch responses", success and failure conditions.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["MalformedResponseError", "failed_items"]


class MalformedResponseError(Exception):
    """An answer that makes the whole batch a failure; the message says why."""


def failed_items(payload: bytes, identifiers: Collection[str]) -> set[str]:
    """Return the items that an answer names as failed; raises MalformedResponseError.

    Empty and null answers and lists mean that none did.
    """
    try:
        answer: Any = json.loads(payload or b"null")
    except ValueError as error:
        raise MalformedResponseError(f"the answer is no JSON: {error}") from error
    if answer is None or answer == "":
        return set()
    if not isinstance(answer, dict):
        raise MalformedResponseError(f"an object is expected, {type(answer).__name__} came")
    named = answer.get("batchItemFailures")
    if named is None:
        return set()
    if not isinstance(named, list):
        raise MalformedResponseError("batchItemFailures is no list")
    return {_identifier(one, identifiers) for one in named}


def _identifier(item: Any, identifiers: Collection[str]) -> str:
    found = item.get("itemIdentifier") if isinstance(item, dict) else None
    if isinstance(found, dict):  # of Kafka
        found = f"{found.get('partition')}-{found.get('offset')}"
    if not isinstance(found, str) or found not in identifiers:
        raise MalformedResponseError(f"itemIdentifier {found!r} is none of the batch")
    return found
