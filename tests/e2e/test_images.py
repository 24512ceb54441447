"""Functions that are container images, on a node that has them."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import WaiterError

from tests.support.cluster import kubectl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.cluster import Installation

IMAGE = "localhost/pilotlight/function-image:test"
ENTRY_POINT = ["python3", "-m", "awslambdaric"]
"""No registry can be asked here, which would know it."""
NOWHERE = "127.0.0.1:1/pilotlight/nothing:1"
"""Nobody listens there: a node knows so at once."""
ROLE = "arn:aws:iam::000000000000:role/any"


@pytest.fixture(scope="module")
def imaged(platform: Installation) -> Iterator[Installation]:
    """Make a function of an image with AWS's own client for Python."""
    config = {"EntryPoint": ENTRY_POINT, "Command": ["app.handler"]}
    client = platform.client()
    client.create_function(
        FunctionName="imaged", PackageType="Image", Code={"ImageUri": IMAGE}, Role=ROLE,
        ImageConfig=config, Timeout=2, Environment={"Variables": {"OWN": "yes"}},
    )  # fmt: skip
    client.get_waiter("function_active_v2").wait(FunctionName="imaged", WaiterConfig={"Delay": 1})
    yield platform
    platform.delete("imaged")


def call(platform: Installation, **event: Any) -> tuple[Any, str]:
    """Call the function; gives its answer and the log's tail."""
    payload = json.dumps(event)
    answer = platform.client().invoke(FunctionName="imaged", Payload=payload, LogType="Tail")
    return json.load(answer["Payload"]), base64.b64decode(answer["LogResult"]).decode()


def test_an_image_answers_with_its_own_variables_and_folder(imaged: Installation) -> None:
    """As a user of no rights, whatever its USER is; it finds nothing of the agent's."""
    answer, log = call(imaged, n=1)
    assert (answer["event"], answer["folder"]) == ({"n": 1}, "/function")
    assert answer["uid"] >= 100_000
    variables = answer["variables"]
    assert (variables["COLOUR"], variables["OWN"]) == ("green", "yes")
    hidden = ("PILOTLIGHT_", "KUBERNETES_", "LD_")
    assert [name for name in variables if name.startswith(hidden)] == []
    assert "REPORT RequestId" in log
    pods = imaged.pods("imaged")
    assert {one["image"] for pod in pods for one in pod["spec"]["containers"]} == {IMAGE}


def test_a_timeout_ends_all_its_processes(imaged: Installation) -> None:
    """And the environment goes on with new ones; so it does after a crash and too much memory."""
    answer, log = call(imaged, do="sleep")
    assert answer["errorType"] == "Sandbox.Timedout"
    assert "Task timed out after 2.00 seconds" in log
    processes, _ = call(imaged, do="processes")
    assert "sleep" not in processes
    answer, log = call(imaged, do="exit")
    assert answer["errorMessage"].endswith("Runtime exited with error: exit status 3")
    assert "about to exit" in log
    answer, log = call(imaged, do="fill", megabytes=400)
    assert answer["errorMessage"].endswith("signal: killed")
    assert "Runtime.OutOfMemory" in log
    assert call(imaged, n=2)[0]["event"] == {"n": 2}


def test_what_is_wrong_with_an_image_stands_in_its_state(imaged: Installation) -> None:
    """Before anybody calls; what is served goes on where it is an update."""
    client = imaged.client()
    client.update_function_code(FunctionName="imaged", ImageUri=NOWHERE)
    with suppress(WaiterError):
        client.get_waiter("function_updated_v2").wait(
            FunctionName="imaged", WaiterConfig={"Delay": 1, "MaxAttempts": 90}
        )
    found = client.get_function_configuration(FunctionName="imaged")
    assert (found["State"], found["LastUpdateStatus"]) == ("Active", "Failed")
    assert found["LastUpdateStatusReasonCode"] in {"ImageAccessDenied", "InvalidImage"}
    assert call(imaged, n=3)[0]["event"] == {"n": 3}
    told = kubectl("get", "fn", "imaged", "-n", imaged.account, "-o", "json")
    ready = {one["type"]: one for one in json.loads(told)["status"]["conditions"]}["Ready"]
    assert (ready["status"], ready["reason"]) == ("False", "ImageUnusable")
