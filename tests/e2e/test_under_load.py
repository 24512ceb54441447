"""Updates and kills under a constant rate of calls, against a ledger outside the platform."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from tests.support.cluster import kubectl, wait_until
from tests.support.load import Load

if TYPE_CHECKING:
    from tests.support.cluster import Installation

PER_SECOND = 20
GATEWAYS = 2
SOURCE = """
import time

def handler(event, context):
    print("mark", event.get("mark"))
    time.sleep(event.get("seconds", 0.02))
    return {version!r}
"""


def _prepare(platform: Installation, name: str) -> None:
    """Apply a function and warm it on both gateways: one call at a time starts one pod on each."""
    platform.apply(name, SOURCE.format(version="old"), timeout=20)
    platform.wait_ready(name)

    def warm() -> bool:
        platform.invoke(name, {})  # a new client, so that the Service may choose the other gateway
        return len(platform.pods(name)) >= GATEWAYS

    wait_until(warm, "both gateways have an environment")


def test_an_update_loses_no_call(platform: Installation) -> None:
    """A new revision takes over while 20 calls a second go on; then only it answers."""
    _prepare(platform, "updated")
    client = platform.client()
    with Load(lambda _: _invoke(client, "updated", {}), per_second=PER_SECOND) as load:
        load.wait_for(2 * PER_SECOND)
        platform.apply("updated", SOURCE.format(version="new"))
        platform.wait_ready("updated")
        after = load.started
        load.wait_for(4 * PER_SECOND)
    assert not load.failed, load.failed[:3]
    assert {call.answer for call in load.calls} == {"old", "new"}
    late = {call.answer for call in load.calls if call.number > after}
    assert late == {"new"}, "Ready means that every gateway serves the new revision"


def test_a_killed_operator_loses_no_call(platform: Installation) -> None:
    """Warm traffic never asks the operator, and a standby takes over."""
    _prepare(platform, "orphaned")
    client = platform.client()
    before = platform.leader()
    with Load(lambda _: _invoke(client, "orphaned", {}), per_second=PER_SECOND) as load:
        load.wait_for(PER_SECOND)
        platform.kill_operator(before)
        wait_until(lambda: platform.leader() not in {"", before}, "another operator leads")
        load.wait_for(2 * PER_SECOND)
    assert not load.failed, load.failed[:3]
    platform.apply("orphaned", SOURCE.format(version="new"))
    platform.wait_ready("orphaned")
    assert platform.invoke("orphaned", {}) == "new"


def test_a_killed_pod_loses_only_what_ran_in_it(platform: Installation) -> None:
    """The long call in the killed pod ends in Lambda's error shape; all others are answered."""
    _prepare(platform, "struck")
    client = platform.client()
    lost: list[Any] = []
    event = {"seconds": 15, "mark": "long call"}
    long_call = threading.Thread(target=lambda: lost.append(_outcome(client, "struck", event)))
    long_call.start()
    wait_until(lambda: _pod_that_logged(platform, "mark long call") is not None, "it runs")
    victim = _pod_that_logged(platform, "mark long call")
    with Load(lambda _: _outcome(client, "struck", {}), per_second=PER_SECOND) as load:
        load.wait_for(PER_SECOND // 2)
        kubectl("delete", "pod", str(victim), "-n", platform.account, "--force", "--grace-period=0")
        long_call.join(timeout=10)
        load.wait_for(3 * PER_SECOND)
    assert not long_call.is_alive(), "the lost call got no answer though its pod is gone"
    unanswered = [call for call in load.calls if call.answer != "old"]
    assert len(unanswered) <= 1, unanswered[:3]
    for outcome in [*lost, *(call.answer for call in unanswered)]:
        assert _is_lambdas(outcome), outcome


def _invoke(client: Any, name: str, event: object) -> object:
    answer = client.invoke(FunctionName=name, Payload=json.dumps(event))
    payload = json.load(answer["Payload"])
    assert "FunctionError" not in answer, payload
    return payload


def _outcome(client: Any, name: str, event: object) -> object:
    """Invoke and give the answer, the function error or the service error."""
    try:
        answer = client.invoke(FunctionName=name, Payload=json.dumps(event))
    except ClientError as error:
        return error.response
    return json.load(answer["Payload"])


def _pod_that_logged(platform: Installation, text: str) -> str | None:
    for pod in platform.pods("struck"):
        running = pod["status"]["phase"] == "Running"
        name = str(pod["metadata"]["name"])
        if running and text in kubectl("logs", name, "-n", platform.account):
            return name
    return None


def _is_lambdas(outcome: Any) -> bool:
    if "errorType" in outcome:
        return str(outcome["errorType"]).startswith(("Runtime.", "Sandbox."))
    return bool(outcome["Error"]["Code"]) and bool(outcome["ResponseMetadata"]["RequestId"])
