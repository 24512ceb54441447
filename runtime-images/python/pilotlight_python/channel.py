"""The runtime's end of the socket pair to the agent; the agent's end is its `frames`.

A frame is two unsigned 32-bit lengths in network order, a JSON header and a body.
"""

import json
import os
import resource
import socket
import struct
from json.encoder import encode_basestring_ascii as _quote
from typing import NamedTuple

RESPONSE_LIMIT = 6_291_556  # bytes; AWS Lambda Developer Guide, quotas
_LENGTHS = struct.Struct("!II")
_BUFFER = 65_536
_ANSWER = '{%s,"requestId":%s,"peakKilobytes":%d}'
_RESPONSE = '"type":"response","contentType":%s'
_TOO_LARGE = '"type":"too-large"'
_ERROR = '"type":"error","errorType":%s'
_decode = json.JSONDecoder().raw_decode


class Event(NamedTuple):
    """One invocation as the agent delivers it; `deadline` in epoch milliseconds."""

    request_id: str
    body: bytes
    content_type: str
    function_arn: str
    deadline: int
    trace_id: str
    tenant_id: str
    client_context: str
    cognito_identity: str


class Channel:
    """Blocking frames over the inherited descriptor."""

    def __init__(self, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)  # noqa: FBT003 -- os has no keyword here
        self._socket = socket.socket(fileno=descriptor)

    def receive(self) -> Event | None:
        """Wait for the next event; None when the agent has closed the channel.

        The agent sends none before the last one is answered, so that most are read at once.
        """
        frame = self._complete(self._socket.recv(_BUFFER), _LENGTHS.size)
        if frame is None:
            return None
        head, body = _LENGTHS.unpack_from(frame)
        start = _LENGTHS.size + head
        frame = self._complete(frame, start + body)
        if frame is None:
            return None
        header, _ = _decode(frame[_LENGTHS.size : start].decode())
        return Event(
            header["requestId"],
            frame[start : start + body],
            header["contentType"],
            header["functionArn"],
            header["deadline"],
            header["traceId"],
            header["tenantId"],
            header["clientContext"],
            header["cognitoIdentity"],
        )

    def _complete(self, begun: bytes, size: int) -> bytes | None:
        """Read on until there are `size` bytes; None at an end before."""
        if len(begun) >= size:
            return begun
        pieces, missing = [begun], size - len(begun)
        while missing:
            piece = self._socket.recv(min(missing, _BUFFER))
            if not piece:
                return None
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)

    def send_ready(self) -> None:
        """Say that the function's code is loaded."""
        self._send('{"type":"ready"}')

    def send_init_error(self, error_type: str, document: str) -> None:
        """Say why the function's code cannot be loaded."""
        header = f'{{"type":"init-error","errorType":{_quote(error_type)}}}'
        self._send(header, _encode(document))

    def send_error(self, request_id: str, error_type: str, document: str) -> None:
        """Answer an event with the function's error."""
        self._answer(_ERROR % _quote(error_type), request_id, _encode(document))

    def send_answer(self, request_id: str, content_type: str, body: bytes) -> None:
        """Answer an event; an answer over Lambda's limit is only reported."""
        if len(body) > RESPONSE_LIMIT:
            self._answer(_TOO_LARGE, request_id, b"")
        else:
            self._answer(_RESPONSE % _quote(content_type), request_id, body)

    def _answer(self, fields: str, request_id: str, body: bytes) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self._send(_ANSWER % (fields, _quote(request_id), peak), body)

    def _send(self, header: str, body: bytes = b"") -> None:
        head = header.encode()
        self._socket.sendall(b"".join((_LENGTHS.pack(len(head), len(body)), head, body)))


def _encode(document: str) -> bytes:
    """Encode an error document; a lone surrogate in a message must not hide the error."""
    return document.encode(errors="backslashreplace")[:RESPONSE_LIMIT]
