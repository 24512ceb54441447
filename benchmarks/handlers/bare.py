"""As little as a warm call can take: processes that only hand bytes on (`benchmarks.bare`).

`bare.py PORT [asyncio | uvloop | poll]`: a gateway, a runtime, and an agent of that kind between
them. One connection, one call at a time, heads of no interest.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import socket
import sys
from typing import cast

import uvloop

READ = 65_536


class Passing(asyncio.Protocol):
    """Hands on what comes to its other side."""

    transport: asyncio.Transport
    other: Passing

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        """Hand it on."""
        self.other.transport.write(data)


class Front(Passing):
    """A client's connection: of a request the body goes on."""

    def data_received(self, data: bytes) -> None:
        """Hand the body on."""
        self.other.transport.write(data.rpartition(b"\r\n\r\n")[2])


class Back(Passing):
    """The other side of a gateway: what comes is an answer's body."""

    def data_received(self, data: bytes) -> None:
        """Answer the client."""
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data)
        self.other.transport.write(head + data)


async def serve(port: int, inside: socket.socket) -> None:
    """Be a gateway."""
    loop = asyncio.get_running_loop()
    _, back = await loop.create_unix_connection(Back, sock=inside)

    def front() -> Front:
        one = Front()
        one.other, back.other = back, one
        return one

    server = await loop.create_server(front, "127.0.0.1", port)
    await server.serve_forever()


async def pass_on(before: socket.socket, behind: socket.socket) -> None:
    """Be an agent on a loop."""
    loop = asyncio.get_running_loop()
    _, one = await loop.create_unix_connection(Passing, sock=before)
    _, other = await loop.create_unix_connection(Passing, sock=behind)
    one.other, other.other = other, one
    await asyncio.Event().wait()


def pass_on_by_poll(before: socket.socket, behind: socket.socket) -> None:
    """Be an agent that asks the kernel itself."""
    others = {before.fileno(): (before, behind), behind.fileno(): (behind, before)}
    poll = select.epoll()
    for descriptor in others:
        poll.register(descriptor, select.EPOLLIN)
    while True:
        for descriptor, _ in poll.poll():
            source, target = others[descriptor]
            target.send(source.recv(READ))


def run(inside: socket.socket) -> None:
    """Be a runtime, with the handler that changes nothing."""
    while data := inside.recv(READ):
        inside.send(json.dumps(json.loads(data)).encode())


def main(port: int, kind: str = "") -> None:
    """Start all of them, and end them together."""
    agents = {
        "asyncio": lambda *ends: asyncio.run(pass_on(*ends)),
        "uvloop": lambda *ends: uvloop.run(pass_on(*ends)),
        "poll": pass_on_by_poll,
    }
    near, far = socket.socketpair()
    if kind:
        before, behind = far, socket.socketpair()
        if os.fork() == 0:
            return agents[kind](before, behind[0])
        far = behind[1]
    if os.fork() == 0:
        return run(far)
    signal.signal(signal.SIGTERM, lambda *_: os.killpg(0, signal.SIGKILL))
    return uvloop.run(serve(port, near))


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
