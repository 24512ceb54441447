"""What a sample is set in: an account, a region and a moment, and the names made of them."""

from __future__ import annotations

import base64
import json
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pilotlight.errors import InvalidResourceError
from pilotlight.suggestion import did_you_mean

__all__ = ["Setting", "encoded", "one_of", "pair", "parsed"]


@dataclass(frozen=True)
class Setting:
    """Where and when."""

    account: str
    """12 digits."""
    region: str
    seconds: float = field(default_factory=time.time)
    """Since the epoch."""

    @property
    def milliseconds(self) -> int:
        """Since the epoch."""
        return int(self.seconds * 1000)

    def time(self, form: str = "%Y-%m-%dT%H:%M:%S") -> str:
        """Write the moment, in UTC; without a zone."""
        return datetime.fromtimestamp(self.seconds, UTC).strftime(form)

    @property
    def precise_time(self) -> str:
        """Such as 2026-11-28T13:15:27.123Z."""
        return f"{self.time()}.{self.milliseconds % 1000:03d}Z"

    def arn(self, service: str, resource: str) -> str:
        """Return an ARN of the account in the region."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"

    def number(self, digits: int) -> str:
        """Make a sequence number."""
        return "".join(secrets.choice("123456789") for _ in range(digits))

    def token(self, characters: int) -> str:
        """Make an opaque text, in hexadecimal digits."""
        return secrets.token_hex((characters + 1) // 2)[:characters]


def encoded(content: str) -> str:
    """Return a text in Base64."""
    return base64.b64encode(content.encode()).decode()


def parsed(flag: str, text: str) -> Any:
    """Parse a flag's JSON; raises InvalidResourceError."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise InvalidResourceError(f"--{flag}: JSON is expected: {error}", field=flag) from error


def one_of(flag: str, name: str, names: dict[str, Any]) -> Any:
    """Look a flag's value up; raises InvalidResourceError that names those there are."""
    if name not in names:
        known = ", ".join(names)
        raise InvalidResourceError(
            f"--{flag}: {name!r} came, one of {known} is expected{did_you_mean(name, names)}",
            field=flag,
        )
    return names[name]


def pair(flag: str, separator: str, text: str) -> tuple[str, str]:
    """Part a name from its value; raises InvalidResourceError."""
    name, found, value = text.partition(separator)
    if not found:
        raise InvalidResourceError(
            f"--{flag}: {text!r} came, NAME{separator}VALUE is expected", field=flag
        )
    return name.strip(), value.strip()
