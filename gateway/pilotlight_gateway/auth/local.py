"""Local mode's authentication: none. Any credentials are accepted, on loopback.

An access key of 12 digits is an account of its own; everything else is the default account.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .caller import Caller, RequestHead
from .credentials import parse_authorization

if TYPE_CHECKING:
    from .caller import Verify

__all__ = ["LocalAuthenticator"]

DEFAULT_NAMESPACE = "default"


@dataclass(frozen=True, slots=True)
class LocalAuthenticator:
    """Believes everybody."""

    account: str

    async def check_head(self, head: RequestHead) -> Verify:
        """Believe the head, and any body."""
        caller = self.caller(head)
        return lambda _: caller

    def caller(self, head: RequestHead) -> Caller:
        """Return the account that the access key names, or the default one."""
        return _caller(head.headers.get("Authorization", ""), self.account)


@functools.lru_cache(maxsize=128)
def _caller(authorization: str, account: str) -> Caller:
    credentials = parse_authorization(authorization)
    key = credentials.access_key if credentials else ""
    if re.fullmatch(r"\d{12}", key) and key != account:
        return Caller(key, f"account-{key}", key)
    return Caller(account, DEFAULT_NAMESPACE, key or "anonymous")
