"""What a pod's status says, in the kubelet's words."""

from __future__ import annotations

from typing import Any

import pytest

from pilotlight.errors import StartFailedError, ThrottledError
from pilotlight.names import FUNCTION_LABEL, RUNTIME_LABEL
from pilotlight_operator.storage.pod_state import (
    address,
    failure,
    generic_runtime,
    has_ended,
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


def test_a_pod_waits_for_a_function_until_it_has_the_labels_of_one() -> None:
    pod = _pod({"running": {}}, podIP="10.0.0.7")
    assert generic_runtime(pod) is None
    assert node(pod) == ""
    pod["metadata"]["labels"] = {RUNTIME_LABEL: "python3.13"}
    assert generic_runtime(pod) == "python3.13"
    pod["metadata"]["labels"][FUNCTION_LABEL] = "f"
    assert generic_runtime(pod) is None


@pytest.mark.parametrize(
    ("pod", "reason", "says"),
    [
        (_pod({"waiting": {"reason": "ErrImageNeverPull"}}), "InvalidImage", "ErrImageNeverPull"),
        (_pod({"waiting": {"reason": "ImagePullBackOff"}}), "ImageAccessDenied", "team/p"),
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
