"""What a function's pod can reach and who reaches it, tried by packet."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.support.cluster import kubectl

if TYPE_CHECKING:
    from tests.support.cluster import Installation

PROBE = """
import os, socket

def handler(event, context):
    return {"open": [name for name, target in event["targets"].items() if _opens(target)],
            "uid": os.getuid(), "writable": _writable("/etc/probe"),
            "token": os.path.exists("/var/run/secrets/kubernetes.io"),
            "leaks": [name for name in os.environ if "PILOTLIGHT" in name or "SERVICE_" in name],
            "resolved": bool(socket.gethostbyname(event["name"]))}

def _opens(target):
    try:
        socket.create_connection(tuple(target), timeout=1.5).close()
    except OSError:
        return False
    return True

def _writable(path):
    try:
        open(path, "w").close()
    except OSError:
        return False
    return True
"""
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], 8700), 2); print('open')"


def _address(namespace: str, selector: str) -> str:
    path = "jsonpath={.items[0].status.podIP}"
    return kubectl("get", "pods", "-n", namespace, "-l", selector, "-o", path)


def _component(name: str) -> str:
    return f"app.kubernetes.io/component={name}"


def test_a_function_reaches_only_what_it_must(platform: Installation) -> None:
    """Names resolve and packages come; everything else of the cluster is closed."""
    platform.apply("probe", PROBE, timeout=30)
    platform.apply("neighbour", "def handler(event, context):\n    return 1\n")
    platform.wait_ready("probe")
    platform.wait_ready("neighbour")
    platform.invoke("neighbour")
    seen = platform.invoke("probe", _event(platform))
    assert seen["open"] == ["packages"]
    assert seen["resolved"] is True
    assert seen["uid"] >= 100_000
    assert (seen["writable"], seen["token"], seen["leaks"]) == (False, False, [])


def _event(platform: Installation) -> dict[str, Any]:
    release = platform.namespace
    gateway, operator = (
        _address(release, _component("gateway")),
        _address(release, _component("operator")),
    )
    api = kubectl("get", "service", "kubernetes", "-o", "jsonpath={.spec.clusterIP}")
    return {
        "name": f"{platform.release}-gateway.{release}.svc.cluster.local",
        "targets": {
            "api server": [api, 443],
            "metadata": ["169.254.169.254", 80],
            "claims": [operator, 8090],
            "health": [gateway, 8082],
            "public": [gateway, 8080],
            "packages": [gateway, 8081],
            "database": [_address(release, _component("postgresql")), 5432],
            "neighbour": [platform.first_pods("neighbour")[0]["status"]["podIP"], 8700],
        },
    }


def test_nobody_else_reaches_an_agent(platform: Installation) -> None:
    """A stranger's pod gets no answer from the port that gateways use."""
    platform.apply("guarded", "def handler(event, context):\n    return 1\n")
    platform.wait_ready("guarded")
    platform.invoke("guarded")
    address = platform.first_pods("guarded")[0]["status"]["podIP"]
    assert _connect_from(platform.namespace, _component("gateway"), address) == "open"
    assert _connect_from(platform.namespace, _component("stranger"), address) != "open"


def _connect_from(namespace: str, label: str, address: str) -> str:
    """Run a pod that carries a label and tries the agent's port."""
    name = f"connect-{label.rpartition('=')[2]}"
    labels = {"app.kubernetes.io/name": "pilotlight", "app.kubernetes.io/instance": "pilotlight"}
    key, _, value = label.partition("=")
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        # Not ready, so that the gateway's Service never sends it a request.
        "metadata": {"name": name, "labels": labels | {key: value}},
        "spec": {
            "restartPolicy": "Never",
            "readinessGates": [{"conditionType": "pilotlight.dev/never"}],
            "containers": [_connecting_container(address)],
        },
    }
    kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(pod))
    # The enforcer needs a moment to see the new pod's address.
    ended = "--for=jsonpath={.status.containerStatuses[0].state.terminated}"
    kubectl("wait", "-n", namespace, f"pod/{name}", ended, "--timeout=60s")
    said = kubectl("logs", "-n", namespace, name)
    kubectl("delete", "pod", "-n", namespace, name, "--force", "--grace-period=0")
    return said.strip().splitlines()[-1] if said.strip() else ""


def _connecting_container(address: str) -> dict[str, Any]:
    tries = f"import time; time.sleep(3); {CONNECT}"
    return {
        "name": "connect",
        "image": "docker.io/pilotlight/gateway:0.1.0",
        "imagePullPolicy": "IfNotPresent",
        "command": ["/usr/local/pilotlight/bin/python", "-c", tries, address],
    }


def test_pods_pass_restricted(platform: Installation) -> None:
    """The account's namespace enforces it, so a pod that ran has passed."""
    path = r"jsonpath={.metadata.labels.pod-security\.kubernetes\.io/enforce}"
    assert kubectl("get", "namespace", platform.account, "-o", path) == "restricted"
