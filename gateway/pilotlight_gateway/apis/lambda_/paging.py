"""Lists by pages: `MaxItems` of them, and a `NextMarker` where there are more.

A marker is the last name of its page, so that what is made or deleted meanwhile shifts nothing.
"""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from pilotlight_gateway.errors import InvalidParameterValueError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["paged"]


def paged(
    names: Sequence[str], given: Mapping[str, Any], *, most: int
) -> tuple[Sequence[str], dict[str, str]]:
    """Return the page of sorted names that a request asks for, and the member that leads on."""
    start = bisect_right(names, _marked(given.get("Marker")))
    page = names[start : start + min(int(given.get("MaxItems") or most), most)]
    if start + len(page) >= len(names):
        return page, {}
    return page, {"NextMarker": base64.urlsafe_b64encode(page[-1].encode()).decode()}


def _marked(text: str | None) -> str:
    if not text:
        return ""
    try:
        return base64.urlsafe_b64decode(text.encode()).decode()
    except (binascii.Error, ValueError) as error:
        raise InvalidParameterValueError(f"Marker {text!r} is none that was given here") from error
