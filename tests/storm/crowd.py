"""Functions by the hundred, as kubectl makes them from one list."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.support.cluster import kubectl
from tests.support.weather import SOURCE

if TYPE_CHECKING:
    from tests.support.cluster import Installation

__all__ = ["count_ready", "make_crowd"]

CHUNK = 500
"""Of one list: ten thousand at once are too long for one."""


def make_crowd(platform: Installation, name: str, count: int) -> list[str]:
    """Make so many functions of `SOURCE`, no two of the same code; gives their names."""
    names = [f"{name}-{number}" for number in range(count)]
    for begin in range(0, count, CHUNK):
        some = [_manifest(platform.account, each) for each in names[begin : begin + CHUNK]]
        everything = {"apiVersion": "v1", "kind": "List", "items": some}
        kubectl("create", "-f", "-", stdin=json.dumps(everything))
    return names


def count_ready(platform: Installation) -> int:
    """Count the account's functions that are Ready."""
    path = '{range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{"\\n"}{end}'
    return kubectl("get", "fn", "-n", platform.account, "-o", f"jsonpath={path}").count("True")


def _manifest(namespace: str, name: str) -> dict[str, Any]:
    return {
        "apiVersion": "pilotlight.dev/v1alpha1",
        "kind": "Function",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "runtime": "python3.13", "handler": "index.handler", "timeout": 20,
            "code": {"inline": f"# {name}\n{SOURCE}"},
        },
    }  # fmt: skip
