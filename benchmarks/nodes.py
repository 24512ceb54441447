"""What pods use on a node: CPU time from the kubelet, memory from /proc of a node that is here.

Proportional set sizes can only be read by root on the node itself, as the one-node cluster is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pilotlight_agent.processes import tree
from tests.support.cluster import kubectl, wait_until

RUNTIME = "python3.12"
"""A runtime of the benchmark's own: the operator leaves its `Runtime` alone."""

COMPILED_RUNTIME = "python3.13"
"""The chart's own, whose Python the operator has, too; not so the benchmark's."""


@dataclass(frozen=True)
class Pools:
    """The benchmark's pool of generic pods in an account."""

    account: str

    def resize(self, size: int) -> None:
        """Make the pool as large as that, and wait until it is."""
        self.apply(size)
        self.wait(size)

    def apply(self, size: int) -> None:
        """Ask for a pool as large as that."""
        spec = json.loads(kubectl("get", "runtime", "python3.13", "-o", "json"))["spec"]
        spec["pool"] = {"minimum": size, "maximum": size}
        manifest = {
            "apiVersion": "pilotlight.dev/v1alpha1",
            "kind": "Runtime",
            "metadata": {"name": RUNTIME},
            "spec": spec,
        }
        kubectl("apply", "-f", "-", stdin=json.dumps(manifest))

    def wait(self, size: int, seconds: float = 120) -> None:
        """Wait until so many generic pods are ready, and no other pod starts or ends."""

        def rests() -> bool:
            there, ready = self.pods(everything=True), self.pods()
            return len(there) == len(ready) == size and all(map(_is_ready, ready))

        wait_until(rests, f"a pool of {size} and no other pod", seconds)

    def wait_full(self, size: int, seconds: float = 120) -> None:
        """Wait until so many generic pods are ready."""
        wait_until(lambda: self.ready() >= size, f"a pool of {size}", seconds)

    def ready(self) -> int:
        """Count the generic pods that are ready."""
        return sum(map(_is_ready, self.pods()))

    def pods(self, *, everything: bool = False) -> list[dict[str, Any]]:
        """Return the generic pods, or all of the runtime's."""
        selector = f"pilotlight.dev/runtime={RUNTIME}"
        selector += "" if everything else ",!pilotlight.dev/function"
        found = kubectl("get", "pods", "-n", self.account, "-l", selector, "-o", "json")
        pods: list[dict[str, Any]] = json.loads(found)["items"]
        return pods

    def remove(self) -> None:
        """Remove the runtime, and its pods with it."""
        kubectl("delete", "runtime", RUNTIME, "--ignore-not-found")


def cpu_seconds(namespace: str) -> dict[str, float]:
    """Return the CPU time that each of a namespace's pods has used, as the kubelet counts it."""
    nodes = kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}").split()
    used = {}
    for node in nodes:
        summary = json.loads(kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/stats/summary"))
        for pod in summary["pods"]:
            if pod["podRef"]["namespace"] == namespace and "cpu" in pod:
                nanoseconds = pod["cpu"].get("usageCoreNanoSeconds", 0)
                used[pod["podRef"]["name"]] = nanoseconds / 1e9
    return used


def megabytes(pids: list[int]) -> float:
    """Return the proportional set size of processes together."""
    return sum(map(tree.proportional_kilobytes, pids)) / 1024


def _is_ready(pod: dict[str, Any]) -> bool:
    if "deletionTimestamp" in pod["metadata"]:
        return False
    conditions = pod["status"].get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
