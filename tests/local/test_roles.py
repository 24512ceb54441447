"""A role's credentials in a function of local mode, from what boto3 takes for an STS."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

from tests.support.dev_process import DevProcess
from tests.support.platform import lambda_client, run_cli, zip_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.moto import Moto

ROLE = "arn:aws:iam::123456789012:role/reader"
WHO = """
import os

import boto3


def handler(event, context):
    keys = boto3.Session().get_credentials().get_frozen_credentials()
    return {
        "who": boto3.client("sts").get_caller_identity()["Arn"],
        "secrets": [keys.secret_key, keys.token],
    }
"""


def test_a_function_is_its_role_and_no_secret_of_it_is_anywhere(tmp_path: Path, moto: Moto) -> None:
    """Neither in logs nor on the console, in what the API says, nor in any file that is kept."""
    words = ("--no-watch", "--aws-endpoint-url", moto.url, "--sts-endpoint", moto.url)
    with DevProcess(*words, state=tmp_path / "state") as running:
        with lambda_client(running.endpoint) as client:
            client.create_function(
                FunctionName="who", Runtime="python3.13", Handler="index.handler", Role=ROLE,
                Code={"ZipFile": zip_of({"index.py": WHO})}, Timeout=20,
            )  # fmt: skip
            client.get_waiter("function_active_v2").wait(FunctionName="who")
            answer = client.invoke(FunctionName="who", LogType="Tail")
            said = json.loads(answer["Payload"].read())
            told = json.dumps(client.get_function(FunctionName="who"), default=str)
        described = run_cli("describe", "who", "-o", "json", endpoint=running.endpoint)
        logged = run_cli("logs", "who", endpoint=running.endpoint)
    assert said["who"] == "arn:aws:sts::123456789012:assumed-role/reader/who"
    assert (described.returncode, logged.returncode) == (0, 0)
    places = [
        told, answer["LogResult"], described.stdout.decode(), logged.stdout.decode(),
        "\n".join(running.lines), *map(_text_of, (tmp_path / "state").glob("*.sqlite")),
    ]  # fmt: skip
    assert any("who" in place for place in places[-2:])
    for secret in said["secrets"]:
        assert len(secret) > 20
        assert not any(secret in place for place in places)


def _text_of(database: Path) -> str:
    with sqlite3.connect(database) as connection:
        return "\n".join(connection.iterdump())
