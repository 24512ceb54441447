"""The platform's own processes on the cluster: how they end."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from tests.support.cluster import kubectl, wait_until

if TYPE_CHECKING:
    from tests.support.cluster import Installation

PATIENCE_SECONDS = 15
"""Less than the grace period, after which the kubelet kills whoever has not heard."""


def test_a_gateway_that_just_starts_hears_that_it_should_end(platform: Installation) -> None:
    """As an upgrade asks that is taken back, before Python has imported anything."""
    name, namespace = f"{platform.release}-gateway", platform.namespace
    spec = json.loads(kubectl("get", "deployment", name, "-n", namespace, "-o", "json"))["spec"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "early", "namespace": namespace},
        "spec": spec["template"]["spec"] | {"restartPolicy": "Never"},
    }
    assert pod["spec"]["terminationGracePeriodSeconds"] > PATIENCE_SECONDS
    kubectl("apply", "-f", "-", stdin=json.dumps(pod))
    state = ("get", "pod", "early", "-n", namespace, "-o", "jsonpath={.status.phase}")
    wait_until(lambda: kubectl(*state) == "Running", "the pod runs")
    began = time.monotonic()
    kubectl("delete", "pod", "early", "-n", namespace, "--wait")
    assert time.monotonic() - began < PATIENCE_SECONDS
