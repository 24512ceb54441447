"""Every command against a gateway that verifies signatures, as one of a cluster does."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, cast

import pytest

from pilotlight_gateway.auth.access_keys import AccessKey
from pilotlight_gateway.auth.sigv4 import SigV4Authenticator
from tests.support.gateway import ACCOUNT, REGION, GatewayHarness
from tests.support.platform import run_cli, write_function

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from pilotlight_gateway.auth.access_keys import AccessKeys

KEY = AccessKey("AKIDOFTHETESTS", "a secret with / and +", "default", ACCOUNT)
ECHO = "def handler(event, context):\n    if event == 'fail': raise ValueError\n    return event\n"
SCHEDULE = """
apiVersion: pilotlight.dev/v1alpha1
kind: Schedule
metadata: {name: nightly}
spec: {function: signed, expression: "cron(0 2 * * ? *)"}
"""


class OneKey:
    """The keys of a cluster that has one."""

    async def find(self, access_key: str) -> AccessKey | None:
        return KEY if access_key == KEY.id else None


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayHarness]:
    """A platform that verifies signatures and has one function."""
    authenticator = SigV4Authenticator(cast("AccessKeys", OneKey()), REGION)
    harness = GatewayHarness(tmp_path_factory.mktemp("strict"), authenticator=authenticator)
    folder = tmp_path_factory.mktemp("code")
    (folder / "index.py").write_text(ECHO)
    deployed = cli(harness, "deploy", str(folder), "--name", "signed", "--timeout", "10")
    assert deployed.returncode == 0, deployed.stderr
    yield harness
    harness.close()


def cli(
    harness: GatewayHarness, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    keys = {"AWS_ACCESS_KEY_ID": KEY.id, "AWS_SECRET_ACCESS_KEY": KEY.secret}
    return run_cli(*arguments, endpoint=harness.url, given=b"", **(keys | environment))


def answer(harness: GatewayHarness, *arguments: str) -> Any:
    ran = cli(harness, *arguments, "-o", "json")
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_invoke(strict: GatewayHarness) -> None:
    """With a tail of the log, with a qualifier, and where the function fails."""
    plain = cli(strict, "invoke", "signed", "--payload", '{"a": "\u00e4 b"}')
    assert (plain.returncode, json.loads(plain.stdout)) == (0, {"a": "\u00e4 b"}), plain.stderr
    tail = cli(strict, "invoke", "signed", "--payload", "1", "--tail", "--qualifier", "$LATEST")
    assert tail.returncode == 0
    assert b"REPORT" in tail.stderr
    assert cli(strict, "invoke", "signed", "--payload", '"fail"').returncode == 1


def test_what_reads(strict: GatewayHarness) -> None:
    """Lists, descriptions, logs, dead letters and schedules."""
    cli(strict, "invoke", "signed", "--payload", "1")
    assert [one["FunctionName"] for one in answer(strict, "list")] == ["signed"]
    assert answer(strict, "describe", "signed")["invocable"] is True
    assert answer(strict, "dlq", "list", "signed")["total"] == 0
    for _ in range(100):
        if b"REPORT" in cli(strict, "logs", "signed", "--since", "1h").stdout:
            break
        time.sleep(0.05)
    else:
        pytest.fail("the log has no REPORT")


def test_what_writes(strict: GatewayHarness, tmp_path: Path) -> None:
    """A folder of manifests is applied, deployed over, and deleted."""
    write_function(tmp_path, "applied", ECHO)
    assert cli(strict, "apply", "-f", str(tmp_path)).returncode == 0
    (tmp_path / "src" / "index.py").write_text("def handler(event, context):\n    return 2\n")
    changed = cli(strict, "deploy", str(tmp_path / "src"), "--name", "applied", "--memory", "256")
    assert changed.returncode == 0, changed.stderr
    assert b"memorySize, code" in changed.stdout
    assert cli(strict, "delete", "applied").returncode == 0
    assert cli(strict, "invoke", "applied").returncode == 3


def test_schedules(strict: GatewayHarness, tmp_path: Path) -> None:
    (tmp_path / "nightly.yaml").write_text(SCHEDULE)
    assert cli(strict, "apply", "-f", str(tmp_path)).returncode == 0
    assert b"nightly" in cli(strict, "schedule", "list").stdout
    assert cli(strict, "schedule", "show", "nightly").returncode == 0


def test_a_wrong_secret_is_refused_in_words(strict: GatewayHarness) -> None:
    ran = cli(strict, "list", AWS_SECRET_ACCESS_KEY="another")
    assert ran.returncode == 4
    assert b"InvalidSignatureException" in ran.stderr
    assert b"Traceback" not in ran.stderr
