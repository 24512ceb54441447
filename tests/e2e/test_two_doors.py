"""kubectl and boto3 see the same functions."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from tests.support.cluster import OVERHEAD, SIZES, kubectl, wait_until

if TYPE_CHECKING:
    from tests.support.cluster import Installation

ECHO = "def handler(event, context):\n    print('seen', event)\n    return event\n"
ROLE = "arn:aws:iam::000000000000:role/any"


def _zip(source: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as package:
        package.writestr("index.py", source)
    return content.getvalue()


def test_what_kubectl_applied_answers_boto3(platform: Installation) -> None:
    """`kubectl apply`, `kubectl wait`, then Invoke through the Service with a signed request."""
    platform.apply("applied", ECHO)
    platform.wait_ready("applied")
    answer = platform.client().invoke(FunctionName="applied", Payload=b'{"n": 1}', LogType="Tail")
    log = base64.b64decode(answer["LogResult"]).decode()
    assert json.load(answer["Payload"]) == {"n": 1}
    assert "seen {'n': 1}" in log
    assert f"REPORT RequestId: {answer['ResponseMetadata']['RequestId']}\t" in log
    listed = platform.client().list_functions()["Functions"]
    assert "applied" in {one["FunctionName"] for one in listed}


def test_what_boto3_created_shows_in_kubectl(platform: Installation) -> None:
    """CreateFunction with a package and variables, which stand in no spec and no status."""
    client = platform.client()
    client.create_function(
        FunctionName="Created_ByApi",
        Runtime="python3.13",
        Handler="index.handler",
        Role=ROLE,
        Code={
            "ZipFile": _zip(
                "import os\n\ndef handler(event, context):\n    return os.environ['TOKEN']\n"
            )
        },
        Environment={"Variables": {"TOKEN": "canary-7f3a"}},
        MemorySize=256,
    )
    client.get_waiter("function_active_v2").wait(FunctionName="Created_ByApi")
    name = _object_of(platform, "Created_ByApi")
    stored = platform.function(name)
    assert stored["spec"]["functionName"] == "Created_ByApi"
    assert stored["spec"]["memory"] == 256
    assert "canary-7f3a" not in json.dumps(stored)
    assert platform.invoke("Created_ByApi") == "canary-7f3a"
    client.delete_function(FunctionName="Created_ByApi")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client.get_function(FunctionName="Created_ByApi")
    wait_until(lambda: not _secrets(platform, name), "its Secret is collected")


def test_a_wrong_signature_is_refused(platform: Installation) -> None:
    """Default deny at the gateway."""
    client = platform.client(aws_secret_access_key="not the key")
    with pytest.raises(ClientError) as refused:
        client.list_functions()
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_deleting_leaves_nothing(platform: Installation) -> None:
    """The owner collects: no pod and no route stays."""
    platform.apply("fleeting", ECHO)
    platform.wait_ready("fleeting")
    platform.invoke("fleeting", 1)
    assert platform.first_pods("fleeting")
    platform.delete("fleeting")
    wait_until(lambda: not platform.pods("fleeting"), "no pod is left")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        platform.client().invoke(FunctionName="fleeting")


def _object_of(platform: Installation, function_name: str) -> str:
    items = json.loads(kubectl("get", "fn", "-n", platform.account, "-o", "json"))["items"]
    (found,) = [
        one["metadata"]["name"] for one in items if one["spec"].get("functionName") == function_name
    ]
    return str(found)


def _secrets(platform: Installation, function: str) -> str:
    selector = f"pilotlight.dev/function={function}"
    return kubectl("get", "secrets", "-n", platform.account, "-l", selector, "-o", "name")


def test_a_pod_of_the_pool_becomes_as_small_as_its_function(platform: Installation) -> None:
    """In place, while it serves: what it held too much others get."""
    platform.apply("narrowed", SIZES, memory=256)
    platform.wait_ready("narrowed")
    wait_until(lambda: bool(platform.generic("python3.13")), "a generic pod waits")
    assert platform.invoke("narrowed") == {"cpus": 1.0, "megabytes": 1769 + OVERHEAD, "said": 256}

    def is_narrow() -> bool:
        (pod,) = platform.first_pods("narrowed")
        state = pod["status"]["containerStatuses"][0]
        return bool(state["resources"]["limits"]["memory"] == "320Mi" and not state["restartCount"])

    wait_until(is_narrow, "the kubelet has narrowed the pod to 256 MB and its overhead")
    # What the kubelet says comes before what the kernel does.
    small = {"cpus": 0.5, "megabytes": 256 + OVERHEAD, "said": 256}
    wait_until(lambda: bool(platform.invoke("narrowed") == small), "the function is held to it", 20)
