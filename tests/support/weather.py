"""What a storm is made of and what is looked at meanwhile: in CI in small, else `make storm`."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import ClientError

from pilotlight_autoscaler.creations import turns_of
from tests.support.cluster import kubectl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from tests.support.cluster import Installation

__all__ = [
    "SOURCE",
    "Watch",
    "accept",
    "call",
    "insist",
    "is_answered",
    "kinds",
    "little_room",
    "most_made",
    "restarts",
]

SOURCE = """
import time

def handler(event, context):
    time.sleep(event.get("seconds", 0.01))
    return event.get("number")
"""
THROTTLED = 429
LOOK_SECONDS = 1.0


def call(client: Any, function: str, number: int, *, seconds: float = 0.01) -> object:
    """Call a function of `SOURCE`, or one like it, with a number; gives the number."""
    event = json.dumps({"number": number, "seconds": seconds})
    answer = client.invoke(FunctionName=function, Payload=event)
    payload = json.load(answer["Payload"])
    assert payload == number, payload
    return payload


def accept(client: Any, function: str, number: int) -> str:
    """Have an event accepted; gives its id."""
    event = json.dumps({"number": number})
    answer = client.invoke(FunctionName=function, InvocationType="Event", Payload=event)
    return str(answer["ResponseMetadata"]["RequestId"])


def insist(client: Any, name: str, end: float) -> int:
    """Call again and again until the end; gives how often that was answered."""
    answered = 0
    while time.monotonic() < end:
        try:
            answer = client.invoke(FunctionName=name, Payload=b'{"seconds": 1}')
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != THROTTLED:
                raise
            time.sleep(0.2)
        else:
            assert "FunctionError" not in answer
            answered += 1
    return answered


@contextmanager
def little_room(platform: Installation, pods: int) -> Iterator[None]:
    """Let an account have so many pods while the block lasts."""
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "little-room", "namespace": platform.account},
        "spec": {"hard": {"pods": str(pods)}},
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(quota))
    try:
        yield
    finally:
        kubectl("delete", "resourcequota", "little-room", "-n", platform.account)


def most_made() -> int:
    """Return how many pods may be made at once, by the processors of the cluster's nodes."""
    path = r"jsonpath={.items[*].status.capacity.cpu}"
    return sum(turns_of(int(one)) for one in kubectl("get", "nodes", "-o", path).split())


def restarts(platform: Installation) -> dict[str, int]:
    """Return how often each of the platform's pods has been started anew."""
    found = json.loads(kubectl("get", "pods", "-n", platform.namespace, "-o", "json"))["items"]
    return {
        pod["metadata"]["name"]: sum(
            one["restartCount"] for one in pod["status"].get("containerStatuses", [])
        )
        for pod in found
    }


def kinds(errors: Iterable[BaseException | None]) -> str:
    """Say how often each kind of error came."""
    counted = Counter(map(_kind, errors))
    return ", ".join(f"{kind} {times}" for kind, times in sorted(counted.items()))


def _kind(error: BaseException | None) -> str:
    if isinstance(error, ClientError):
        said = error.response["Error"]
        return f"{said['Code']} ({said['Message'][:60]}…)"
    return type(error).__name__


def is_answered(platform: Installation, function: str) -> bool:
    """Say whether a function answers now."""
    try:
        return bool(platform.invoke(function, {"number": 1}) == 1)
    except ClientError as error:
        print(error)  # noqa: T201  for whoever reads why this failed
        return False


@dataclass
class Watch:
    """Looks every second at what must hold all the time, until the block ends."""

    platform: Installation
    most_starting: int = 0
    """Pods of functions that were being made at once."""
    without_leader: float = 0.0
    """The longest time, in seconds."""
    leaders: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _led_at: float = field(default_factory=time.monotonic)

    def __enter__(self) -> Self:
        """Begin."""
        self._thread = threading.Thread(target=self._look_on)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End."""
        self._stop.set()
        self._thread.join()

    def _look_on(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            self._look()

    def _look(self) -> None:
        try:
            starting, leader = _starting(self.platform), self.platform.leader()
        except AssertionError as error:  # the API server has its troubles too
            print(error)  # noqa: T201  for whoever reads why nothing was seen
            return
        self.most_starting = max(self.most_starting, starting)
        if leader and leader not in self.leaders[-1:]:
            self.leaders.append(leader)
        if leader:
            self._led_at = time.monotonic()
        self.without_leader = max(self.without_leader, time.monotonic() - self._led_at)


def _starting(platform: Installation) -> int:
    """Count the pods whose agent does not run yet."""
    found = json.loads(kubectl("get", "pods", "-n", platform.account, "-o", "json"))["items"]
    return sum(not _runs(pod) for pod in found if "deletionTimestamp" not in pod["metadata"])


def _runs(pod: dict[str, Any]) -> bool:
    statuses = pod["status"].get("containerStatuses", [])
    return any("waiting" not in one["state"] for one in statuses)
