"""An agent in a pod of its own, from the very manifest and image that the platform uses.

It is spoken with as `agent` does with a process; what it fetches, a server on the node has.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import subprocess
import threading
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from pilotlight.compute import GENERIC_MEMORY, GENERIC_STORAGE, PodRequest
from pilotlight.resources import ObjectMeta, Runtime, RuntimeSpec
from pilotlight_operator.manifests.pod import PodSettings, manifest
from pilotlight_wire.protocol import AGENT_PORT

from .agent import TOKEN, Agent, Journal, Reply, specification, write_package
from .cluster import CHART, kubectl, node_address, wait_until

if TYPE_CHECKING:
    from .agent import Files

__all__ = ["PodAgent"]

NAMESPACE = "conformance"


class _Quiet(SimpleHTTPRequestHandler):
    """Serves a folder, and says nothing of it."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class PodAgent(Agent):
    """A pod of the pool; `memory` is what it expects its function to have, 0 where it does not."""

    def __init__(self, folder: Path, runtime: str, image: str, memory: int) -> None:
        self.folder, self.task_root, self.temporary = folder, Path("/var/task"), Path("/tmp")
        self.environment, self.lease, self.journal = "", "gateway-1/1", Journal()
        self._name = f"agent-{secrets.token_hex(4)}"
        self._packages = ThreadingHTTPServer(
            (node_address(), 0), partial(_Quiet, directory=str(folder))
        )
        threading.Thread(target=self._packages.serve_forever, daemon=True).start()
        kubectl("apply", "-f", "-", stdin=json.dumps(_manifest(self._name, runtime, image, memory)))
        self.host, self.port = self._address(), AGENT_PORT
        wait_until(self._is_ready, f"{self._name} is ready")
        command = ("kubectl", "logs", "-f", "-n", NAMESPACE, self._name)
        self._logs = subprocess.Popen(command, stdout=subprocess.PIPE)
        self._reader = threading.Thread(target=self.journal.read, args=(self._logs.stdout,))
        self._reader.start()

    def wait_until_prepared(self) -> None:
        """It is: it was ready before anything was asked of it."""

    def specialise(self, files: Files, **choices: Any) -> Reply:
        """Give the agent its revision from files, which it fetches from here."""
        body = json.dumps(specification(write_package(self.folder, files), **choices))
        host, port = self._packages.server_address[:2]
        body = body.replace(self.folder.as_uri(), f"http://{host!s}:{port}")
        return self.take(self.request("POST", "/v1/specialise", body.encode()))

    def commands(self) -> list[str]:
        """Return the command lines of all that runs in the pod."""
        show = "for each in /proc/[0-9]*/cmdline; do cat $each; echo; done"
        return kubectl("exec", "-n", NAMESPACE, self._name, "--", "sh", "-c", show).splitlines()

    def stop(self) -> int:
        """Delete the pod."""
        kubectl(
            *("delete", "pod", "-n", NAMESPACE, self._name),
            *("--force", "--grace-period=0", "--wait=false"),
        )
        self._logs.kill()
        self._logs.wait()
        self._reader.join()
        assert self._logs.stdout is not None
        self._logs.stdout.close()
        self._packages.shutdown()
        self._packages.server_close()
        return 0

    def _address(self) -> str:
        read = partial(kubectl, "get", "pod", "-n", NAMESPACE, self._name, "-o")
        address = "jsonpath={.status.podIP}"
        wait_until(lambda: bool(read(address)), f"{self._name} has an address")
        return read(address)

    def _is_ready(self) -> bool:
        try:
            return self.request("GET", "/ready").status == 200
        except OSError:
            return False


def _manifest(name: str, runtime: str, image: str, memory: int) -> dict[str, Any]:
    """Return the platform's manifest of a generic pod, without the runtime that owns it."""
    _make_namespace()
    request = PodRequest(
        namespace=NAMESPACE,
        runtime=runtime,
        memory=GENERIC_MEMORY,
        ephemeral_storage=GENERIC_STORAGE,
        expected_memory=memory,
    )
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    spec = RuntimeSpec(image=f"docker.io/pilotlight/{image}:{version}")
    owner = Runtime(metadata=ObjectMeta(name=runtime, uid="none"), spec=spec)
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    pod = manifest(name, digest, request, owner, PodSettings())
    del pod["metadata"]["ownerReferences"]
    return pod


@cache
def _make_namespace() -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    kubectl("apply", "-f", "-", stdin=json.dumps(namespace))
