"""Bad days: what a caller reads when nodes, packages, functions and the operator fail."""

from __future__ import annotations

import io
import json
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.support.cluster import kubectl, no_room, wait_until
from tests.support.load import Load
from tests.support.node_processes import kill_together

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.cluster import Installation

ECHO = "def handler(event, context):\n    return event\n"
OWN_POD = 1770
"""Megabytes that no generic pod has."""
GATEWAYS = 2
ROLE = "arn:aws:iam::000000000000:role/any"
SLOW = """
import time

def handler(event, context):
    print("it runs for", event.get("seconds"))
    began = time.time()
    time.sleep(event.get("seconds", 0.3))
    return [began, time.time()]
"""
GREEDY = """
import os

def handler(event, context):
    if event.get("megabytes"):
        memory = bytearray(event["megabytes"] << 20)
        memory[::4096] = bytes(len(memory[::4096])).replace(b"\\0", b"x")
    return os.getpid()
"""
BOMB = """
import os, time

def handler(event, context):
    while event.get("bomb"):
        try:
            os.fork()
        except OSError:
            time.sleep(0.01)
    return sum(name.isdigit() for name in os.listdir("/proc"))
"""
MANY = """
import os, signal

def handler(event, context):
    started = []
    try:
        while len(started) < 2000:
            started.append(os.posix_spawn("/bin/sleep", ["sleep", "60"], {}))
    except OSError as error:
        return [len(started), type(error).__name__]
    finally:
        for pid in started:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
"""
FALSIFY = """
UPDATE artifact_chunks SET content = 'no zip'
WHERE upload = (SELECT upload FROM artifacts WHERE sha256 = '{sha256}')
"""


def test_a_full_node_throttles(platform: Installation) -> None:
    """A pod that finds no node is a throttle with the scheduler's reason, not a hang."""
    platform.apply("crowded", ECHO, memory=OWN_POD)
    platform.wait_ready("crowded")
    with no_room():
        began = time.monotonic()
        error = _error(platform, "crowded")
        waited = time.monotonic() - began
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert error["Reason"] == "ConcurrentInvocationLimitExceeded"
    assert "cannot be scheduled" in error["Error"]["Message"]
    assert waited < 25
    assert platform.invoke("crowded", {"n": 1}) == {"n": 1}


def test_a_full_quota_throttles(platform: Installation) -> None:
    """As a full node does, with the quota's name."""
    platform.apply("measured", ECHO, memory=OWN_POD)
    platform.wait_ready("measured")
    with _quota(platform, pods=0):
        error = _error(platform, "measured")
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert error["Reason"] == "ConcurrentInvocationLimitExceeded"
    assert "exceeded quota: tight" in error["Error"]["Message"]
    assert platform.invoke("measured", {"n": 6}) == {"n": 6}


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("missing", "DELETE FROM artifacts WHERE sha256 = '{sha256}'"),
        ("falsified", FALSIFY),
    ],
)
def test_a_damaged_package_is_named(platform: Installation, name: str, damage: str) -> None:
    """A package that is gone or not what its address says runs nowhere; the caller reads why."""
    _create(platform, name)
    sha256 = platform.function(name)["status"]["configuration"]["codeSha256"]
    platform.sql(damage.format(sha256=sha256))
    error = _error(platform, name)
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 502
    assert sha256 in error["Error"]["Message"]


def test_a_memory_hog_is_killed_alone(platform: Installation) -> None:
    """It ends in Lambda's words, and its environment serves the next call."""
    platform.apply("greedy", GREEDY, memory=128, timeout=20)
    platform.wait_ready("greedy")
    answer = platform.client().invoke(FunctionName="greedy", Payload=b'{"megabytes": 400}')
    payload = json.load(answer["Payload"])
    assert payload["errorType"] == "Runtime.ExitError", payload
    assert "signal: killed" in payload["errorMessage"]
    assert platform.invoke("greedy", {}) > 0


def test_a_container_killed_whole_is_answered(platform: Installation) -> None:
    """Agent and function die together, as with cgroup v2; the gateway answers in their place."""
    platform.apply("doomed", SLOW, timeout=30)
    platform.wait_ready("doomed")
    platform.invoke("doomed", {"seconds": 0})
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(_outcome, platform, "doomed", {"seconds": 20})
        wait_until(lambda: _has_said(platform, "doomed", "it runs for 20"), "the call runs")
        killed = sum(kill_together(pod["metadata"]["uid"]) for pod in platform.pods("doomed"))
        outcome = call.result(timeout=20)
    assert killed >= 2, "this machine is not the node: the pod's processes are not here"
    assert outcome["errorType"] == "Runtime.ExitError"
    assert len(platform.invoke("doomed", {"seconds": 0})) == 2


def test_a_fork_bomb_ends_with_its_invocation(platform: Installation) -> None:
    """Its timeout ends all of it; neighbours and the next call do not notice."""
    platform.apply("bomb", BOMB, memory=1024, timeout=3)
    platform.apply("bystander", ECHO)
    platform.wait_ready("bomb")
    platform.wait_ready("bystander")
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(_outcome, platform, "bomb", {"bomb": True})
        assert platform.invoke("bystander", {"n": 1}) == {"n": 1}
        outcome = call.result(timeout=60)
    assert outcome["errorType"] in {"Sandbox.Timedout", "Runtime.ExitError"}, outcome
    assert platform.invoke("bomb", {}) < 20, "processes were left behind"


def test_a_function_has_1024_processes_at_most(platform: Installation) -> None:
    """AWS Lambda Developer Guide, "Lambda quotas"."""
    platform.apply("many", MANY, memory=OWN_POD, timeout=60)
    platform.wait_ready("many")
    started, why = platform.invoke("many", {})
    assert why == "BlockingIOError"
    assert 512 <= started <= 1024


def test_pods_deleted_behind_our_back(platform: Installation) -> None:
    """Whoever deletes idle pods loses no call."""
    platform.apply("swept", ECHO)
    platform.wait_ready("swept")
    platform.invoke("swept", {})
    platform.first_pods("swept")
    selector = "pilotlight.dev/function=swept"
    kubectl("delete", "pods", "-n", platform.account, "-l", selector, "--force", "--grace-period=0")
    assert platform.invoke("swept", {"n": 2}) == {"n": 2}


def test_a_changed_runtime_replaces_generic_pods(platform: Installation) -> None:
    """Pods that wait with the old image go once those with the new one wait."""
    runtime = _runtime("python3.12")
    kubectl("apply", "-f", "-", stdin=json.dumps(runtime))
    try:
        platform.apply("fashion", ECHO, runtime="python3.12")
        platform.wait_ready("fashion")
        wait_until(lambda: bool(_generic(platform, runtime)), "a generic pod waits")
        changed = json.loads(json.dumps(runtime))
        changed["spec"]["image"] = _another_name(runtime["spec"]["image"])
        kubectl("apply", "-f", "-", stdin=json.dumps(changed))
        wait_until(lambda: bool(_generic(platform, changed)), "a generic pod of the new image")
        wait_until(lambda: not _generic(platform, runtime), "none of the old image is left")
        assert platform.invoke("fashion", {"n": 3}) == {"n": 3}
    finally:
        platform.delete("fashion")
        kubectl("delete", "runtime", "python3.12")


def test_a_new_leader_has_the_old_ones_pool(platform: Installation) -> None:
    """A function's first call is answered from it, though no pod can be started."""
    runtime = _runtime("python3.13")
    platform.apply("inherited", ECHO)
    platform.wait_ready("inherited")
    wait_until(lambda: bool(_generic(platform, runtime)), "a generic pod waits")
    before = platform.leader()
    with no_room():
        platform.kill_operator(before)
        wait_until(lambda: platform.leader() not in {"", before}, "another operator leads")
        assert platform.invoke("inherited", {"n": 5}) == {"n": 5}


def test_reserved_concurrency_holds_over_both_gateways(platform: Installation) -> None:
    """Fifty callers, each on a connection of its own: never six run, the rest is throttled."""
    platform.apply("capped", SLOW, reservedConcurrency=5, timeout=20)
    platform.wait_ready("capped")
    with ThreadPoolExecutor(50) as pool:
        outcomes = list(pool.map(lambda _: _outcome(platform, "capped", {}), range(150)))
    runs = [outcome for outcome in outcomes if isinstance(outcome, list)]
    refused = [outcome for outcome in outcomes if not isinstance(outcome, list)]
    assert len(runs) >= 5
    assert _most_at_once(runs) <= 5
    assert refused
    assert {outcome["Reason"] for outcome in refused} == {
        "ReservedFunctionConcurrentInvocationLimitExceeded"
    }


def test_without_operator_warm_calls_go_on(platform: Installation) -> None:
    """No operator at all for a while: what is warm is served, and afterwards all is as before."""
    platform.apply("steady", SLOW)
    platform.wait_ready("steady")
    wait_until(lambda: _is_warm_everywhere(platform, "steady"), "both gateways are warm")
    client = platform.client()
    _scale_operator(platform, 0)
    try:
        with Load(lambda _: _warm_call(client), per_second=5) as load:
            load.wait_for(100)
    finally:
        _scale_operator(platform, 2)
    assert not load.failed, load.failed[:3]
    platform.apply("fresh-after", ECHO)
    platform.wait_ready("fresh-after")
    assert platform.invoke("fresh-after", {"n": 4}) == {"n": 4}


@contextmanager
def _quota(platform: Installation, pods: int) -> Iterator[None]:
    """Let the account have so many pods at most."""
    kubectl("create", "quota", "tight", f"--hard=pods={pods}", "-n", platform.account)
    try:
        path = "jsonpath={.status.hard.pods}"
        wait_until(
            lambda: (
                kubectl("get", "quota", "tight", "-n", platform.account, "-o", path) == str(pods)
            ),
            "the quota holds",
        )
        yield
    finally:
        kubectl("delete", "quota", "tight", "-n", platform.account)


def _create(platform: Installation, name: str) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as package:
        package.writestr("index.py", f"# {name} {platform.account}\n{ECHO}")
    client = platform.client()
    client.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="index.handler",
        Role=ROLE,
        Code={"ZipFile": content.getvalue()},
    )
    client.get_waiter("function_active_v2").wait(FunctionName=name)


def _outcome(platform: Installation, name: str, event: object) -> Any:
    """Invoke on a new connection; gives the answer, the function error or the service error."""
    try:
        answer = platform.client().invoke(FunctionName=name, Payload=json.dumps(event))
    except ClientError as error:
        return error.response
    return json.load(answer["Payload"])


def _error(platform: Installation, name: str) -> dict[str, Any]:
    outcome: dict[str, Any] = _outcome(platform, name, {})
    assert "Error" in outcome, outcome
    return outcome


def _warm_call(client: Any) -> object:
    answer = client.invoke(FunctionName="steady", Payload=b'{"seconds": 0}')
    payload = json.load(answer["Payload"])
    assert "FunctionError" not in answer, payload
    return payload


def _has_said(platform: Installation, name: str, text: str) -> bool:
    running = [pod for pod in platform.pods(name) if pod["status"]["phase"] == "Running"]
    names = [str(pod["metadata"]["name"]) for pod in running]
    return any(text in kubectl("logs", pod, "-n", platform.account) for pod in names)


def _runtime(name: str) -> dict[str, Any]:
    """Return a runtime that is made as the chart's own one; the operator leaves it alone."""
    spec = json.loads(kubectl("get", "runtime", "python3.13", "-o", "json"))["spec"]
    return {
        "apiVersion": "pilotlight.dev/v1alpha1",
        "kind": "Runtime",
        "metadata": {"name": name},
        "spec": {**spec, "pool": {"minimum": 1, "maximum": 1}},
    }


def _another_name(image: str) -> str:
    """Write an image of Docker's registry in the other of its two ways."""
    short = image.removeprefix("docker.io/")
    return short if short != image else f"docker.io/{image}"


def _generic(platform: Installation, runtime: dict[str, Any]) -> list[str]:
    """Name the generic pods that run with the runtime's image and do not end."""
    label = f"pilotlight.dev/runtime={runtime['metadata']['name']},!pilotlight.dev/function"
    found = kubectl("get", "pods", "-n", platform.account, "-l", label, "-o", "json")
    return [
        pod["metadata"]["name"]
        for pod in json.loads(found)["items"]
        if pod["spec"]["containers"][0]["image"] == runtime["spec"]["image"]
        and "deletionTimestamp" not in pod["metadata"]
    ]


def _is_warm_everywhere(platform: Installation, name: str) -> bool:
    platform.invoke(name, {"seconds": 0})
    return len(platform.pods(name)) >= GATEWAYS


def _most_at_once(runs: list[list[float]]) -> int:
    """Count the most runs that overlap; an end at the very moment of a start is no overlap."""
    steps = sorted([(began, 1) for began, _ in runs] + [(ended, -1) for _, ended in runs])
    running = most = 0
    for _, step in steps:
        running += step
        most = max(most, running)
    return most


def _scale_operator(platform: Installation, replicas: int) -> None:
    deployment = f"deployment/{platform.release}-operator"
    kubectl("scale", deployment, "-n", platform.namespace, f"--replicas={replicas}")
    kubectl("rollout", "status", deployment, "-n", platform.namespace, "--timeout=60s")
    selector = "app.kubernetes.io/component=operator"
    wait_until(
        lambda: len(kubectl("get", "pods", "-n", platform.namespace, "-l", selector,
                            "-o", "name").split()) == replicas,
        f"{replicas} operators",
    )  # fmt: skip
