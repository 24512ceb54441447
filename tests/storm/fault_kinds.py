"""What can befall an installation: each does one harm, and undoes it where nobody else would."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.support.cluster import kubectl, wait_until
from tests.support.node_processes import (
    EVERY,
    component,
    delayed_packets,
    full_disk,
    kill_together,
    lost_packets,
    processes,
    step_the_clock,
)

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

    from tests.support.cluster import Installation

__all__ = ["THIEF", "Faults"]

PAUSE_SECONDS = {"gateway": 5.0, "operator": 20.0, "agent": 3.0, "postgresql": 8.0}
API_SERVER_SECONDS = 60.0
KUBELET_SECONDS = 5.0
START_SECONDS = 240.0
LOSS_SECONDS, LOST_PERCENT = 8.0, 30
"""Of a pod's packets, and for how long; TCP sends again what is lost, and so later."""
FULL_SECONDS = 8.0
STEP_SECONDS = 5.0
"""How far a clock goes wrong, and for how long."""
LONG = {
    "pause_the_leader", "cut_off_the_leader", "pause_the_api_server", "kill_the_kubelet",
    "step_the_clock_on", "step_the_clock_back",
}  # fmt: skip
"""Those that last for twenty seconds and more, or after which a node may take as long; and those
that a machine may not allow."""
THIEF = "thief:1"
CLUSTER = os.environ.get("CLUSTER", "../shared/cluster/cluster")
"""The command of the one-node cluster, which starts anew what has ended."""


@dataclass
class Faults:
    """What can befall an installation."""

    platform: Installation
    chance: random.Random
    brief: bool = False
    """Whether those are left out that take long."""

    def kill_a_gateway(self) -> None:
        """As the kernel does that is out of memory."""
        self._signal("gateway", signal.SIGKILL)

    def pause_a_gateway(self) -> None:
        """It answers nobody, and goes on."""
        with self._paused("gateway"):
            pass

    def kill_the_leader(self) -> None:
        """Its container starts anew; the standby leads by then."""
        os.kill(self._leader(), signal.SIGKILL)

    def pause_the_leader(self) -> None:
        """For longer than its Lease: another one leads, and it must not when it wakes."""
        pid = self._leader()
        os.kill(pid, signal.SIGSTOP)
        time.sleep(PAUSE_SECONDS["operator"])
        os.kill(pid, signal.SIGCONT)

    def kill_an_agent(self) -> None:
        """With what it runs."""
        kill_together(self._function_pod()["metadata"]["uid"])

    def pause_an_agent(self) -> None:
        """It and its runtime stand still."""
        pids = processes(self._function_pod()["metadata"]["uid"])
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(PAUSE_SECONDS["agent"])
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def kill_a_runtime(self) -> None:
        """The newest process of a pod: an environment, not its agent."""
        pids = processes(self._function_pod()["metadata"]["uid"])
        os.kill(pids[-1], signal.SIGKILL)

    def kill_postgresql(self) -> None:
        """Every process of the server at once."""
        for pid in self._postgresql():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def pause_postgresql(self) -> None:
        """Connections stay open, and nothing is answered."""
        pids = self._postgresql()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(PAUSE_SECONDS["postgresql"])
        for pid in pids:
            os.kill(pid, signal.SIGCONT)

    def delete_function_pods(self) -> None:
        """All of them, behind the platform's back, without any grace."""
        kubectl(
            *("delete", "pods", "-n", self.platform.account, "--wait=false"),
            *("-l", "app.kubernetes.io/managed-by=pilotlight", "--force", "--grace-period=0"),
        )

    def delete_a_gateway(self) -> None:
        """As a node that is drained."""
        name = self._pod("gateway")["metadata"]["name"]
        kubectl("delete", "pod", name, "-n", self.platform.namespace, "--wait=false")

    def steal_the_lease(self) -> None:
        """Somebody else writes himself into it and is never heard of again."""
        patch = json.dumps({"spec": {"holderIdentity": THIEF}})
        kubectl(
            *("patch", "lease", self.platform.release, "-n", self.platform.namespace),
            *("--type=merge", "-p", patch),
        )

    def pause_the_api_server(self) -> None:
        """Connections to it stay open, and nothing is answered."""
        pid = component("apiserver")
        os.kill(pid, signal.SIGSTOP)
        time.sleep(API_SERVER_SECONDS)
        os.kill(pid, signal.SIGCONT)

    def kill_the_api_server(self) -> None:
        """Every watch ends; it is back in seconds."""
        os.kill(component("apiserver"), signal.SIGKILL)
        _start_components()

    def kill_the_kubelet(self) -> None:
        """Pods run on, and nobody starts or probes them."""
        os.kill(component("kubelet"), signal.SIGKILL)
        time.sleep(KUBELET_SECONDS)
        _start_components()

    def lose_packets_of_a_gateway(self) -> None:
        """A bad network card."""
        self._lose("gateway", LOST_PERCENT)

    def lose_packets_of_postgresql(self) -> None:
        """A bad network card."""
        self._lose("postgresql", LOST_PERCENT)

    def cut_off_a_gateway(self) -> None:
        """It reaches nobody, and nobody reaches it."""
        self._lose("gateway", EVERY)

    def cut_off_the_leader(self) -> None:
        """From the API server and from every gateway, for longer than its Lease."""
        wait_until(lambda: bool(self._leaders()), "the leader runs")
        host = self.platform.leader().partition(":")[0]
        with lost_packets(host, EVERY):
            time.sleep(PAUSE_SECONDS["operator"])

    def cut_off_postgresql(self) -> None:
        """Connections stay open, and nothing arrives."""
        self._lose("postgresql", EVERY)

    def delay_packets_of_a_gateway(self) -> None:
        """Its line is slow, and what it says comes late."""
        self._delay("gateway")

    def delay_packets_of_postgresql(self) -> None:
        """Its line is slow, and what it says comes late."""
        self._delay("postgresql", "postgres")

    def fill_the_disk_of_postgresql(self) -> None:
        """Nothing more can be written, until somebody makes room."""
        with full_disk(self._postgresql):
            time.sleep(FULL_SECONDS)

    def step_the_clock_on(self) -> None:
        """The node's clock is set wrong, and put right again."""
        self._step(STEP_SECONDS)

    def step_the_clock_back(self) -> None:
        """The node's clock is set wrong, and put right again."""
        self._step(-STEP_SECONDS)

    def draw(self) -> Callable[[], None]:
        """Choose one."""
        kinds = {name for name in vars(Faults) if not name.startswith(("_", "draw", "brief"))}
        names = sorted(kinds - LONG if self.brief else kinds)
        drawn: Callable[[], None] = getattr(self, self.chance.choice(names))
        return drawn

    def _lose(self, component: str, percent: int) -> None:
        with lost_packets(self._pod(component)["status"]["podIP"], percent):
            time.sleep(LOSS_SECONDS)

    def _delay(self, component: str, program: str = "python") -> None:
        with delayed_packets(processes(self._pod(component)["metadata"]["uid"], program)[0]):
            time.sleep(LOSS_SECONDS)

    def _step(self, seconds: float) -> None:
        step_the_clock(seconds)
        try:
            time.sleep(STEP_SECONDS)
        finally:
            step_the_clock(-seconds)

    def _leader(self) -> int:
        wait_until(lambda: bool(self._leaders()), "the leader runs")
        return self._leaders()[0]

    def _leaders(self) -> list[int]:
        host = self.platform.leader().partition(":")[0]
        pods = [one for one in self._pods("operator") if one["status"].get("podIP") == host]
        return [pid for pod in pods for pid in processes(pod["metadata"]["uid"])[:1]]

    def _postgresql(self) -> list[int]:
        pid = self._pod("postgresql")["metadata"]["uid"]
        return processes(pid, "postgres")

    def _function_pod(self) -> dict[str, Any]:
        """Choose a pod of what is called, so that limits are tried, too."""
        function = self.chance.choice(["called", "capped"])
        wait_until(lambda: bool(self.platform.pods(function)), "a pod is there")
        return self.chance.choice(self.platform.pods(function))

    def _pod(self, component: str) -> dict[str, Any]:
        return self.chance.choice(self._pods(component))

    def _pods(self, component: str) -> list[dict[str, Any]]:
        selector = f"app.kubernetes.io/component={component}"
        found = kubectl("get", "pods", "-n", self.platform.namespace, "-l", selector, "-o", "json")
        pods: list[dict[str, Any]] = json.loads(found)["items"]
        return [one for one in pods if "deletionTimestamp" not in one["metadata"]]

    def _signal(self, component: str, number: signal.Signals) -> int:
        wait_until(lambda: bool(self._processes(component)), f"a {component} runs")
        pid = self.chance.choice(self._processes(component))
        os.kill(pid, number)
        return pid

    def _processes(self, component: str) -> list[int]:
        """Return the first process of each of a component's pods."""
        pods = self._pods(component)
        return [pid for pod in pods for pid in processes(pod["metadata"]["uid"])[:1]]

    @contextmanager
    def _paused(self, component: str) -> Iterator[None]:
        pid = self._signal(component, signal.SIGSTOP)
        try:
            yield
            time.sleep(PAUSE_SECONDS[component])
        finally:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def _start_components() -> None:
    """Start what has ended; a node with much to do may not be ready within the command's time."""
    wait_until(_are_up, "every part of Kubernetes is up", START_SECONDS)


def _are_up() -> bool:
    started = subprocess.run([CLUSTER, "up"], check=False, capture_output=True, timeout=120)
    return started.returncode == 0
