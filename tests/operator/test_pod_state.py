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
    node,
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
