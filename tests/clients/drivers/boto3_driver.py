"""boto3."""

from __future__ import annotations

import functools
from typing import Any

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

from .lines import asked, decoded, refusal, say

RETRIES = Config(retries={"mode": "standard", "total_max_attempts": 8})


@functools.cache
def client_of(key: str) -> Any:
    """Make the client of an account."""
    return boto3.client(
        "lambda", aws_access_key_id=key, aws_secret_access_key="test", config=RETRIES
    )


def answer(line: dict[str, Any]) -> dict[str, Any]:
    """Do what a line asks for."""
    client, given = client_of(line["key"]), decoded(line["input"])
    name = xform_name(line["operation"])
    try:
        match line["do"]:
            case "wait":
                client.get_waiter(name).wait(**given, WaiterConfig={"Delay": 0.1})
                return {"output": {}}
            case "pages":
                return {"output": list(client.get_paginator(name).paginate(**given))}
            case _:
                return {"output": read(getattr(client, name)(**given))}
    except ClientError as error:
        return refusal(error.response)


def read(output: dict[str, Any]) -> dict[str, Any]:
    """Read what an answer has of streams."""
    if "EventStream" in output:
        output["EventStream"] = list(output["EventStream"])
    if "Payload" in output:
        output["Payload"] = output["Payload"].read()
    return output


if __name__ == "__main__":
    for one in asked():
        say(answer(one))
