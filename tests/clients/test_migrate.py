"""docs/migrate-from-aws.md, run as it stands."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from tests.support.dev_process import DevProcess
from tests.support.ministack import VERSION, running_ministack
from tests.support.platform import zip_of

from .environments import ROOT, UnavailableError, python_environment
from .story import ROLE, fetch, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = ROOT / "docs" / "migrate-from-aws.md"
ACCOUNT = "000000000000"
KEYS = {
    "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1",
}  # fmt: skip
SOURCE = """
import os, pathlib, shared

def handler(event, context):
    if "Records" in event:
        pathlib.Path(event["Records"][0]["body"]).touch()
    return [shared.WORD, os.environ["COLOUR"]]
"""


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    """What stands for AWS."""
    try:
        python = python_environment(VERSION)
    except UnavailableError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    with running_ministack(python) as address:
        yield address


def client(service: str, address: str) -> Any:
    return boto3.client(
        service, endpoint_url=address, region_name="us-east-1",
        aws_access_key_id="test", aws_secret_access_key="test",
    )  # fmt: skip


def deploy(address: str) -> str:
    """Deploy an application as people do; gives its queue's address."""
    functions, queues = client("lambda", address), client("sqs", address)
    queue: str = queues.create_queue(QueueName="orders")["QueueUrl"]
    layer = functions.publish_layer_version(
        LayerName="shared", Content={"ZipFile": zip_of({"python/shared.py": "WORD = 'layered'\n"})}
    )["LayerVersionArn"]
    functions.create_function(
        FunctionName="orders", Runtime="python3.13", Role=ROLE, Handler="index.handler",
        Code={"ZipFile": zip_of({"index.py": SOURCE})}, Layers=[layer], Publish=True, Timeout=7,
        Environment={"Variables": {"COLOUR": "red"}}, Tags={"team": "shop"},
    )  # fmt: skip
    live = {"FunctionName": "orders", "Qualifier": "live"}
    functions.create_alias(FunctionName="orders", Name="live", FunctionVersion="1")
    functions.create_function_url_config(**live, AuthType="NONE")
    functions.add_permission(
        **live, StatementId="url", Principal="*", Action="lambda:InvokeFunctionUrl",
        FunctionUrlAuthType="NONE",
    )  # fmt: skip
    functions.add_permission(
        **live, StatementId="by-url", Principal="*", Action="lambda:InvokeFunction",
        InvokedViaFunctionUrl=True,
    )  # fmt: skip
    functions.create_event_source_mapping(
        FunctionName="orders:live", BatchSize=1,
        EventSourceArn=f"arn:aws:sqs:us-east-1:{ACCOUNT}:orders",
    )  # fmt: skip
    return queue


def test_the_page_moves_an_application(aws: str, tmp_path: Path) -> None:
    """It answers as it did by its alias and its URL, and reads its queue, alone."""
    queue = deploy(aws)
    [script] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    shell = KEYS | {"AWS_ENDPOINT_URL_SQS": aws}
    with DevProcess(state=tmp_path / "state", variables=shell) as platform:
        (tmp_path / "migrate.py").write_text(
            script.replace("http://127.0.0.1:9001", platform.endpoint)
        )
        subprocess.run(
            [sys.executable, "migrate.py"],
            cwd=tmp_path,
            env=os.environ | KEYS | {"AWS_ENDPOINT_URL": aws},
            check=True,
        )
        here, there = client("lambda", platform.endpoint), client("lambda", aws)
        answer = here.invoke(FunctionName="orders:live")
        assert json.loads(answer["Payload"].read()) == ["layered", "red"]
        found = here.get_function(FunctionName="orders")
        assert (found["Tags"], found["Configuration"]["Timeout"]) == ({"team": "shop"}, 7)
        url = here.get_function_url_config(FunctionName="orders", Qualifier="live")["FunctionUrl"]
        status, text = fetch(url)
        assert (status, json.loads(text)) == (200, ["layered", "red"])
        [mapping] = there.list_event_source_mappings()["EventSourceMappings"]
        assert mapping["State"] in {"Disabling", "Disabled"}
        done = tmp_path / "done"
        client("sqs", aws).send_message(QueueUrl=queue, MessageBody=str(done))
        until(done.exists)
