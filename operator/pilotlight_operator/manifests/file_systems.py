"""How a pod mounts the file systems of its function, and whom it runs as then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pilotlight.resources import Mount

__all__ = ["mounts", "security", "volumes"]

Json = dict[str, Any]


def volumes(file_systems: Iterable[Mount]) -> list[Json]:
    """Return the volumes, named by their claims' places."""
    return [
        {
            "name": _name(number),
            "persistentVolumeClaim": {"claimName": one.claim, "readOnly": one.read_only},
        }
        for number, one in enumerate(file_systems)
    ]


def mounts(file_systems: Iterable[Mount]) -> list[Json]:
    """Return where the container has them."""
    return [
        {"name": _name(number), "mountPath": one.path, "readOnly": one.read_only}
        for number, one in enumerate(file_systems)
    ]


def security(file_systems: Iterable[Mount]) -> Json:
    """Return whom the pod runs as: the user of what it mounts, or nothing else than any."""
    for one in file_systems:
        # Volumes that Kubernetes gives to a group it gives once, not at each start file by file.
        return {
            "runAsUser": one.user,
            "runAsGroup": one.group,
            "fsGroup": one.group,
            "fsGroupChangePolicy": "OnRootMismatch",
        }
    return {}


def _name(number: int) -> str:
    return f"file-system-{number}"
