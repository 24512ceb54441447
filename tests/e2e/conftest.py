"""One installation of the chart for the whole run, on the cluster of KUBECONFIG."""

from __future__ import annotations

import json
import os
import shutil
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from tests.support.cluster import Installation, find_helm, installed, kubectl, wait_until
from tests.support.http_client import fetch

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

MOTO = "docker.io/pilotlight/moto:test"
LABELS = {"app": "aws"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark this folder's tests; the first one waits for the installation."""
    for item in items:
        if "tests/e2e" in str(item.path):
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.timeout(400))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the platform said beside a test that failed."""
    report = yield
    installation = getattr(item, "funcargs", {}).get("platform")
    if report.failed and call.when == "call" and isinstance(installation, Installation):
        report.sections.append(("operator and gateway", installation.logs()))
    return report


@pytest.fixture(scope="session")
def platform() -> Iterator[Installation]:
    """Return the installation; without a cluster skip, but fail in CI."""
    missing = _missing()
    if missing and os.environ.get("CI"):
        pytest.fail(f"CI runs the end-to-end tests: {missing}")
    if missing:
        pytest.skip(f"END-TO-END TESTS ON KUBERNETES DID NOT RUN: {missing}")
    with installed() as installation:
        yield installation


@pytest.fixture(scope="session")
def aws(platform: Installation) -> Iterator[Callable[[str], Any]]:
    """What makes clients of moto in a pod, as the test reaches it: by the node's port."""
    ready = {"tcpSocket": {"port": 5000}, "periodSeconds": 1}
    container = {"name": "aws", "image": MOTO, "imagePullPolicy": "Never", "readinessProbe": ready}
    for kind, labels, spec in (
        ("Pod", LABELS, {"containers": [container], "terminationGracePeriodSeconds": 1}),
        ("Service", {}, {"type": "NodePort", "selector": LABELS, "ports": [{"port": 5000}]}),
    ):
        metadata = {"name": "aws", "labels": labels}
        item = {"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec}
        kubectl("apply", "-n", platform.namespace, "-f", "-", stdin=json.dumps(item))
    kubectl("wait", "-n", platform.namespace, "--for=condition=Ready", "pod/aws", "--timeout=120s")
    port = kubectl("get", "service/aws", "-n", platform.namespace, "-o",
                   "jsonpath={.spec.ports[0].nodePort}")  # fmt: skip
    wait_until(lambda: _answers(int(port)), "the node's port leads there")
    yield partial(
        boto3.client, endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1",
        aws_access_key_id="test", aws_secret_access_key="test",
    )  # fmt: skip
    kubectl("delete", "fnesm", "--all", "-n", platform.account)
    kubectl("delete", "-n", platform.namespace, "pod/aws", "service/aws", "--wait=false")


def _answers(port: int) -> bool:
    try:
        return fetch(port, "/").status > 0
    except OSError:
        return False


def _missing() -> str | None:
    if not os.environ.get("KUBECONFIG"):
        return "KUBECONFIG is not set"
    if shutil.which("kubectl") is None:
        return "kubectl is not there"
    return None if find_helm() else "helm is not there: set HELM"
