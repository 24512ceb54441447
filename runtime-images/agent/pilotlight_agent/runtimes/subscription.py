"""What an extension asks of the Telemetry API, or of the Logs API that came before it.

Source: AWS Lambda Developer Guide, "Lambda Telemetry API reference" and "Lambda Logs API".
"""

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from pilotlight_agent.errors import InvalidSubscriptionError

TELEMETRY, LOGS = "Telemetry", "Logs"
APIS = {b"/2022-07-01/telemetry": TELEMETRY, b"/2020-08-15/logs": LOGS}
"""Where each is served."""
_VERSIONS = {
    TELEMETRY: ("2022-07-01", "2022-12-13", "2025-01-29"),
    LOGS: ("2020-08-15", "2021-03-18"),
}
_HOSTS = {"sandbox.localdomain", "sandbox", "localhost", "127.0.0.1"}
"""Telemetry does not leave the environment."""
_SENDABLE = re.compile("[!-~]+")
"""What may stand in the first line of a request; `urlsplit` would leave some of the rest out."""
_BOUNDS = {
    "maxItems": (1_000, 10_000, 10_000),
    "maxBytes": (262_144, 1_048_576, 262_144),
    "timeoutMs": (25, 30_000, 1_000),
}
"""Least, most, and what is meant where nothing is said."""


class Stream(StrEnum):
    """A kind of telemetry."""

    PLATFORM = "platform"
    FUNCTION = "function"
    EXTENSION = "extension"


@dataclass(frozen=True, slots=True)
class Subscription:
    """Which streams, how many at once, and where to; the path is None where it is a TCP port."""

    api: str
    version: str
    streams: frozenset[Stream]
    most_items: int
    most_bytes: int
    seconds: float
    """How long events wait for others."""
    port: int
    path: str | None


def parse(api: str, body: bytes) -> Subscription:
    """Read a subscription; raises InvalidSubscriptionError."""
    try:
        document = json.loads(body)
        versions = _VERSIONS[api]
        version = document.get("schemaVersion", versions[0])
        _expect(version in versions, "schemaVersion", version, f"one of {', '.join(versions)}")
        buffering = document.get("buffering") or {}
        port, path = _destination(document["destination"])
        return Subscription(
            api=api,
            version=version,
            streams=_streams(document["types"]),
            most_items=_bounded(buffering, "maxItems"),
            most_bytes=_bounded(buffering, "maxBytes"),
            seconds=_bounded(buffering, "timeoutMs") / 1000,
            port=port,
            path=path,
        )
    except KeyError as error:
        raise InvalidSubscriptionError(f"{error.args[0]} is missing") from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidSubscriptionError(f"the subscription cannot be read: {error}") from error


def _streams(types: list[str]) -> frozenset[Stream]:
    known = {*Stream}
    expected = ", ".join(Stream)
    _expect(bool(types), "types", types, f"some of {expected}")
    for each in types:
        _expect(each in known, "types", each, f"some of {expected}")
    return frozenset(map(Stream, types))


def _bounded(buffering: dict[str, Any], name: str) -> int:
    least, most, usual = _BOUNDS[name]
    value = buffering.get(name, usual)
    _expect(
        isinstance(value, int) and least <= value <= most,
        f"buffering.{name}", value, f"{least} to {most}",
    )  # fmt: skip
    return int(value)


def _destination(destination: dict[str, Any]) -> tuple[int, str | None]:
    """Return port and path; the Logs API's example says `URI`, and TCP has a port of its own."""
    protocol = destination.get("protocol")
    if protocol == "TCP":
        port = destination["port"]
        _expect(isinstance(port, int) and 0 < port < 1 << 16, "destination.port", port, "a port")
        return int(port), None
    _expect(protocol == "HTTP", "destination.protocol", protocol, "HTTP or TCP")
    uri = destination["URI"]
    _expect(_SENDABLE.fullmatch(uri), "destination.URI", uri, "percent-encoded ASCII")
    parts = urlsplit(uri)
    fits = parts.scheme == "http" and parts.hostname in _HOSTS
    _expect(fits, "destination.URI", uri, "http://sandbox.localdomain:PORT")
    return parts.port or 80, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _expect(fits: object, name: str, value: object, expected: str) -> None:
    if not fits:
        raise InvalidSubscriptionError(f"{name}: {value!r} came, {expected} is expected")
