"""`pilotlight access-key`, and access keys in manifests: a policy is read where it is written."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner

from pilotlight.identity_policies import parse_identity_policy
from pilotlight_cli.commands.access_key import command
from pilotlight_cli.failures import Failure
from pilotlight_cli.manifests import load

if TYPE_CHECKING:
    from pathlib import Path

ALLOWS = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"}
DATED = ALLOWS | {"Condition": {"DateLessThan": {"aws:CurrentTime": "2027-01-01"}}}


def write(folder: Path, statement: dict[str, Any]) -> Path:
    policy = folder / "policy.json"
    policy.write_text(json.dumps({"Version": "2012-10-17", "Statement": statement}))
    return policy


def test_a_new_key_is_a_secret_that_manifests_take(tmp_path: Path) -> None:
    """Each time another one; as YAML for kubectl, and as JSON."""
    arguments = ["ci", "--account-namespace", "functions", "--policy"]
    arguments.append(str(write(tmp_path, ALLOWS)))
    made = [CliRunner().invoke(command, arguments).output for _ in range(2)]
    assert made[0] != made[1]
    secret = yaml.safe_load(made[0])
    assert secret["metadata"]["labels"] == {"pilotlight.dev/access-key": "true"}
    assert secret["stringData"]["namespace"] == "functions"
    assert parse_identity_policy(secret["stringData"]["policy"]).statements
    file = tmp_path / "key.yaml"
    file.write_text(made[0])
    assert [one.resource.kind_name for one in load([file])] == ["Secret"]
    told = CliRunner().invoke(command, [*arguments, "-o", "json"]).output
    assert json.loads(told)["metadata"]["namespace"] == "pilotlight"


def test_a_policy_that_holds_nothing_is_refused(tmp_path: Path) -> None:
    """By the command and in a manifest, encoded or not, with what was expected."""
    policy = write(tmp_path, DATED)
    arguments = ["ci", "--account-namespace", "f", "--policy", str(policy)]
    failed = CliRunner().invoke(command, arguments)
    assert failed.exit_code == 2
    assert "operator 'DateLessThan' came" in failed.output
    good = CliRunner().invoke(command, arguments[:3]).output
    for entry in ("data", "stringData"):
        document, text = yaml.safe_load(good), policy.read_text()
        encoded = base64.b64encode(text.encode()).decode() if entry == "data" else text
        document[entry] = document.get(entry, {}) | {"policy": encoded}
        file = tmp_path / "key.yaml"
        file.write_text(yaml.safe_dump(document))
        with pytest.raises(Failure, match=r"stringData.policy: .*'DateLessThan' came"):
            load([file])


def test_a_key_lacks_nothing(tmp_path: Path) -> None:
    good = CliRunner().invoke(command, ["ci", "--account-namespace", "f"]).output
    file = tmp_path / "key.yaml"
    file.write_text(good.replace("secretAccessKey", "secret"))
    with pytest.raises(Failure, match="an access key has secretAccessKey"):
        load([file])
