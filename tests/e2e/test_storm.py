"""More is asked for than there is room for: bounds hold, nothing is lost, it ends by itself."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import ClientError

from pilotlight_autoscaler.creations import PER_NODE
from tests.support.cluster import kubectl, wait_until
from tests.support.load import Load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.cluster import Installation

ROOM = 20
"""Pods of the account."""
COLD = 25
"""Functions that nobody has called."""
CALLERS = 8
"""Of each of them, all at once."""
GATEWAYS = 2
THROTTLED = 429
STORM_SECONDS = 20
RECOVERY_SECONDS = 30
SOURCE = """
import time

def handler(event, context):
    time.sleep(event.get("seconds", 0.01))
    return event.get("number")
"""
LEFT = "SELECT count(*) FROM events WHERE function = 'sheltered'"
DONE = "SELECT coalesce(sum(done), 0) FROM event_lanes WHERE function = 'sheltered'"


def test_a_storm_ends_by_itself(platform: Installation) -> None:
    """200 calls of 25 cold functions where 20 pods may run, and their callers try again at once."""
    names = [f"stormy-{number}" for number in range(COLD)]
    for name in (*names, "sheltered", "after-the-storm"):
        platform.apply(name, SOURCE, timeout=20)
    for name in (*names, "sheltered", "after-the-storm"):
        platform.wait_ready(name)

    def warm() -> bool:
        platform.invoke("sheltered", {})  # a new client, so that the other gateway may be chosen
        return len(platform.pods("sheltered")) >= GATEWAYS

    wait_until(warm, "both gateways have an environment")
    client = platform.client(
        config=Config(
            retries={"total_max_attempts": 1},
            read_timeout=60,
            max_pool_connections=COLD * CALLERS + 50,
        )
    )
    leader, restarts = platform.leader(), _restarts(platform)
    most_starting = 0
    with (
        _little_room(platform),
        Load(lambda number: _call(client, number), per_second=5) as calls,
        Load(lambda number: _accept(client, number), per_second=10) as events,
        ThreadPoolExecutor(COLD * CALLERS) as callers,
    ):
        end = time.monotonic() + STORM_SECONDS
        stormy = [callers.submit(_insist, client, name, end) for name in names * CALLERS]
        while time.monotonic() < end:
            most_starting = max(most_starting, _starting(platform))
            time.sleep(1)
        answers = [one.result() for one in stormy]
        wait_until(lambda: _is_answered(platform), "a first call is answered", RECOVERY_SECONDS)
    assert sum(answers) > COLD, "what there was room for was served"
    assert most_starting <= 2 * PER_NODE, "refills that had begun come on top"
    # An environment that idles between two calls may be taken for others: then one is throttled.
    throttles = client.exceptions.TooManyRequestsException
    others = [one for one in calls.failed if not isinstance(one.error, throttles)]
    assert not others, others[:3]
    assert len(calls.failed) < len(calls.calls) / 2
    assert not events.failed, events.failed[:3]
    assert platform.leader() == leader
    assert _restarts(platform) == restarts
    wait_until(lambda: int(platform.sql(LEFT)) == 0, "every event has ended")
    assert int(platform.sql(DONE)) == len(events.calls)


def _call(client: Any, number: int) -> object:
    answer = client.invoke(FunctionName="sheltered", Payload=json.dumps({"number": number}))
    payload = json.load(answer["Payload"])
    assert payload == number, payload
    return payload


def _accept(client: Any, number: int) -> int:
    event = json.dumps({"number": number})
    answer = client.invoke(FunctionName="sheltered", InvocationType="Event", Payload=event)
    return int(answer["StatusCode"])


def _insist(client: Any, name: str, end: float) -> int:
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
def _little_room(platform: Installation) -> Iterator[None]:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "little-room", "namespace": platform.account},
        "spec": {"hard": {"pods": str(ROOM)}},
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(quota))
    try:
        yield
    finally:
        kubectl("delete", "resourcequota", "little-room", "-n", platform.account)


def _starting(platform: Installation) -> int:
    found = json.loads(kubectl("get", "pods", "-n", platform.account, "-o", "json"))["items"]
    return sum(not _is_ready(pod) for pod in found if "deletionTimestamp" not in pod["metadata"])


def _is_ready(pod: dict[str, Any]) -> bool:
    return any(
        one["type"] == "Ready" and one["status"] == "True"
        for one in pod["status"].get("conditions", [])
    )


def _restarts(platform: Installation) -> dict[str, int]:
    found = json.loads(kubectl("get", "pods", "-n", platform.namespace, "-o", "json"))["items"]
    return {
        pod["metadata"]["name"]: sum(
            one["restartCount"] for one in pod["status"].get("containerStatuses", [])
        )
        for pod in found
    }


def _is_answered(platform: Installation) -> bool:
    try:
        return bool(platform.invoke("after-the-storm", {"number": 1}) == 1)
    except ClientError as error:
        print(error)  # noqa: T201  for whoever reads why this failed
        return False
