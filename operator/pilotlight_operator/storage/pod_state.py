"""What is written down of a pod, and what its status says of its start: pure, a case a word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight.claims import RevisionKey
from pilotlight.compute import Found, Pod
from pilotlight.errors import (
    PilotlightError,
    PodLostError,
    QuotaExceededError,
    StartFailedError,
    ThrottledError,
)
from pilotlight.names import (
    FUNCTION_LABEL,
    RECIPE_ANNOTATION,
    REVISION_LABEL,
    RUNTIME_LABEL,
    TENANT_ANNOTATION,
)
from pilotlight_wire.protocol import AGENT_PORT

if TYPE_CHECKING:
    from pilotlight.storage.kubernetes.api import Json

__all__ = [
    "address",
    "failure",
    "found",
    "has_ended",
    "is_deleted",
    "no_room",
    "no_volume",
    "node",
    "not_mounted",
    "over_quota",
    "pod_key",
    "why_ended",
    "why_waiting",
]

_HOPELESS = {
    "ErrImageNeverPull": "InvalidImage",
    "InvalidImageName": "InvalidImage",
    "ImagePullBackOff": "ImageAccessDenied",
    "CreateContainerConfigError": "InvalidConfiguration",
    "CreateContainerError": "InvalidConfiguration",
    "RunContainerError": "InvalidConfiguration",
}
"""Reasons for which a container waits that do not go by waiting; Lambda's StateReasonCode each."""

_OF_ROOM = ("Insufficient", "Too many pods")
"""In the scheduler's message, where a node would do that had room."""
_OF_VOLUMES = ("persistentvolumeclaim", "persistent volume", "volume node affinity")
"""In the scheduler's message, where it is for a claim that no node will do."""

NO_ROOM_RETRY_SECONDS = 5
"""When a caller may come again: another pod may have ended by then, or a node come."""


def pod_key(pod: Json) -> str:
    """Return a pod's `namespace/name`."""
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def address(pod: Json) -> str | None:
    """Return the address of a pod whose container runs."""
    status = pod.get("status", {})
    running = any("running" in state for state in _states(pod))
    return status.get("podIP") if running else None


def node(pod: Json) -> str:
    """Return the node that a pod is on, empty before it is on one."""
    name: str = pod.get("spec", {}).get("nodeName", "")
    return name


def is_deleted(pod: Json) -> bool:
    """Say whether somebody asked that a pod go."""
    return "deletionTimestamp" in pod["metadata"]


def has_ended(pod: Json) -> bool:
    """Say whether a pod's container will not run again."""
    return pod.get("status", {}).get("phase") in {"Succeeded", "Failed"}


def failure(pod: Json) -> StartFailedError | None:
    """Return why a pod cannot start, or None."""
    if is_deleted(pod):
        said = f"pod {pod_key(pod)} was deleted before it had started"
        return PodLostError(said, reason="InternalError")
    for state in _starting(pod):
        waiting, ended = state.get("waiting", {}), state.get("terminated", {})
        code = _HOPELESS.get(waiting.get("reason", ""))
        if code is not None:
            return _failed(pod, _said(waiting), _more_exactly(code, waiting))
        if ended:
            return _failed(pod, _said(ended), "InternalError")
    return _failed(pod, _said(pod["status"]), "InternalError") if has_ended(pod) else None


def no_room(pod: Json) -> ThrottledError | None:
    """Return the scheduler's word that no node has room for a pod, or None."""
    said = _unschedulable(pod)
    if said is None:
        return None
    return _throttled(f"pod {pod_key(pod)} cannot be scheduled: {said}")


def _unschedulable(pod: Json) -> str | None:
    """Return why the scheduler finds no node for a pod, or None."""
    for condition in pod.get("status", {}).get("conditions", []):
        if condition.get("reason") == "Unschedulable":
            return str(condition.get("message", "no reason given"))
    return None


def no_volume(pod: Json) -> StartFailedError | None:
    """Return the scheduler's word that a claim of the pod has no volume here, or None."""
    said = _unschedulable(pod)
    if said is None or any(word in said for word in _OF_ROOM):
        return None
    if not any(word in said.lower() for word in _OF_VOLUMES):
        return None
    return _failed(pod, said, "EFSMountFailure")


def over_quota(error: QuotaExceededError) -> ThrottledError:
    """Return what the namespace's ResourceQuota means to a caller."""
    return _throttled(str(error))


def _throttled(said: str) -> ThrottledError:
    return ThrottledError(
        f"Rate Exceeded: {said}",
        reason="ConcurrentInvocationLimitExceeded",
        retry_after=NO_ROOM_RETRY_SECONDS,
        of_room=True,
    )


def why_waiting(pod: Json) -> PilotlightError:
    """Return why a pod has not started yet, for when there is no more time."""
    if (crowded := no_volume(pod) or no_room(pod)) is not None:
        return crowded
    if (bare := not_mounted(pod)) is not None:
        return bare
    waits = [_said(state["waiting"]) for state in _starting(pod) if "waiting" in state]
    return _failed(pod, waits[0] if waits else "no answer in time", "InternalError")


def why_ended(pod: Json) -> str:
    """Return why a pod ended by itself, such as that its node had no room on disk for it."""
    return _said(pod.get("status", {}))


def not_mounted(pod: Json) -> StartFailedError | None:
    """Return that a node has yet to mount what a pod has, as it does before it makes a sandbox."""
    volumes = pod.get("spec", {}).get("volumes", [])
    conditions = pod.get("status", {}).get("conditions", [])
    is_bare = any(
        (one.get("type"), one.get("status")) == ("PodReadyToStartContainers", "False")
        for one in conditions
    )
    kinds = {kind for volume in volumes for kind in volume}
    if is_bare and "persistentVolumeClaim" in kinds:
        return _failed(pod, "its file system was not mounted in time", "EFSMountTimeout")
    if is_bare and "secret" in kinds:
        return _failed(pod, "its Secrets were not mounted in time", "InvalidConfiguration")
    return None


def _more_exactly(code: str, waiting: Json) -> str:
    """Tell an image that is not there from one that may not be read: only the message does."""
    missing = code == "ImageAccessDenied" and "not found" in waiting.get("message", "")
    return "InvalidImage" if missing else code


def _starting(pod: Json) -> list[Json]:
    """Return the states of a pod's containers, but of init containers that have done their work."""
    first = _states(pod, "initContainerStatuses")
    return [one for one in first if one.get("terminated", {}).get("exitCode") != 0] + _states(pod)


def _states(pod: Json, of: str = "containerStatuses") -> list[Json]:
    statuses = pod.get("status", {}).get(of, [])
    return [status.get("state", {}) for status in statuses]


def _said(state: Json) -> str:
    parts = (state.get("reason"), state.get("message"), state.get("exitCode"))
    return ", ".join(str(part) for part in parts if part is not None) or "no reason given"


def _failed(pod: Json, said: str, reason: str) -> StartFailedError:
    return StartFailedError(f"pod {pod_key(pod)} did not start: {said}", reason=reason)


def found(key: str, pod: Json) -> Found:
    """Return what is written down of a pod, whoever made it."""
    metadata, host = pod["metadata"], address(pod)
    labels, annotations = metadata.get("labels", {}), metadata.get("annotations", {})
    function = labels.get(FUNCTION_LABEL)
    revision = None
    if function is not None:
        revision = RevisionKey(
            metadata["namespace"],
            function,
            labels.get(REVISION_LABEL, ""),
            annotations.get(TENANT_ANNOTATION, ""),
        )
    return Found(
        key,
        labels.get(RUNTIME_LABEL, ""),
        revision,
        Pod(key, host, AGENT_PORT, node(pod)) if host is not None else None,
        annotations.get(RECIPE_ANNOTATION, ""),
    )
