"""The example of a topic, with the Kafka that it asks for."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.dev_process import DevProcess
from tests.support.platform import run_cli

if TYPE_CHECKING:
    from tests.support.kafka import Kafka

PAYMENTS = Path(__file__).parents[2] / "examples" / "payments"
SECONDS = 60.0


def test_balances_come_in_order_and_the_broken_payment_is_given_up(
    kafka: Kafka, tmp_path: Path
) -> None:
    """As the page of examples says; what the filter leaves out changes no balance."""
    folder = tmp_path / "payments"
    shutil.copytree(PAYMENTS, folder)
    mapping = folder / "mapping.yaml"
    mapping.write_text(mapping.read_text().replace("127.0.0.1:9092", kafka.servers))
    kafka.topic("payments")
    given = [
        {"account": "ada", "amount": 40}, {"amount": 1}, {"account": "ada", "amount": -5},
        {"account": "ada", "amount": 2},
    ]  # fmt: skip
    kafka.put("payments", map(json.dumps, given))
    with DevProcess("--no-watch", folder, state=tmp_path / "state") as running:
        deadline, log = time.monotonic() + SECONDS, ""
        while "payments-0 3: ada has 42" not in log:
            assert time.monotonic() < deadline, log
            log = run_cli("logs", "payments", endpoint=running.endpoint).stdout.decode()
    assert "payments-0 0: ada has 40" in log
    assert log.count("KeyError") >= 3
