"""Queues on the cluster: polled by one gateway, whichever lives; moto stands in for AWS."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from tests.support.cluster import kubectl, wait_until
from tests.support.http_client import fetch
from tests.support.platform import run_cli

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.cluster import Installation

IMAGE = "docker.io/pilotlight/moto:test"
LABELS = {"app": "aws"}
HANDLER = """
import time

def handler(event, context):
    for record in event["Records"]:
        time.sleep(0.05)
        print("handled", record["body"])
"""
MESSAGES = 200


@pytest.fixture(scope="module")
def sqs(platform: Installation) -> Iterator[Any]:
    """A client of SQS as the test reaches it: by the node's port."""
    ready = {"tcpSocket": {"port": 5000}, "periodSeconds": 1}
    container = {"name": "aws", "image": IMAGE, "imagePullPolicy": "Never", "readinessProbe": ready}
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
    yield boto3.client(
        "sqs", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1",
        aws_access_key_id="test", aws_secret_access_key="test",
    )  # fmt: skip
    kubectl("delete", "-n", platform.namespace, "pod/aws", "service/aws", "--wait=false")


def _answers(port: int) -> bool:
    try:
        return fetch(port, "/").status > 0
    except OSError:
        return False


def _mapping(platform: Installation, queue_arn: str) -> None:
    manifest = {
        "apiVersion": "pilotlight.dev/v1alpha1",
        "kind": "EventSourceMapping",
        "metadata": {"name": "taker", "namespace": platform.account},
        "spec": {
            "function": "taker",
            "eventSourceArn": queue_arn,
            "endpoint": f"http://{platform.aws}",
            "batchSize": 5,
        },
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(manifest))


def _status(platform: Installation) -> dict[str, Any]:
    found = kubectl("get", "fnesm", "taker", "-n", platform.account, "-o", "json")
    status: dict[str, Any] = json.loads(found).get("status", {})
    return status


def _handled(platform: Installation) -> set[str]:
    ran = run_cli(
        "logs", "taker", endpoint=platform.endpoint,
        AWS_ACCESS_KEY_ID=platform.access_key, AWS_SECRET_ACCESS_KEY=platform.secret_key,
    )  # fmt: skip
    lines = ran.stdout.decode().splitlines()
    return {line.rpartition("handled ")[2] for line in lines if "handled " in line}


def test_a_queue_is_polled_on_after_its_gateway_dies(platform: Installation, sqs: Any) -> None:
    """All messages are handled, and the other gateway holds the mapping within 15 seconds."""
    platform.apply("taker", HANDLER, timeout=10)
    url = sqs.create_queue(QueueName="work", Attributes={"VisibilityTimeout": "12"})["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    platform.wait_ready("taker")
    _mapping(platform, attributes["Attributes"]["QueueArn"])
    wait_until(lambda: bool(_status(platform).get("holder")), "a gateway polls")
    first = _status(platform)["holder"]
    for start in range(0, MESSAGES, 10):
        entries = [{"Id": str(n), "MessageBody": f"job-{n}"} for n in range(start, start + 10)]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)
    wait_until(lambda: bool(_handled(platform)), "it has begun")
    pod = first.rpartition("-")[0]
    kubectl("delete", "pod", pod, "-n", platform.namespace, "--force", "--grace-period=0")
    died = time.monotonic()
    wait_until(lambda: _status(platform)["holder"] not in {"", first}, "another gateway polls", 30)
    assert time.monotonic() - died < 20, "the lease, and what the cluster takes to say so"
    wanted = {f"job-{n}" for n in range(MESSAGES)}
    wait_until(lambda: _handled(platform) >= wanted, "every message is handled", 90)
