"""The Authorization header of Signature Version 4, taken apart.

AWS Signature Version 4 for API requests (AWS IAM User Guide, "Elements of an AWS API request
signature"). The scope's service also tells which AWS service a request is for.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from pilotlight_gateway.errors import IncompleteSignatureError

__all__ = ["ALGORITHM", "Credentials", "parse_authorization"]

ALGORITHM = "AWS4-HMAC-SHA256"
_PARTS = ("Credential", "SignedHeaders", "Signature")
_SCOPE_PARTS = 5


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the header says; nothing of it is verified yet."""

    access_key: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str

    @property
    def scope(self) -> str:
        """The credential scope, as it is signed."""
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


@functools.lru_cache(maxsize=64)
def parse_authorization(header: str) -> Credentials | None:
    """Parse the header; None where it is of another scheme, IncompleteSignatureError if broken."""
    scheme, _, rest = header.partition(" ")
    if scheme != ALGORITHM:
        return None
    parts = _key_values(rest)
    if missing := [name for name in _PARTS if name not in parts]:
        raise IncompleteSignatureError(
            " ".join(f"Authorization header requires '{name}' parameter." for name in missing)
            + f" Authorization={ALGORITHM}"
        )
    scope = parts["Credential"].rsplit("/", _SCOPE_PARTS - 1)
    if len(scope) != _SCOPE_PARTS or scope[4] != "aws4_request":
        raise IncompleteSignatureError(
            "Credential must have exactly 5 slash-delimited elements, "
            "e.g. keyid/date/region/service/term"
        )
    access_key, date, region, service, _ = scope
    signed = tuple(parts["SignedHeaders"].split(";"))
    return Credentials(access_key, date, region, service, signed, parts["Signature"])


def _key_values(text: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for item in text.split(","):
        name, equals, value = item.strip().partition("=")
        if not equals or name in parts:
            raise IncompleteSignatureError(
                f"{item.strip()[:80]!r} not a valid key=value pair (missing equal-sign) in "
                "Authorization header"
            )
        parts[name] = value
    return parts
