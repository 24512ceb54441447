"""One platform, whose events a test may make older, and what stands in for AWS beside it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from pilotlight_gateway.event_queue.interface import Counts, FunctionKey
from tests.support.gateway import GatewayHarness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.moto import Moto

SECONDS = 20.0


class Events:
    """The events of one platform, seen from outside."""

    def __init__(self, harness: GatewayHarness) -> None:
        self.harness = harness
        self._offset = 0.0
        dispatcher: Any = harness.gateway._asynchronous
        dispatcher._clock = dispatcher._handler._clock = lambda: time.time() + self._offset

    def pass_time(self, seconds: float) -> None:
        """Let what waits become older."""
        self._offset += seconds
        self.harness.call(self._wake())

    def skip_waiting(self, function: str) -> Counts:
        """Let time pass until something is due, unless that would end a lease of the function's."""
        return self.harness.call(self._skip_waiting(FunctionKey("default", function)))

    def counts(self, function: str) -> Counts:
        """Count a function's events."""
        return self.harness.call(self.harness.events.counts(FunctionKey("default", function)))

    def wait(self, function: str, **wanted: int) -> Counts:
        """Wait until a function has so many events done, dead and so on."""
        counts: Counts = until(lambda: self._counts_if(function, wanted))
        return counts

    def send(self, function: str, payload: bytes = b"{}", **options: Any) -> str:
        """Invoke asynchronously; gives the request id."""
        answer = self.harness.client().invoke(
            FunctionName=function, InvocationType="Event", Payload=payload, **options
        )
        assert answer["StatusCode"] == 202
        assert answer["Payload"].read() == b""
        request_id: str = answer["ResponseMetadata"]["RequestId"]
        return request_id

    def runs(self, function: str) -> list[str]:
        """Return the request ids that the function's log begins runs with."""
        return [
            line.request_id
            for line in self.harness.logs.lines
            if line.function == function and line.message.startswith("START")
        ]

    def _counts_if(self, function: str, wanted: dict[str, int]) -> Counts | None:
        counts = self.counts(function)
        assert counts.conserved
        return counts if all(getattr(counts, name) == n for name, n in wanted.items()) else None

    async def _skip_waiting(self, function: FunctionKey) -> Counts:
        counts = await self.harness.events.counts(function)
        due = await self.harness.events.next_due()
        if due is not None and not counts.in_flight:
            self._offset = max(self._offset, due - time.time())
            await self._wake()
        return counts

    async def _wake(self) -> None:
        queue: Any = self.harness.events
        queue._arrived.set()


def until(ready: Callable[[], Any]) -> Any:
    """Wait until something is there, and give it."""
    deadline = time.monotonic() + SECONDS
    while not (found := ready()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)
    return found


@pytest.fixture(scope="package")
def harness(tmp_path_factory: pytest.TempPathFactory, moto: Moto) -> Iterator[GatewayHarness]:
    """A running platform."""
    running = GatewayHarness(tmp_path_factory.mktemp("pods"), aws_endpoint_url=moto.url)
    yield running
    running.close()


@pytest.fixture
def events(harness: GatewayHarness) -> Events:
    """Its events."""
    return Events(harness)
