"""Lists by pages: `MaxItems` of them, and a `NextMarker` where there are more.

A marker is the last name of its page, so that what is made or deleted meanwhile shifts nothing. It
says of which operation it is, with a checksum: another one's, or a part of one, leads nowhere.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from pilotlight_gateway.errors import InvalidParameterValueError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["paged"]

_CHECKED = 4
"""Bytes of a marker's checksum."""


def paged(
    names: Sequence[str], given: Mapping[str, Any], *, most: int, of: str
) -> tuple[Sequence[str], dict[str, str]]:
    """Return the page of sorted names that a request asks for, and the member that leads on.

    `of` is the operation. Raises InvalidParameterValueException for a marker that it never gave.
    """
    start = bisect_right(names, _marked(given.get("Marker"), of))
    page = names[start : start + min(int(given.get("MaxItems") or most), most)]
    if start + len(page) >= len(names):
        return page, {}
    return page, {"NextMarker": _marker(page[-1], of)}


def _marker(name: str, of: str) -> str:
    content = f"{of} {name}".encode()
    return base64.urlsafe_b64encode(_checksum(content) + content).decode()


def _marked(text: str | None, of: str) -> str:
    if not text:
        return ""
    try:
        decoded = base64.b64decode(text.encode(), altchars=b"-_", validate=True)
        name = decoded[_CHECKED:].decode()
    except (binascii.Error, ValueError) as error:
        raise _foreign(text, of) from error
    checksum, content = decoded[:_CHECKED], decoded[_CHECKED:]
    if checksum != _checksum(content) or not content.startswith(f"{of} ".encode()):
        raise _foreign(text, of)
    return name.removeprefix(f"{of} ")


def _checksum(content: bytes) -> bytes:
    return zlib.crc32(content).to_bytes(_CHECKED)


def _foreign(text: str, of: str) -> InvalidParameterValueError:
    return InvalidParameterValueError(f"Marker {text[:80]!r} is none that {of} gave.")
