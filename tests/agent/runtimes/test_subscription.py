"""What may be asked of the Telemetry API, and what cannot be."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pilotlight_agent.errors import InvalidSubscriptionError
from pilotlight_agent.runtimes.subscription import LOGS, TELEMETRY, Stream, parse

HTTP = {"protocol": "HTTP", "URI": "http://sandbox.localdomain:8080/logs?a=1"}
WANTED: dict[str, Any] = {"types": ["platform", "function"], "destination": HTTP}


def test_what_is_left_out_is_as_lambda_has_it() -> None:
    read = parse(TELEMETRY, json.dumps(WANTED).encode())
    assert read.streams == {Stream.PLATFORM, Stream.FUNCTION}
    assert (read.most_items, read.most_bytes, read.seconds) == (10_000, 262_144, 1.0)
    assert (read.port, read.path, read.version) == (8080, "/logs?a=1", "2022-07-01")


def test_a_port_takes_lines() -> None:
    wanted = WANTED | {
        "destination": {"protocol": "TCP", "port": 81},
        "schemaVersion": "2021-03-18",
    }
    read = parse(LOGS, json.dumps(wanted).encode())
    assert (read.port, read.path, read.version) == (81, None, "2021-03-18")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"types": []}, "types"),
        ({"types": ["all"]}, "types: 'all' came"),
        ({"types": None}, "types: None came"),
        ({"schemaVersion": "2020-08-15"}, "schemaVersion"),
        ({"buffering": {"maxItems": 999}}, "maxItems: 999 came, 1000 to 10000"),
        ({"buffering": {"maxBytes": 1 << 21}}, "maxBytes"),
        ({"buffering": {"timeoutMs": "100"}}, "timeoutMs"),
        ({"destination": {"protocol": "UDP"}}, "protocol"),
        ({"destination": {"protocol": "TCP"}}, "port is missing"),
        ({"destination": {"protocol": "TCP", "port": 0}}, "port: 0 came"),
        ({"destination": HTTP | {"URI": "https://sandbox.localdomain:1"}}, "destination.URI"),
        ({"destination": HTTP | {"URI": "http://example.com:80"}}, "destination.URI"),
        ({"destination": HTTP | {"URI": "http://localhost:99999"}}, "cannot be read"),
        ({"destination": HTTP | {"URI": "http://localhost:80/ä"}}, "percent-encoded"),
        ({"destination": HTTP | {"URI": "http://localhost:80/a b"}}, "percent-encoded"),
        ({"destination": HTTP | {"URI": "http://localhost:80/a\r\nb: c"}}, "percent-encoded"),
        ({"destination": HTTP | {"URI": 7}}, "cannot be read"),
        ({"destination": 7}, "cannot be read"),
    ],
)
def test_what_cannot_be_is_named(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidSubscriptionError, match=said):
        parse(TELEMETRY, json.dumps(WANTED | change).encode())


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b"\xff", b"{}", b"[" * 100_000])
def test_what_is_no_subscription_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidSubscriptionError):
        parse(TELEMETRY, body)
