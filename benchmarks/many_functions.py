"""Makes many functions through the API of a local platform, and starts it again with them.

What must not grow with their number: how long it takes to make one, and to list a page. What may,
and how much: the start, the processor time that it takes, and what a gateway keeps of a function
that nobody calls. `--count 2000` is what the bars are for.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import gc
import http.client
import io
import json
import statistics
import sys
import tempfile
import time
import tracemalloc
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pilotlight.cache import Cache
from pilotlight.resources import Function, FunctionAlias, FunctionVersion
from pilotlight.storage.sqlite.resources import SqliteResources
from pilotlight_gateway.invocation.catalogue import Catalogue
from pilotlight_gateway.invocation.published import Published
from tests.support.dev_process import DevProcess

from .targets import cpu_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

CREATE_BAR = 1.5
"""Times that the last function may take longer than the 20th."""
READY_BAR = 5.0
CPU_BAR = 5.0
"""Seconds, of every process of the platform, until it rests."""
LIST_BAR = 50.0
"""Milliseconds for a page of 50."""
MEMORY_BAR = 10.0
"""Kilobytes a function."""
EARLY, SAMPLE = 20, 20
REST_SECONDS = 2.0
"""Without processor time to speak of: what was to be done is done."""
LONGEST_REST = 120.0
FUNCTIONS = "/2015-03-31/functions/"


@dataclass(frozen=True)
class Row:
    """A figure and what it must be."""

    name: str
    value: float
    bar: float
    unit: str

    @property
    def fine(self) -> bool:
        """Whether it holds."""
        return self.value <= self.bar

    def __str__(self) -> str:
        verdict = "" if self.fine else "  TOO MUCH"
        return f"{self.name:<44}{self.value:>10.2f} {self.unit:<4} (≤ {self.bar:g}){verdict}"


class Api:
    """The Lambda API over one connection, unsigned as local mode allows."""

    def __init__(self, endpoint: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=60)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Make one request and return its answer; ends the benchmark where it fails."""
        self._connection.request(method, path, json.dumps(body) if body else None)
        response = self._connection.getresponse()
        answer = response.read()
        if response.status >= http.HTTPStatus.BAD_REQUEST:
            sys.exit(f"{method} {path}: {response.status} {answer.decode()}")
        return json.loads(answer)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def measure(folder: Path, count: int) -> Iterator[Row]:
    """Yield the figures as they become known."""
    state = folder / "state"
    with DevProcess("--no-watch", state=state) as platform:
        api = Api(platform.endpoint)
        seconds = [_create(api, number) for number in range(count)]
        api.close()
        _rest(platform.pid)
    early = statistics.median(seconds[EARLY - SAMPLE // 2 : EARLY + SAMPLE // 2])
    late = statistics.median(seconds[-SAMPLE:])
    print(f"the {EARLY}th function takes {early * 1e3:.1f} ms, the {count}th {late * 1e3:.1f} ms")
    yield Row("the last one made, times the 20th", late / early, CREATE_BAR, "")
    began = time.monotonic()
    with DevProcess("--no-watch", state=state) as platform:
        yield Row("start until ready", time.monotonic() - began, READY_BAR, "s")
        yield Row("processor time of the start", _rest(platform.pid), CPU_BAR, "s")
        yield Row("ListFunctions, a page of 50", _list(platform.endpoint), LIST_BAR, "ms")
    memory = asyncio.run(_memory(state / "resources.sqlite")) / count
    yield Row("what a gateway knows of a function", memory, MEMORY_BAR, "kB")


def _create(api: Api, number: int) -> float:
    """Make a function with a package of its own; returns how many seconds that took."""
    name = f"function-{number:05d}"
    document = {
        "FunctionName": name,
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Role": "arn:aws:iam::000000000000:role/bench",
        "Code": {"ZipFile": _package(f"def handler(event, context):\n    return {name!r}\n")},
    }
    began = time.perf_counter()
    api.ask("POST", FUNCTIONS, document)
    return time.perf_counter() - began


def _package(source: str) -> str:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("index.py", source)
    return base64.b64encode(content.getvalue()).decode()


def _list(endpoint: str) -> float:
    """Return the milliseconds that a page takes, the median of those of a whole listing."""
    api, marker, taken = Api(endpoint), "", []
    while True:
        began = time.perf_counter()
        page = api.ask("GET", f"{FUNCTIONS}?MaxItems=50{marker}")
        taken.append(time.perf_counter() - began)
        if "NextMarker" not in page:
            api.close()
            return statistics.median(taken) * 1e3
        marker = f"&Marker={page['NextMarker']}"


def _rest(pid: int) -> float:
    """Wait until the platform rests; returns the processor time (s) that it has used."""
    used, deadline = cpu_seconds(pid), time.monotonic() + LONGEST_REST
    while time.monotonic() < deadline:
        time.sleep(REST_SECONDS)
        before, used = used, cpu_seconds(pid)
        if used - before < REST_SECONDS / 20:
            return used
    sys.exit("the platform does not come to rest")


async def _memory(resources: Path) -> float:
    """Return the kilobytes that a gateway's cache of a store takes, with its views."""
    store = SqliteResources(resources)
    cache = Cache(store, Function, FunctionVersion, FunctionAlias)
    views = Catalogue(cache), Published(cache)
    gc.collect()
    tracemalloc.start()
    following = asyncio.create_task(cache.run())
    await cache.synced.wait()
    gc.collect()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    store.close()
    del views
    return taken / 1e3


def main() -> None:
    """Measure and print; exit status 1 where a figure is above its bar."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.many_functions", description=__doc__
    )
    parser.add_argument("--count", type=int, default=2000)
    given = parser.parse_args()
    fine = True
    with tempfile.TemporaryDirectory(prefix="pilotlight-bench-") as folder:
        for row in measure(Path(folder), given.count):
            print(row, flush=True)
            fine &= row.fine
    sys.exit(not fine)


if __name__ == "__main__":
    main()
