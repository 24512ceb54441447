"""The runtime's end of the socket pair to the agent; the agent's end is its `frames`.

A frame is two unsigned 32-bit lengths in network order, a JSON header and a body.
"""

import json
import os
import resource
import socket
import struct
from typing import NamedTuple

RESPONSE_LIMIT = 6_291_556  # bytes; AWS Lambda Developer Guide, quotas
_LENGTHS = struct.Struct("!II")
_BUFFER = 65_536


class Event(NamedTuple):
    """One invocation as the agent delivers it; `deadline` in epoch milliseconds."""

    request_id: str
    body: bytes
    content_type: str
    function_arn: str
    deadline: int
    trace_id: str
    client_context: str
    cognito_identity: str


class Channel:
    """Blocking frames over the inherited descriptor."""

    def __init__(self, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)  # noqa: FBT003 -- os has no keyword here
        self._socket = socket.socket(fileno=descriptor)
        self._reader = self._socket.makefile("rb", buffering=_BUFFER)

    def receive(self) -> Event | None:
        """Wait for the next event; None when the agent has closed the channel."""
        lengths = self._reader.read(_LENGTHS.size)
        if len(lengths) < _LENGTHS.size:
            return None
        head, body = _LENGTHS.unpack(lengths)
        header = json.loads(self._reader.read(head))
        return Event(
            request_id=header["requestId"],
            body=self._reader.read(body),
            content_type=header["contentType"],
            function_arn=header["functionArn"],
            deadline=header["deadline"],
            trace_id=header["traceId"],
            client_context=header["clientContext"],
            cognito_identity=header["cognitoIdentity"],
        )

    def send_ready(self) -> None:
        """Say that the function's code is loaded."""
        self._send({"type": "ready"})

    def send_init_error(self, error_type: str, document: str) -> None:
        """Say why the function's code cannot be loaded."""
        self._send({"type": "init-error", "errorType": error_type}, _encode(document))

    def send_error(self, request_id: str, error_type: str, document: str) -> None:
        """Answer an event with the function's error."""
        self._answer({"type": "error", "errorType": error_type}, request_id, _encode(document))

    def send_answer(self, request_id: str, content_type: str, body: bytes) -> None:
        """Answer an event; an answer over Lambda's limit is only reported."""
        header: dict[str, object] = {"type": "response", "contentType": content_type}
        if len(body) > RESPONSE_LIMIT:
            header, body = {"type": "too-large"}, b""
        self._answer(header, request_id, body)

    def _answer(self, header: dict[str, object], request_id: str, body: bytes) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self._send({**header, "requestId": request_id, "peakKilobytes": peak}, body)

    def _send(self, header: dict[str, object], body: bytes = b"") -> None:
        head = json.dumps(header).encode()
        self._socket.sendall(b"".join((_LENGTHS.pack(len(head), len(body)), head, body)))


def _encode(document: str) -> bytes:
    """Encode an error document; a lone surrogate in a message must not hide the error."""
    return document.encode(errors="backslashreplace")[:RESPONSE_LIMIT]
