"""Keys of registries, as a Secret of type `kubernetes.io/dockerconfigjson` holds them."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .reference import Reference

__all__ = ["DOCKER_CONFIG", "find_keys"]

DOCKER_CONFIG = ".dockerconfigjson"
"""The entry of such a Secret."""
_DOCKERS_NAMES = ("https://index.docker.io/v1/", "index.docker.io", "docker.io")


def find_keys(docker_config: str, reference: Reference) -> str | None:
    """Return what a docker configuration holds for a registry, as `Authorization` has it.

    Raises ValueError.
    """
    auths = json.loads(docker_config).get("auths") or {}
    names = _DOCKERS_NAMES if reference.registry == "docker.io" else (reference.registry,)
    for name in names:
        for entry in (name, f"https://{name}", f"http://{name}"):
            if entry in auths:
                return _keys(auths[entry])
    return None


def _keys(entry: dict[str, Any]) -> str:
    own = f"{entry.get('username', '')}:{entry.get('password', '')}"
    return f"Basic {entry.get('auth') or b64encode(own.encode()).decode()}"
