"""Upgrades, and what they must not do: lose a call or an event, or begin what cannot end."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.cluster import helm, kubectl, wait_until
from tests.support.load import Load

if TYPE_CHECKING:
    from tests.support.cluster import Installation

CALLS_PER_SECOND = 20
EVENTS_PER_SECOND = 10
COLD_PER_SECOND = 0.2
SOURCE = """
def handler(event, context):
    print("handled", event.get("number"))
    return event.get("number")
"""
LEFT = "SELECT count(*) FROM events WHERE function = 'upgraded'"
DONE = "SELECT coalesce(sum(done), 0) FROM event_lanes WHERE function = 'upgraded'"


def test_an_upgrade_and_the_way_back_lose_nothing(platform: Installation) -> None:
    """Every gateway and operator is replaced, under calls, events and first calls, and again."""
    platform.apply("upgraded", SOURCE, timeout=20)
    platform.wait_ready("upgraded")
    platform.invoke("upgraded", {})
    client = platform.client()
    numbers = itertools.count()

    def call(number: int) -> object:
        answer = client.invoke(FunctionName="upgraded", Payload=json.dumps({"number": number}))
        assert "FunctionError" not in answer, answer["Payload"].read()
        return json.load(answer["Payload"])

    def accept(number: int) -> int:
        answer = client.invoke(
            FunctionName="upgraded",
            InvocationType="Event",
            Payload=json.dumps({"number": f"event {number}"}),
        )
        return int(answer["StatusCode"])

    def call_first(_: int) -> object:
        name = f"cold-{next(numbers)}"
        platform.apply(name, SOURCE, timeout=20)
        platform.wait_ready(name)
        return platform.invoke(name, {"number": name})

    revision = _revision(platform)
    with (
        Load(call, per_second=CALLS_PER_SECOND) as calls,
        Load(accept, per_second=EVENTS_PER_SECOND) as events,
        Load(call_first, per_second=COLD_PER_SECOND) as first_calls,
    ):
        calls.wait_for(CALLS_PER_SECOND)
        platform.upgrade("gateway.podAnnotations.rolled=yes", "operator.podAnnotations.rolled=yes")
        calls.wait_for(2 * CALLS_PER_SECOND)
        helm("rollback", platform.release, revision, "-n", platform.namespace, "--wait")
        calls.wait_for(2 * CALLS_PER_SECOND)
    assert not calls.failed, calls.failed[:3]
    assert not events.failed, events.failed[:3]
    assert not first_calls.failed, first_calls.failed[:3]
    assert all(one.answer == one.number for one in calls.calls)
    wait_until(lambda: int(platform.sql(LEFT)) == 0, "every event has ended")
    assert int(platform.sql(DONE)) == len(events.calls)


def _revision(platform: Installation) -> str:
    history: list[dict[str, Any]] = json.loads(
        helm("history", platform.release, "-n", platform.namespace, "-o", "json")
    )
    return str(history[-1]["revision"])


@pytest.mark.parametrize(
    "values",
    [("postgresql.persistent=true",), ("postgresql.persistent=true", "postgresql.storage=2Gi")],
)
def test_an_upgrade_that_kubernetes_cannot_apply_is_refused_whole(
    platform: Installation, values: tuple[str, ...]
) -> None:
    """Before a gateway rolls, and with what to do."""
    path = "jsonpath={.metadata.generation}"
    gateway = ("get", "deployment", f"{platform.release}-gateway", "-n", platform.namespace)
    before = kubectl(*gateway, "-o", path)
    with pytest.raises(AssertionError, match=r"changes no StatefulSet's storage.*docs/backup\.md"):
        platform.upgrade("gateway.podAnnotations.rolled=never", *values)
    assert kubectl(*gateway, "-o", path) == before


def test_a_lost_trial_database_is_filled_again(platform: Installation) -> None:
    """Its pod moves and its disk is gone: inline code runs and events are accepted all the same."""
    platform.apply("refilled", SOURCE)
    platform.wait_ready("refilled")
    platform.apply("cold-after-loss", SOURCE)
    platform.wait_ready("cold-after-loss")
    pod = f"{platform.release}-postgresql-0"
    with Load(lambda _: platform.invoke("refilled", {"number": 1}), per_second=2) as load:
        load.wait_for(2)
        kubectl("delete", "pod", pod, "-n", platform.namespace, "--wait=false")
        wait_until(lambda: _answers(platform), "the new database has tables")
        wait_until(lambda: _accepts(platform), "events are accepted again")
        load.wait_for(2)
    assert not load.failed, load.failed[:3]
    wait_until(lambda: _first_call(platform), "a function that nobody called yet starts")


def _answers(platform: Installation) -> bool:
    try:
        return int(platform.sql("SELECT count(*) FROM artifacts")) > 0
    except AssertionError:
        return False


def _accepts(platform: Installation) -> bool:
    client = platform.client()
    try:
        answer = client.invoke(FunctionName="refilled", InvocationType="Event", Payload=b"{}")
    except client.exceptions.ClientError:
        return False
    return bool(answer["StatusCode"] == 202)


def _first_call(platform: Installation) -> bool:
    client = platform.client()
    try:
        answer = client.invoke(FunctionName="cold-after-loss", Payload=b'{"number": 7}')
    except client.exceptions.ClientError:
        return False
    return bool(json.load(answer["Payload"]) == 7)
