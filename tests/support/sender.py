"""Has events accepted by the hundred a second: signs and sends, and nothing else."""

from __future__ import annotations

import http.client
import json
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

if TYPE_CHECKING:
    from tests.support.cluster import Installation

__all__ = ["RefusedError", "Sender"]

PATIENCE_SECONDS = 20.0


class RefusedError(Exception):
    """An event was not accepted; says why."""


class Sender:
    """Sends with a connection for each thread."""

    def __init__(self, platform: Installation) -> None:
        self._platform = platform
        keys = Credentials(platform.access_key, platform.secret_key)
        self._signer = SigV4Auth(keys, "lambda", "us-east-1")
        self._of_thread = threading.local()
        self._connections: list[http.client.HTTPConnection] = []

    def close(self) -> None:
        """Close every connection; nobody sends any more."""
        for connection in self._connections:
            connection.close()

    def accept(self, function: str, event: object) -> str:
        """Have an event accepted; gives its id. Raises RefusedError, OSError, HTTPException."""
        path = f"/2015-03-31/functions/{function}/invocations"
        headers = {"X-Amz-Invocation-Type": "Event", "Content-Type": "application/json"}
        body = json.dumps(event).encode()
        request = AWSRequest("POST", self._platform.endpoint + path, headers, body)
        self._signer.add_auth(request)
        try:
            return self._send(path, body, dict(request.headers.items()))
        except (OSError, http.client.HTTPException):
            self._of_thread.connection.close()
            del self._of_thread.connection
            raise

    def _send(self, path: str, body: bytes, headers: dict[str, str]) -> str:
        connection = getattr(self._of_thread, "connection", None)
        if connection is None:
            port = self._platform.port
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
            self._of_thread.connection = connection
            self._connections.append(connection)
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != HTTPStatus.ACCEPTED:
            raise RefusedError(f"{answer.status}: {said.decode(errors='replace')[:300]}")
        return str(answer.headers["x-amzn-RequestId"])
