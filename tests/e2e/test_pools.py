"""Pods of the pool have what their functions need before those are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.cluster import wait_until

if TYPE_CHECKING:
    from tests.support.cluster import Installation

RUNTIME = "nodejs24.x"
SOURCE = """
import fs from "node:fs";
const command = fs.readFileSync("/proc/self/cmdline", "utf8").split("\\0");
export const handler = async (event) => ({ event, waited: command.includes("--wait") });
"""


def test_a_process_of_node_waits_in_its_pod(platform: Installation) -> None:
    """Pods that are made once functions are there know how much memory the next one has."""
    names = [f"node-{number}" for number in range(6)]
    told = []
    for name in names:
        platform.apply(name, SOURCE, runtime=RUNTIME, memory=256)
        platform.wait_ready(name)
        wait_until(lambda: bool(platform.generic(RUNTIME)), "a pod waits")
        told.append(platform.invoke(name, {"name": name}))
    assert [one["event"]["name"] for one in told] == names
    assert told[-1]["waited"]
    for name in names:
        platform.delete(name)
