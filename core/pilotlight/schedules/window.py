"""Flexible windows: each firing waits a while that looks random and is always the same.

Which wait it is follows from the schedule's uid and the time, so that every gateway, and the same
one after a restart, comes to the same. A firing never waits until the next one is due.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

__all__ = ["firing_time"]


def firing_time(uid: str, due: datetime, following: datetime | None, window: timedelta) -> datetime:
    """Return when a firing that is due happens: within `window`, and before `following`."""
    if following is not None:
        window = min(window, following - due)
    seconds = int(window.total_seconds())
    if seconds <= 0:
        return due
    digest = hashlib.sha256(f"{uid}/{due.isoformat()}".encode()).digest()
    return due + timedelta(seconds=int.from_bytes(digest[:8], "big") % seconds)
