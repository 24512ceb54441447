"""The command line against a cluster: signed, from a relative folder, as a developer types it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.support.cluster import wait_until
from tests.support.platform import run_cli, write_function

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.support.cluster import Installation

ECHO = "def handler(event, context):\n    print('typed', event)\n    return event\n"
SCHEDULE = """
apiVersion: pilotlight.dev/v1alpha1
kind: Schedule
metadata: {name: typed-nightly}
spec: {function: applied, expression: "cron(0 2 * * ? *)"}
"""


def test_a_function_lives_and_goes(
    platform: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deployed, called, read, scheduled and deleted; a wrong secret gets nowhere."""
    write_function(tmp_path / "manifests", "applied", ECHO)
    (tmp_path / "manifests" / "schedule.yaml").write_text(SCHEDULE)
    (tmp_path / "typed").mkdir()
    (tmp_path / "typed" / "index.py").write_text(ECHO)
    monkeypatch.chdir(tmp_path)

    def cli(*arguments: str, secret: str = platform.secret_key) -> tuple[str, str]:
        ran = run_cli(
            *arguments,
            endpoint=platform.endpoint,
            AWS_ACCESS_KEY_ID=platform.access_key,
            AWS_SECRET_ACCESS_KEY=secret,
        )
        assert (ran.returncode == 0) is (secret == platform.secret_key), ran.stderr
        return ran.stdout.decode(), ran.stderr.decode()

    assert "InvalidSignatureException" in cli("list", secret="wrong")[1]
    cli("deploy", "typed", "--runtime", "python3.13", "--timeout", "10")
    answer, log = cli("invoke", "typed", "--payload", '{"a": 1}', "--tail")
    assert json.loads(answer) == {"a": 1}
    assert "typed {'a': 1}" in log
    assert "typed" in cli("list")[0]
    assert json.loads(cli("describe", "typed", "-o", "json")[0])["invocable"] is True
    cli("apply", "-f", "manifests")
    assert json.loads(cli("invoke", "applied", "--payload", "2")[0]) == 2
    assert "typed-nightly" in cli("schedule", "list")[0]
    assert json.loads(cli("dlq", "list", "typed", "-o", "json")[0])["total"] == 0
    wait_until(lambda: "typed {'a': 1}" in cli("logs", "typed")[0], "the log is read")
    cli("delete", "typed", "applied", "schedule/typed-nightly")
    assert "typed-nightly" not in cli("schedule", "list")[0]
    assert "typed" not in cli("list")[0]
