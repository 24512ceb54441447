"""What a pod's status says, in the kubelet's words."""

from __future__ import annotations

from typing import Any

import pytest

from pilotlight.errors import StartFailedError, ThrottledError
from pilotlight_operator.storage.pod_state import (
    address,
    failure,
    has_ended,
    is_deleted,
    no_volume,
    node,
    why_ended,
    why_waiting,
)


def _pod(state: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    statuses = {"containerStatuses": [{"state": state}]} if state else {}
    return {"metadata": {"namespace": "team", "name": "p"}, "status": {**statuses, **status}}


def test_a_running_container_has_an_address() -> None:
    assert address(_pod({"running": {}}, podIP="10.0.0.7", phase="Running")) == "10.0.0.7"
    assert address(_pod({"waiting": {"reason": "ContainerCreating"}}, podIP="10.0.0.7")) is None
    assert address({"metadata": {}}) is None


def test_a_pod_that_was_deleted_says_so() -> None:
    pod = _pod({"running": {}})
    assert node(pod) == ""
    assert not is_deleted(pod)
    pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert is_deleted(pod)


@pytest.mark.parametrize(
    ("pod", "reason", "says"),
    [
        (_pod({"waiting": {"reason": "ErrImageNeverPull"}}), "InvalidImage", "ErrImageNeverPull"),
        (_pod({"waiting": {"reason": "ImagePullBackOff"}}), "ImageAccessDenied", "team/p"),
        (
            _pod({"waiting": {"reason": "ImagePullBackOff", "message": "x:1: not found"}}),
            "InvalidImage",
            "x:1: not found",
        ),
        (
            _pod(initContainerStatuses=[{"state": {"terminated": {"exitCode": 1}}}]),
            "InternalError",
            "1",
        ),
        (
            _pod({"waiting": {"reason": "CreateContainerConfigError", "message": "no user"}}),
            "InvalidConfiguration",
            "no user",
        ),
        (_pod({"terminated": {"reason": "Error", "exitCode": 2}}), "InternalError", "Error, 2"),
        (_pod(phase="Failed", reason="Evicted", message="disk"), "InternalError", "Evicted, disk"),
    ],
)
def test_what_will_not_start_is_said(pod: dict[str, Any], reason: str, says: str) -> None:
    error = failure(pod)
    assert error is not None
    assert error.reason == reason
    assert says in str(error)


def test_an_init_container_that_is_done_is_no_failure() -> None:
    done = [{"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}]
    assert (
        failure(_pod({"waiting": {"reason": "PodInitializing"}}, initContainerStatuses=done))
        is None
    )


def test_what_may_still_start_is_no_failure() -> None:
    for reason in ("ContainerCreating", "ErrImagePull"):
        assert failure(_pod({"waiting": {"reason": reason}}, phase="Pending")) is None
    assert not has_ended(_pod(phase="Running"))


def test_when_time_is_up_the_scheduler_is_quoted() -> None:
    condition = {"type": "PodScheduled", "reason": "Unschedulable", "message": "0/1 nodes"}
    late = why_waiting(_pod(conditions=[condition]))
    assert isinstance(late, ThrottledError)
    assert (late.reason, "0/1 nodes" in str(late)) == ("ConcurrentInvocationLimitExceeded", True)
    slow = why_waiting(_pod())
    assert isinstance(slow, StartFailedError)
    assert slow.reason == "InternalError"


@pytest.mark.parametrize(
    "message",
    [
        '0/1 nodes are available: persistentvolumeclaim "shared" not found.',
        "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.",
        "0/3 nodes are available: 3 node(s) had volume node affinity conflict.",
        "0/3 nodes are available: 3 node(s) didn't find available persistent volumes to bind.",
    ],
)
def test_no_room_for_a_claim_is_a_failure_to_mount(message: str) -> None:
    pod = _pod(conditions=[{"type": "PodScheduled", "reason": "Unschedulable", "message": message}])
    found = no_volume(pod)
    assert found is not None
    assert found.reason == "EFSMountFailure"
    assert message in str(why_waiting(pod))


@pytest.mark.parametrize("more", ["", ", 2 node(s) had volume node affinity conflict"])
def test_no_room_for_anything_else_is_a_throttle(more: str) -> None:
    message = f"0/3 nodes are available: 1 Insufficient memory{more}."
    said = {"reason": "Unschedulable", "message": message}
    pod = _pod(conditions=[{"type": "PodScheduled", **said}])
    assert no_volume(pod) is None
    assert isinstance(why_waiting(pod), ThrottledError)


@pytest.mark.parametrize(
    ("mounted", "volume", "reason"),
    [
        ("False", {"persistentVolumeClaim": {"claimName": "shared"}}, "EFSMountTimeout"),
        ("True", {"persistentVolumeClaim": {"claimName": "shared"}}, "InternalError"),
        ("False", {"secret": {"secretName": "db"}}, "InvalidConfiguration"),
        ("True", {"secret": {"secretName": "db"}}, "InternalError"),
        ("False", {"emptyDir": {}}, "InternalError"),
    ],
)
def test_what_is_not_mounted_in_time(mounted: str, volume: dict[str, Any], reason: str) -> None:
    """A node mounts before it makes a sandbox, and says when it has one."""
    condition = {"type": "PodReadyToStartContainers", "status": mounted}
    pod = _pod({"waiting": {"reason": "ContainerCreating"}}, conditions=[condition])
    error = why_waiting(pod | {"spec": {"volumes": [volume]}})
    assert isinstance(error, StartFailedError)
    assert error.reason == reason


def test_why_a_pod_ended_is_said() -> None:
    assert why_ended(_pod(reason="Evicted", message="disk")) == "Evicted, disk"
