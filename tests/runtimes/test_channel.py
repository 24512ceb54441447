"""The runtime's end of the socket pair: whole events out of whatever the kernel hands over."""

import json
import socket
import struct
from collections.abc import Iterator
from threading import Thread

import pytest

from pilotlight_python.channel import Channel

HEADER = {
    "requestId": "r",
    "contentType": "application/json",
    "functionArn": "arn",
    "deadline": 7,
    "traceId": "t",
    "tenantId": "",
    "clientContext": "",
    "cognitoIdentity": "",
}


def frame(body: bytes) -> bytes:
    """Return an event's bytes, as any agent may write them."""
    head = json.dumps(HEADER, indent=1).encode()
    return struct.pack("!II", len(head), len(body)) + head + body


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, Channel]]:
    """The agent's end and the runtime's channel."""
    ours, theirs = socket.socketpair()
    ours.settimeout(10)
    channel = Channel(theirs.detach())
    with ours, channel._socket:  # a runtime's lasts as long as its process
        yield ours, channel


@pytest.mark.parametrize("size", [0, 16, 65_536, 6_291_556])
def test_an_event_is_read_whole(pair: tuple[socket.socket, Channel], size: int) -> None:
    """However large it is, and whatever part of it comes first."""
    agent, channel = pair
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    sender = Thread(target=agent.sendall, args=(frame(body),))
    sender.start()
    event = channel.receive()
    sender.join()
    assert event is not None
    assert event.body == body
    assert (event.request_id, event.deadline, event.trace_id) == ("r", 7, "t")


@pytest.mark.parametrize("sent", [0, 1, 7, 8, 20, len(frame(b"body")) - 1])
def test_an_end_is_an_end_wherever_it_comes(pair: tuple[socket.socket, Channel], sent: int) -> None:
    """The agent has closed the channel: nothing is asked of the function any more."""
    agent, channel = pair
    agent.sendall(frame(b"body")[:sent])
    agent.shutdown(socket.SHUT_WR)
    assert channel.receive() is None


@pytest.mark.parametrize("text", ["plain", 'quoted "\\ \n', "ü \U0001f600", "\ud800"])
def test_headers_say_any_text(pair: tuple[socket.socket, Channel], text: str) -> None:
    """What a function puts into a content type or an error's type arrives as it was."""
    agent, channel = pair
    channel.send_answer("r", text, b"{}")
    channel.send_error("r", text, "{}")
    data = agent.recv(65_536)
    for name in ("contentType", "errorType"):
        head, body = struct.unpack_from("!II", data)
        header = json.loads(data[8 : 8 + head])
        assert (header[name], header["requestId"]) == (text, "r")
        assert header["peakKilobytes"] > 0
        data = data[8 + head + body :]


def test_an_answer_over_the_limit_is_only_reported(pair: tuple[socket.socket, Channel]) -> None:
    """Its bytes stay where they are."""
    agent, channel = pair
    channel.send_answer("r", "application/json", b"x" * 6_291_557)
    data = agent.recv(65_536)
    head, body = struct.unpack_from("!II", data)
    assert json.loads(data[8 : 8 + head])["type"] == "too-large"
    assert body == 0
