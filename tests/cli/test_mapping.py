"""`pilotlight mapping` and mappings in a folder of `pilotlight dev`, on a real queue."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.support.dev_process import DevProcess
from tests.support.platform import run_cli

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.elasticmq import ElasticMq

ARN = "arn:aws:sqs:us-east-1:000000000000:polled-jobs"
SECONDS = 30.0


@pytest.fixture(scope="module")
def platform(mq: ElasticMq, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevProcess]:
    """A folder with a function, its mapping, and where the queue is."""
    folder = tmp_path_factory.mktemp("mapping")
    mq.queue("polled-jobs")
    manifests = [
        {
            "kind": "Function",
            "metadata": {"name": "works"},
            "spec": {
                "runtime": "python3.13",
                "handler": "index.handler",
                "code": {
                    "inline": "def handler(event, context):\n"
                    "    for one in event['Records']:\n        print('did', one['body'])\n"
                },
            },
        },
        {
            "kind": "EventSourceMapping",
            "metadata": {"name": "jobs"},
            "spec": {"function": "works", "eventSourceArn": ARN, "endpoint": mq.url},
        },
    ]
    text = yaml.safe_dump_all(
        [{"apiVersion": "pilotlight.dev/v1alpha1"} | one for one in manifests]
    )
    (folder / "all.yaml").write_text(text)
    with DevProcess("--no-watch", folder, state=folder / "state") as running:
        yield running


def mapping(platform: DevProcess, *words: str) -> str:
    return run_cli("mapping", *words, endpoint=platform.endpoint).stdout.decode()


def until(holds: Callable[[], Any]) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_mapping_of_a_folder_is_polled_paused_and_resumed(
    platform: DevProcess, mq: ElasticMq
) -> None:
    """`list` and `show` say how it stands; what comes while it is paused waits."""
    url = mq.client.get_queue_url(QueueName="polled-jobs")["QueueUrl"]
    mq.put(url, ["first"])
    until(lambda: mq.counts(url) == (0, 0))
    until(lambda: "OK" in mapping(platform, "list"))
    assert ARN in mapping(platform, "list")
    shown = mapping(platform, "show", "jobs")
    assert "Polled by      local" in shown
    assert "State          Enabled" in shown
    assert "Waiting        0, and 0 in flight" in shown
    assert "Next poll      now" in shown
    assert "Nothing comes  nothing waits in the source" in shown

    assert "pauses" in mapping(platform, "pause", "jobs")
    until(lambda: "State          Disabled" in mapping(platform, "show", "jobs"))
    mq.put(url, ["second"])
    shown = mapping(platform, "show", "jobs")
    assert "Polled by      nobody" in shown
    assert "Waiting        1, and 0 in flight" in shown
    assert "Next poll      none, until `pilotlight mapping resume jobs`" in shown
    assert "Nothing comes  the mapping is paused" in shown
    backlog = json.loads(mapping(platform, "show", "jobs", "-o", "json"))["backlog"]
    assert backlog == {"waiting": 1, "inFlight": 0}
    assert mq.counts(url) == (1, 0)

    document = json.loads(mapping(platform, "resume", "jobs", "-o", "json"))
    assert document["State"] in {"Enabling", "Enabled"}
    until(lambda: mq.counts(url) == (0, 0))


def test_a_source_that_is_not_there_is_said(platform: DevProcess, tmp_path: Path) -> None:
    """By the name of the reason in the list, in full in `show`; an unknown mapping is exit 3."""
    manifest = {
        "apiVersion": "pilotlight.dev/v1alpha1",
        "kind": "EventSourceMapping",
        "metadata": {"name": "lost"},
        "spec": {
            "function": "works",
            "eventSourceArn": ARN + "-that-are-not",
            "endpoint": "http://127.0.0.1:1",
        },
    }
    file = tmp_path / "lost.yaml"
    file.write_text(yaml.safe_dump(manifest))
    assert run_cli("apply", "-f", file, endpoint=platform.endpoint).returncode == 0
    until(lambda: "PROBLEM: Unreachable" in mapping(platform, "list"))
    shown = mapping(platform, "show", "lost")
    assert "http://127.0.0.1:1 cannot be reached" in shown
    assert "Waiting        not known: http://127.0.0.1:1 cannot be reached" in shown
    assert "Next poll      within 30 s" in shown
    assert "Nothing comes  the source cannot be polled: Unreachable" in shown
    missing = run_cli("mapping", "show", "nobody", endpoint=platform.endpoint)
    assert missing.returncode == 3
