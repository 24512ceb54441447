"""Credentials of the function's role, as AWS's SDKs ask a container for them.

`AWS_CONTAINER_CREDENTIALS_FULL_URI` leads here. An SDK asks again before they end, so that they are
renewed without a restart; each time the platform's gateway is asked, which keeps them. Source:
Amazon ECS Developer Guide, "Task IAM role", and AWS SDKs and Tools Reference Guide, "Container
credential provider".
"""

import asyncio
import hmac
import json
import secrets
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from pilotlight_agent.http.request import Request
from pilotlight_agent.http.server import Connection
from pilotlight_wire.specialisation import CredentialsSource

PATH = "/role-credentials"
_SECONDS = 30.0
_LARGEST = 1 << 17
_JSON = b"Content-Type: application/json\r\nCache-Control: no-store\r\n"


class CredentialsApi:
    """Answers whoever has the environment's token; without a source there is nothing here."""

    def __init__(self, source: CredentialsSource | None) -> None:
        self.token = secrets.token_hex(16)
        self._source = source
        self._tasks: set[asyncio.Task[None]] = set()

    def serve(self, request: Request, connection: Connection) -> bool:
        """Answer what is for this endpoint; False for anything else."""
        if self._source is None or request.target != PATH.encode():
            return False
        given = request.headers.get(b"authorization", b"")
        if request.method != b"GET":
            _refuse(connection, 405, "MethodNotAllowed", "only GET is allowed")
        elif not hmac.compare_digest(given, self.token.encode()):
            _refuse(
                connection, 401, "Unauthorized", "AWS_CONTAINER_AUTHORIZATION_TOKEN is expected"
            )
        else:
            task = asyncio.create_task(_answer(self._source, connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return True


async def _answer(source: CredentialsSource, connection: Connection) -> None:
    try:
        status, body = await asyncio.to_thread(_fetch, source)
    except (OSError, HTTPException) as error:
        _refuse(connection, 503, "ServiceUnavailable", f"the platform does not answer: {error}")
        return
    if not connection.closed:
        connection.respond(status, body, _JSON)


def _fetch(source: CredentialsSource) -> tuple[int, bytes]:
    """Ask the platform; no proxy and no redirect, either would carry the ticket elsewhere."""
    url = urlsplit(source.url)
    connection = HTTPConnection(url.netloc, timeout=_SECONDS)
    try:
        headers = {"Authorization": f"Bearer {source.ticket}", "Connection": "close"}
        connection.request("GET", url.path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read(_LARGEST)
    finally:
        connection.close()


def _refuse(connection: Connection, status: int, code: str, message: str) -> None:
    if not connection.closed:
        body = json.dumps({"code": code, "message": message}).encode()
        connection.respond(status, body, _JSON)
