"""Every operation with a constraint of the model broken: Lambda's error, word for word.

A few hundred cases by a fixed seed; `make fuzz` sends ten thousand.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from pilotlight_gateway.apis.lambda_.model import load_model
from pilotlight_gateway.apis.lambda_.table import LAMBDA

from .model_cases import Cases, Sent, request_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.gateway import GatewayHarness

CASES = int(os.environ.get("PILOTLIGHT_MODEL_FUZZ", "400"))
SEED = 16
REFUSED = 400


class Connection:
    """A kept connection to a gateway."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)

    def exchange(self, sent: Sent) -> tuple[int, str, str]:
        """Send a request; returns the status, the error's type and the message, in whatever key."""
        self._connection.request(sent.method, sent.target, sent.body or None, sent.headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status < REFUSED:
            return answer.status, "", ""
        assert answer.headers["Content-Type"] == "application/json", (sent, content)
        document = json.loads(content)
        said = document.get("message", document.get("Message", ""))
        return answer.status, answer.headers.get("x-amzn-ErrorType", ""), said

    def answer(self, sent: Sent) -> Any:
        """Send a good request; returns the document that answers it."""
        self._connection.request(sent.method, sent.target, sent.body or None, sent.headers)
        return json.load(self._connection.getresponse())

    def close(self) -> None:
        """End it."""
        self._connection.close()


@pytest.fixture
def connection(platform: GatewayHarness) -> Iterator[Connection]:
    """A connection to the gateway of all tests."""
    connection = Connection(platform.port)
    yield connection
    connection.close()


@pytest.mark.parametrize("operation", sorted(LAMBDA))
def test_a_good_input_breaks_no_constraint(connection: Connection, operation: str) -> None:
    """So that what breaks one breaks no other."""
    sent = request_of(load_model(), operation, Cases(SEED).good(operation))
    status, error, said = connection.exchange(sent)
    assert status != 500, (sent, said)
    assert error not in {"ValidationException", "SerializationException"}, (sent, said)


def test_one_broken_constraint_is_told_as_lambda_tells_it(connection: Connection) -> None:
    """By the right error, counted, and in its words; an operation that is not there says so."""
    for case in itertools.islice(Cases(SEED).all(), CASES):
        status, error, said = connection.exchange(case.sent)
        assert status == (501 if error == "NotImplementedException" else 400), (case, said)
        assert error == case.error, (case, said)
        if case.count:
            plural = "s" if case.count > 1 else ""
            assert said.startswith(f"{case.count} validation error{plural} detected: "), (
                case,
                said,
            )
        assert all(part in said for part in case.said), (case, said)
