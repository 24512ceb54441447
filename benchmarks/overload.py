"""Latency at half load, and what is left under overload: `python -m benchmarks.overload`.

A function that may run 32 times at once is called by 32 connections as fast as they are answered
(the peak), at half that rate, and by 500. Who is refused waits about as long as Retry-After says.
The load comes from this process, on the same cores.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import random
import statistics
import time
from typing import TYPE_CHECKING, cast

import uvloop

from .targets import EVENT, pilotlight

if TYPE_CHECKING:
    from .targets import Target

CAP = 32
CROWD = 500
RETRY_AFTER = 1.0
HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length: "


class Load:
    """What is sent until when, and the latencies of the answers by status."""

    def __init__(self, target: Target, seconds: float, pause: float) -> None:
        self.request = (
            f"POST {target.path} HTTP/1.1\r\nHost: 127.0.0.1:{target.port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(EVENT)}\r\n\r\n"
        ).encode() + EVENT
        self.ends = time.perf_counter() + seconds
        self.pause = pause
        """Seconds from one request of a connection to its next, at least."""
        self.answers: dict[str, list[float]] = collections.defaultdict(list)


class Client(asyncio.Protocol):
    """One connection; one request at a time."""

    def __init__(self, load: Load) -> None:
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._load = load
        self._transport: asyncio.Transport
        self._sent = 0.0
        self._came = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        """Note an answer that is whole, and send the next request."""
        self._came += data
        head, end, body = self._came.partition(HEAD_END)
        length = head.lower().partition(LENGTH)[2].partition(b"\r\n")[0]
        if not end or len(body) < int(length):
            return
        took, status = time.perf_counter() - self._sent, head[9:12].decode()
        self._load.answers[status].append(took)
        self._came = b""
        pause = self._load.pause - took
        if status == "429":
            pause = random.uniform(0.5, 1.5) * RETRY_AFTER
        asyncio.get_running_loop().call_later(max(0.0, pause), self._send)

    def connection_lost(self, exc: Exception | None) -> None:
        """Say that it has ended."""
        del exc  # either way
        self.closed.set_result(None)

    def _send(self) -> None:
        self._sent = time.perf_counter()
        if self._sent < self._load.ends:
            self._transport.write(self._load.request)
        else:
            self._transport.close()


async def put(target: Target, connections: int, seconds: float, pause: float = 0.0) -> Load:
    """Load a target."""
    load, loop = Load(target, seconds, pause), asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: Client(load), "127.0.0.1", target.port)
        for _ in range(connections)
    ]
    await asyncio.gather(*(client.closed for _, client in made))
    return load


def row(name: str, load: Load, seconds: float) -> list[str]:
    """Return the rows of a table in Markdown, one for each status."""
    rows = []
    for status, took in sorted(load.answers.items()):
        middle = statistics.median(took) * 1000
        last = statistics.quantiles(took, n=100, method="inclusive")[98] * 1000
        rate = len(took) / seconds
        cells = f"{rate:.0f} | {middle:.1f} | {last:.1f} | {last / middle:.1f}"
        rows.append(f"| {name} | {status} | {cells} |")
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overload", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="each part")
    seconds = parser.parse_args().seconds
    target, _ = pilotlight(reservedConcurrency=CAP)
    target.start()
    try:
        uvloop.run(put(target, CAP, 5.0))  # every environment starts
        peak = uvloop.run(put(target, CAP, seconds))
        pause = 2 * CAP * seconds / len(peak.answers["200"])
        half = uvloop.run(put(target, CAP, seconds, pause))
        crowd = uvloop.run(put(target, CROWD, seconds))
    finally:
        target.stop()
    print("| load | status | answers/s | p50 ms | p99 ms | p99 ÷ p50 |")
    print("| --- | --- | --- | --- | --- | --- |")
    loads = {f"{CAP} connections": peak, "half of that": half, f"{CROWD} connections": crowd}
    for name, load in loads.items():
        print(*row(name, load, seconds), sep="\n")


if __name__ == "__main__":
    main()
