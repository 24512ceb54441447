"""How a pod mounts the Secrets that its function finds as files: to be read, by nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pilotlight.resources import SecretFiles

__all__ = ["mounts", "volumes"]

Json = dict[str, Any]

READABLE = 0o444
"""Of each file; all processes of the pod are the function's."""


def volumes(secrets: Iterable[SecretFiles]) -> list[Json]:
    """Return the volumes, named by their Secrets' places."""
    return [
        {"name": _name(number), "secret": {"secretName": one.secret, "defaultMode": READABLE}}
        for number, one in enumerate(secrets)
    ]


def mounts(secrets: Iterable[SecretFiles]) -> list[Json]:
    """Return where the container has them: as folders, for single files are not kept up to date."""
    return [
        {"name": _name(number), "mountPath": one.path, "readOnly": True}
        for number, one in enumerate(secrets)
    ]


def _name(number: int) -> str:
    return f"secret-files-{number}"
