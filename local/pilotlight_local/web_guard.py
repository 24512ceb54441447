"""Keeps web pages out of a developer's machine, where any credentials are accepted.

A page of another origin cannot read answers, yet its requests arrive; and a name of its own that is
pointed at 127.0.0.1 (DNS rebinding) makes it the same origin. So what a browser sends for another
origin, and what comes for another host, is refused. Function URLs and routes have CORS rules of
their own and are left to them; a route's host is its own.
"""

from __future__ import annotations

import functools
import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pilotlight_gateway.errors import AccessDeniedError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["WebGuard"]

_OWN_SITES = frozenset({"same-origin", "none"})
"""What browsers say of requests from a page of this origin, and of what a person typed."""


class WebGuard:
    """The rules of one machine."""

    def check_host(self, headers: Mapping[str, str]) -> None:
        """Raise AccessDeniedError where a request is for a host that is not this machine."""
        host = headers.get("Host", "")
        if host and not _is_loopback(host):
            raise AccessDeniedError(
                f"Host {host[:200]!r} is not this machine: local mode answers to 127.0.0.1 and "
                "localhost alone, so that no web page reaches it under a name of its own."
            )

    def check_origin(self, headers: Mapping[str, str]) -> None:
        """Raise AccessDeniedError where a browser sends a request for a page of another origin."""
        origin, site = headers.get("Origin"), headers.get("Sec-Fetch-Site")
        if origin is not None and origin.partition("://")[2] != headers.get("Host"):
            raise AccessDeniedError(_foreign(f"Origin {origin[:200]!r}"))
        if site is not None and site not in _OWN_SITES:
            raise AccessDeniedError(_foreign(f"Sec-Fetch-Site {site[:40]!r}"))


def _foreign(what: str) -> str:
    return (
        f"{what}: another page sent this. Local mode accepts any credentials, so it answers no "
        "web page but its own."
    )


@functools.lru_cache(maxsize=64)
def _is_loopback(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
