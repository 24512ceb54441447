"""An installation of the chart on a real cluster: kubectl, helm, an access key, boto3 clients."""

from __future__ import annotations

import json
import math
import os
import secrets
import shutil
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts/pilotlight"
SIZES = """
import os

def _read(*names):  # of cgroup v2, or else of v1
    paths = ["/sys/fs/cgroup/" + name for name in names]
    return open(next(path for path in paths if os.path.exists(path))).read()

def handler(event, context):
    if os.path.exists("/sys/fs/cgroup/cpu.max"):
        quota, period = _read("cpu.max").split()
    else:
        quota, period = _read("cpu/cpu.cfs_quota_us"), _read("cpu/cpu.cfs_period_us")
    limit = _read("memory.max", "memory/memory.limit_in_bytes")
    return {"cpus": int(quota) / int(period), "megabytes": int(limit) / 1_048_576,
            "said": int(context.memory_limit_in_mb)}
"""
"""A function that tells how large its container is."""
OVERHEAD = 64
"""Megabytes of a pod that are not its function's."""
NETWORK = "functions.network"
SUBNET = "subnet-0a1b2c"
"""A subnet of the installation, in no zone."""
Json = dict[str, Any]


def find_helm() -> str | None:
    """Find helm: $HELM, the path, or beside the one-node cluster's helper."""
    beside = Path(os.environ.get("CLUSTER", ROOT / "../shared/cluster/cluster")).parent / "helm"
    return (
        os.environ.get("HELM")
        or shutil.which("helm")
        or (str(beside.resolve()) if beside.exists() else None)
    )


def kubectl(*arguments: str, stdin: str | None = None) -> str:
    """Run kubectl and give what it prints; raises AssertionError with what it said."""
    done = subprocess.run(
        ["kubectl", *arguments], input=stdin, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
    return done.stdout


def node_address() -> str:
    """Return the address of the first node."""
    path = "jsonpath={.items[0].status.addresses[?(@.type=='InternalIP')].address}"
    return kubectl("get", "nodes", "-o", path)


def reachable(platform: Installation, place: str) -> None:
    """Let the account's functions reach `HOST:PORT` beside what they may."""
    host, _, port = place.partition(":")
    kubectl("apply", "-f", "-", stdin=json.dumps({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": f"port-{port}", "namespace": platform.account},
        "spec": {
            "podSelector": {},
            "policyTypes": ["Egress"],
            "egress": [{
                "to": [{"ipBlock": {"cidr": f"{host}/32"}}],
                "ports": [{"protocol": "TCP", "port": int(port)}],
            }],
        },
    }))  # fmt: skip


@contextmanager
def no_room() -> Iterator[None]:
    """Let no pod be scheduled anywhere."""
    nodes = kubectl("get", "nodes", "-o", "name").split()
    try:
        for node in nodes:
            kubectl("cordon", node)
        yield
    finally:
        for node in nodes:
            kubectl("uncordon", node)


def helm(*arguments: str) -> str:
    """Run helm and give what it prints."""
    program = find_helm()
    assert program, "no helm here: set HELM"
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"helm {' '.join(arguments)}: {done.stderr}"
    return done.stdout


def wait_until(holds: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait for something that only the cluster can tell."""
    assert seconds_until(holds, seconds) < math.inf, f"not within {seconds} s: {what}"


def seconds_until(holds: Callable[[], bool], most: float) -> float:
    """Return how long it took until something held; infinity where that was not in time."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began >= most:
            return math.inf
        time.sleep(0.1)
    return time.monotonic() - began


@dataclass(frozen=True, slots=True)
class Installation:
    """A release in a namespace of its own, with one account."""

    namespace: str
    account: str
    port: int = 0
    access_key: str = "AKID" + secrets.token_hex(6).upper()
    secret_key: str = field(default_factory=lambda: secrets.token_hex(20), repr=False)

    release = "pilotlight"

    @property
    def endpoint(self) -> str:
        """Where the gateway's NodePort answers on this machine."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def granted(self) -> str:
        """A namespace that networks of the account's functions may open, if a test makes it."""
        return f"{self.account}-data"

    @property
    def aws(self) -> str:
        """Where gateways find what stands in for AWS, once a test has started it."""
        return f"aws.{self.namespace}.svc:5000"

    def client(self, service: str = "lambda", **overrides: Any) -> Any:
        """Make a boto3 client that never retries: what is lost must show."""
        arguments = {
            "endpoint_url": self.endpoint,
            "region_name": "us-east-1",
            "aws_access_key_id": self.access_key,
            "aws_secret_access_key": self.secret_key,
            "config": Config(
                retries={"total_max_attempts": 1}, read_timeout=60, max_pool_connections=50
            ),
        }
        return boto3.client(service, **(arguments | overrides))

    def account_id(self) -> str:
        """Return the account's twelve digits; empty until the operator has given them."""
        path = r"jsonpath={.metadata.labels.pilotlight\.dev/account-id}"
        return kubectl("get", "namespace", self.account, "-o", path)

    def make_key(self, name: str, access_key: str, secret_key: str) -> None:
        """Make an access key of the account."""
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "labels": {"pilotlight.dev/access-key": "true"}},
            "stringData": {
                "accessKeyId": access_key,
                "secretAccessKey": secret_key,
                "namespace": self.account,
            },
        }
        kubectl("apply", "-n", self.namespace, "-f", "-", stdin=json.dumps(secret))

    def apply(self, name: str, source: str, **spec: Any) -> None:
        """Apply a function as kubectl does."""
        manifest = {
            "apiVersion": "pilotlight.dev/v1alpha1",
            "kind": "Function",
            "metadata": {"name": name, "namespace": self.account},
            "spec": {
                "runtime": "python3.13",
                "handler": "index.handler",
                "code": {"inline": source},
                **spec,
            },
        }
        kubectl("apply", "-f", "-", stdin=json.dumps(manifest))

    def wait_ready(self, name: str, seconds: int = 30) -> None:
        """Wait as a user would."""
        kubectl(
            *("wait", "-n", self.account, "--for=condition=Ready", f"fn/{name}"),
            f"--timeout={seconds}s",
        )

    def function(self, name: str) -> Json:
        """Read a function with kubectl."""
        found: Json = json.loads(kubectl("get", "fn", name, "-n", self.account, "-o", "json"))
        return found

    def generic(self, runtime: str) -> list[str]:
        """Name the pods of a runtime's pool that are ready."""
        labels = f"pilotlight.dev/runtime={runtime},!pilotlight.dev/function"
        found = json.loads(kubectl("get", "pods", "-n", self.account, "-l", labels, "-o", "json"))
        ready = {"type": "Ready", "status": "True"}.items()
        return [
            pod["metadata"]["name"] for pod in found["items"]
            if any(ready <= one.items() for one in pod["status"].get("conditions", []))
        ]  # fmt: skip

    def leader(self) -> str:
        """Return the address of the operator that leads, empty where none does."""
        path = "jsonpath={.spec.holderIdentity}"
        return kubectl("get", "lease", self.release, "-n", self.namespace, "-o", path)

    def kill_operator(self, address: str) -> None:
        """Kill the operator at an address; the standby lives."""
        host = address.partition(":")[0]
        path = f"jsonpath={{.items[?(@.status.podIP=='{host}')].metadata.name}}"
        name = kubectl("get", "pods", "-n", self.namespace, "-o", path)
        kubectl("delete", "pod", name, "-n", self.namespace, "--force", "--grace-period=0")

    def sql(self, statement: str) -> str:
        """Run a statement in the bundled database; gives rows as psql prints them unaligned."""
        command = (
            'PGPASSWORD=$(cat "$PASSWORD_FILE") /usr/lib/postgresql/17/bin/psql -h 127.0.0.1 '
            '-U pilotlight -v ON_ERROR_STOP=1 -At -c "$0" postgres'
        )
        pod = f"{self.release}-postgresql-0"
        return kubectl("exec", "-n", self.namespace, pod, "--", "sh", "-c", command, statement)

    def upgrade(self, *values: str) -> None:
        """Upgrade the release with some values changed, and wait until it has rolled."""
        helm(
            *("upgrade", self.release, str(CHART), "-n", self.namespace, "--reuse-values"),
            *(part for value in values for part in ("--set", value)),
            *("--wait", "--timeout", "180s"),
        )

    def delete(self, name: str) -> None:
        """Delete a function with kubectl."""
        kubectl("delete", "fn", name, "-n", self.account)

    def pods(self, function: str) -> list[Json]:
        """List the pods of a function."""
        selector = f"pilotlight.dev/function={function}"
        found = kubectl("get", "pods", "-n", self.account, "-l", selector, "-o", "json")
        pods: list[Json] = json.loads(found)["items"]
        return pods

    def first_pods(self, function: str) -> list[Json]:
        """Wait for a function's pods: whose they are is written down after the first answer."""
        wait_until(lambda: bool(self.pods(function)), f"a pod is {function}'s")
        return self.pods(function)

    def logs(self) -> str:
        """Return what operator and gateway said, for a test that failed."""
        selector = "app.kubernetes.io/component in (operator,gateway)"
        return kubectl(
            *("logs", "-n", self.namespace, "-l", selector),
            *("--all-containers", "--prefix", "--tail=100", "--ignore-errors"),
        )

    def invoke(self, name: str, event: object = None) -> Any:
        """Invoke a function and give its answer; fails on a function error."""
        answer = self.client().invoke(FunctionName=name, Payload=json.dumps(event))
        payload = json.load(answer["Payload"])
        assert "FunctionError" not in answer, payload
        return payload


@contextmanager
def installed() -> Iterator[Installation]:
    """Install the chart for as long as the block lasts."""
    suffix = secrets.token_hex(3)
    installation = Installation(f"pilotlight-{suffix}", f"account-{suffix}")
    granted = f"{{{installation.granted}}}"
    kubectl("apply", "--server-side", "--force-conflicts", "-f", str(CHART / "files/crds.yaml"))
    kubectl("create", "namespace", installation.namespace)
    try:
        installation.make_key("key", installation.access_key, installation.secret_key)
        helm(
            *("install", installation.release, str(CHART), "-n", installation.namespace),
            *("--set", "crds.install=false", "--set", "postgresql.bundled=true"),
            *("--set", f"accounts={{{installation.account}}}"),
            *("--set", "gateway.service.type=NodePort"),
            *("--set", "gateway.replicas=2", "--set", "operator.replicas=2"),
            *("--set", f"eventSources.private={{{installation.aws}}}"),
            *("--set", f"{NETWORK}.grants.{installation.account}.namespaces={granted}"),
            *("--set", f"{NETWORK}.subnets.{SUBNET}.vpc=vpc-1"),
            *("--set", "roles.tokenAudience=sts.amazonaws.com"),
            *("--wait", "--timeout", "180s"),
        )
        wait_until(lambda: bool(installation.account_id()), "the account has its id")
        yield replace(installation, port=_node_port(installation))
    finally:
        subprocess.run([find_helm() or "helm", "uninstall", "-n", installation.namespace,
                        installation.release], check=False, capture_output=True)  # fmt: skip
        kubectl("delete", "namespace", "--wait=false", "--ignore-not-found",
                installation.namespace, installation.account)  # fmt: skip


def _node_port(installation: Installation) -> int:
    path = "jsonpath={.spec.ports[0].nodePort}"
    service = f"service/{installation.release}-gateway"
    return int(kubectl("get", service, "-n", installation.namespace, "-o", path))
