"""The example of a queue, with the ElasticMQ that it asks for."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.dev_process import DevProcess
from tests.support.platform import run_cli

if TYPE_CHECKING:
    from tests.support.elasticmq import ElasticMq

JOBS = Path(__file__).parents[2] / "examples" / "jobs"
SECONDS = 30.0


def test_orders_are_worked_off_and_the_broken_one_is_kept(mq: ElasticMq, tmp_path: Path) -> None:
    """As the page of examples says: the log has the sums, the dead letters the broken order."""
    folder = tmp_path / "jobs"
    shutil.copytree(JOBS, folder)
    mapping = folder / "mapping.yaml"
    mapping.write_text(mapping.read_text().replace("http://127.0.0.1:9324", mq.url))
    dead = mq.queue("jobs-dead")
    redrive = {
        "deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:jobs-dead",
        "maxReceiveCount": "2",
    }
    url = mq.queue("jobs", VisibilityTimeout="5", RedrivePolicy=json.dumps(redrive))
    order = {"id": 7, "items": [{"price": 39, "count": 2}, {"price": 4, "count": 1}]}
    mq.put(url, [json.dumps(order), "no order"])
    with DevProcess("--no-watch", folder, state=tmp_path / "state") as running:
        deadline = time.monotonic() + SECONDS
        while mq.counts(dead)[0] == 0:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        log = run_cli("logs", "jobs", endpoint=running.endpoint).stdout.decode()
    assert "order 7: 2 items, 82 in all" in log
    assert "failed, try 2" in log
    assert mq.bodies(dead) == ["no order"]
    assert mq.counts(url) == (0, 0)
