"""What a function with a network of its own reaches, tried by packet."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.support.cluster import SUBNET, kubectl, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.cluster import Installation

PROBE = """
import socket
from concurrent.futures import ThreadPoolExecutor

def handler(event, context):
    with ThreadPoolExecutor(len(event)) as threads:
        opened = list(threads.map(_opens, event.values()))
    return [name for name, is_open in zip(event, opened) if is_open]

def _opens(target):
    try:
        socket.create_connection(tuple(target), timeout=1.0).close()
    except OSError:
        return False
    return True
"""
SERVER = "import http.server as h; h.test(h.SimpleHTTPRequestHandler, port={port}, bind='0.0.0.0')"
GROUP = "sg-0a1b2c"
PORT, OTHER_PORT = 9000, 9001


@pytest.fixture(scope="module")
def servers(platform: Installation) -> Iterator[dict[str, list[Any]]]:
    """Two servers in a namespace that the account is granted, one in another, and the platform."""
    granted, strange = platform.granted, f"{platform.account}-strange"
    try:
        for namespace, port in ((granted, PORT), (granted, OTHER_PORT), (strange, PORT)):
            _serve(namespace, f"server-{port}", port)
        api = kubectl("get", "service", "kubernetes", "-o", "jsonpath={.spec.clusterIP}")
        node = "jsonpath={.items[0].status.addresses[?(@.type=='InternalIP')].address}"
        yield {
            "granted": [_address(granted, PORT), PORT],
            "other port": [_address(granted, OTHER_PORT), OTHER_PORT],
            "strange": [_address(strange, PORT), PORT],
            "api server": [api, 443],
            "kubelet": [kubectl("get", "nodes", "-o", node), 10250],
            "metadata": ["169.254.169.254", 80],
            "packages": [_gateway(platform), 8081],
        }
    finally:
        kubectl("delete", "namespace", "--wait=false", "--ignore-not-found", granted, strange)


def _serve(namespace: str, name: str, port: int) -> None:
    """Run a server that answers whoever reaches it."""
    container = {
        "name": "server",
        "image": "docker.io/pilotlight/gateway:0.1.0",
        "imagePullPolicy": "IfNotPresent",
        "command": ["/usr/local/pilotlight/bin/python", "-c", SERVER.format(port=port)],
        "readinessProbe": {"tcpSocket": {"port": port}, "periodSeconds": 1},
    }
    documents = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
            "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
        },
    ]
    for document in documents:
        kubectl("apply", "-f", "-", stdin=json.dumps(document))
    kubectl("wait", "-n", namespace, f"pod/{name}", "--for=condition=Ready", "--timeout=60s")


def _address(namespace: str, port: int) -> str:
    path = "jsonpath={.status.podIP}"
    return kubectl("get", "pod", f"server-{port}", "-n", namespace, "-o", path)


def _gateway(platform: Installation) -> str:
    selector = "app.kubernetes.io/component=gateway"
    path = "jsonpath={.items[0].status.podIP}"
    return kubectl("get", "pods", "-n", platform.namespace, "-l", selector, "-o", path)


def _settles(
    platform: Installation, name: str, servers: dict[str, list[Any]], expected: list[str]
) -> None:
    """Wait until exactly these are open: an enforcer needs a moment for a new pod or policy."""
    seen: list[list[str]] = []

    def settled() -> bool:
        seen.append(platform.invoke(name, servers))
        return seen[-1] == expected

    wait_until(settled, f"{name} reaches {expected}: {seen}", seconds=40)


def test_a_function_reaches_what_it_declares(
    platform: Installation, servers: dict[str, list[Any]]
) -> None:
    """A port of some pods of a granted namespace; beside that what every function must reach."""
    to = {"namespace": platform.granted, "podLabels": {"app": f"server-{PORT}"}}
    egress = [to | {"ports": [{"port": PORT}]}]
    platform.apply("declares", PROBE, timeout=30, network={"egress": egress})
    platform.apply("closed", PROBE, timeout=30, network={})
    platform.apply("plain", PROBE, timeout=30)
    for name in ("declares", "closed", "plain"):
        platform.wait_ready(name)
    _settles(platform, "declares", servers, ["granted", "packages"])
    _settles(platform, "closed", servers, ["packages"])
    _settles(platform, "plain", servers, ["packages"])


def test_no_account_opens_what_it_is_not_granted(
    platform: Installation, servers: dict[str, list[Any]]
) -> None:
    """Nor does a grant of another range open the node."""
    for name, egress in {
        "strange": {"namespace": f"{platform.account}-strange"},
        "node": {"cidr": f"{servers['kubelet'][0]}/32"},
        "metadata": {"cidr": "169.254.169.254/32"},
        "cluster": {"cidr": "10.0.0.0/8"},
    }.items():
        platform.apply(f"greedy-{name}", PROBE, network={"egress": [egress]})
    for name in ("strange", "node", "metadata", "cluster"):
        reason = '--for=jsonpath={.status.conditions[?(@.type=="Ready")].reason}=NetworkRefused'
        kubectl("wait", "-n", platform.account, reason, f"fn/greedy-{name}", "--timeout=20s")


def test_a_security_group_opens_what_its_policy_says(
    platform: Installation, servers: dict[str, list[Any]]
) -> None:
    """By VpcConfig, in place of the default; a policy's change reaches pods that run."""
    _security_group(platform, OTHER_PORT)
    client = platform.client()
    platform.apply("grouped", PROBE, timeout=30)
    platform.wait_ready("grouped")
    vpc = {"SubnetIds": [SUBNET], "SecurityGroupIds": [GROUP]}
    changed = client.update_function_configuration(FunctionName="grouped", VpcConfig=vpc)
    assert changed["VpcConfig"] == vpc | {"VpcId": "vpc-1", "Ipv6AllowedForDualStack": False}
    client.get_waiter("function_updated_v2").wait(FunctionName="grouped")
    _settles(platform, "grouped", servers, ["other port", "packages"])
    _security_group(platform, PORT)
    _settles(platform, "grouped", servers, ["granted", "packages"])
    kubectl("delete", "networkpolicy", "grouped-by-admin", "-n", platform.account)
    _starts_no_more(platform, "grouped")


def _starts_no_more(platform: Installation, name: str) -> None:
    """Wait until Lambda's error comes, in place of a pod in a group that is no more."""
    kubectl("delete", "pods", "-n", platform.account, "-l", f"pilotlight.dev/function={name}",
            "--grace-period=1", "--wait=false")  # fmt: skip

    def refused() -> bool:
        try:
            platform.client().invoke(FunctionName=name, Payload=b"{}")
        except ClientError as error:
            return bool(error.response["Error"]["Code"] == "InvalidSecurityGroupIDException")
        return False

    wait_until(refused, "a new pod is refused its security group", seconds=20)


def _security_group(platform: Installation, port: int) -> None:
    namespace = {"matchLabels": {"kubernetes.io/metadata.name": platform.granted}}
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": "grouped-by-admin",
            "namespace": platform.account,
            "labels": {"pilotlight.dev/security-group": GROUP},
        },
        "spec": {
            "podSelector": {"matchLabels": {f"security-group.pilotlight.dev/{GROUP}": "true"}},
            "policyTypes": ["Egress"],
            "egress": [{"to": [{"namespaceSelector": namespace}], "ports": [{"port": port}]}],
        },
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(policy))
