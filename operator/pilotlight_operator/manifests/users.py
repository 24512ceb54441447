"""Whom the processes of a pod run as: ids from 100000 up, which nothing else of a node has."""

from __future__ import annotations

import hashlib

__all__ = ["uid_of"]

FIRST_UID = 100_000
UIDS = 2_000_000_000


def uid_of(namespace: str, whose: str) -> int:
    """Derive the user id that a function's pods, one generic pod, or a claim's users run as."""
    digest = hashlib.sha256(f"{namespace}/{whose}".encode()).digest()
    return FIRST_UID + int.from_bytes(digest[:8], "big") % UIDS
