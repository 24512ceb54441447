"""Where somebody lately found no room for a pod: in a namespace's quota, or on any node.

`capacity` notes it when it is asked to make space; claims that wait there look elsewhere meanwhile.
"""

from __future__ import annotations

import asyncio
import math

__all__ = ["Crowds"]

CROWDED_SECONDS = 2.0
"""For how long it is believed: who waits for room asks again every half second."""
ANYWHERE = ""


class Crowds:
    """The namespaces, and the nodes as a whole."""

    def __init__(self) -> None:
        self._seen: dict[str, float] = {}

    def note(self, namespace: str) -> None:
        """Note that no room was found now; for no namespace's sake where none is named."""
        self._seen[namespace] = asyncio.get_running_loop().time()

    def is_crowded(self, namespace: str) -> bool:
        """Say whether a pod of a namespace is likely to find no room."""
        last = max(self._seen.get(where, -math.inf) for where in (ANYWHERE, namespace))
        return asyncio.get_running_loop().time() - last <= CROWDED_SECONDS
