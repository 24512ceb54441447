"""Tickets: what lets a pod fetch one artifact, and nothing else, from a gateway's internal port.

Made by the autoscaler when it specialises a pod, checked by the gateway; both hold the platform
key. A ticket names one sha256 and dies with its expiry.
"""

from __future__ import annotations

import hashlib
import hmac
import time

__all__ = ["ticket_for", "ticket_opens"]

LONGEST_TIME = 12
"""Digits of a time in seconds, with some thousand years to spare."""
LIFETIME = 600
"""Seconds; a pod fetches its code once, right after it was specialised."""


def ticket_for(platform_key: bytes, sha256: str, *, now: float | None = None) -> str:
    """Make a ticket for one artifact."""
    expires = int((time.time() if now is None else now) + LIFETIME)
    return f"{expires}.{_sign(platform_key, sha256, expires)}"


def ticket_opens(
    platform_key: bytes, ticket: str, sha256: str, *, now: float | None = None
) -> bool:
    """Say whether a ticket opens that artifact now."""
    expires, _, signature = ticket.partition(".")
    if not expires.isascii() or not expires.isdigit() or len(expires) > LONGEST_TIME:
        return False
    fresh = int(expires) >= (time.time() if now is None else now)
    wanted = _sign(platform_key, sha256, int(expires))
    return hmac.compare_digest(wanted.encode(), signature.encode()) and fresh


def _sign(platform_key: bytes, sha256: str, expires: int) -> str:
    message = f"artifact:{sha256}:{expires}".encode()
    return hmac.new(platform_key, message, hashlib.sha256).hexdigest()
