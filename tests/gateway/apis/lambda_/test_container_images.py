"""Functions that are container images, by the API."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, WaiterError

from pilotlight.resources import (
    Configuration,
    Function,
    FunctionSpec,
    FunctionStatus,
    Image,
    ObjectMeta,
    PinnedImage,
)
from pilotlight_gateway.apis.lambda_.container_images import served_image
from tests.support.gateway import ACCOUNT, package
from tests.support.images import digest_of

if TYPE_CHECKING:
    from tests.support.gateway import GatewayHarness

ROLE = f"arn:aws:iam::{ACCOUNT}:role/test"
URI = "registry.example.com/team/hello:1"
CODE = package({"index.py": "def handler(event, context): ..."})
ONCE = {"Delay": 1, "MaxAttempts": 20}


def create(platform: GatewayHarness, name: str, **members: Any) -> Any:
    """Create a function that is an image."""
    given = {"PackageType": "Image", "Code": {"ImageUri": URI}, "Role": ROLE}
    return platform.client().create_function(FunctionName=name, **given | members)


def settle(platform: GatewayHarness, name: str, waiter: str = "function_updated_v2") -> None:
    """Wait until a function's creation or update came to an end, good or bad."""
    with suppress(WaiterError):
        platform.client().get_waiter(waiter).wait(FunctionName=name, WaiterConfig=ONCE)


def test_an_image_is_created_called_and_updated(platform: GatewayHarness) -> None:
    """By what its image says, and what the function says instead."""
    client = platform.client()
    made = create(platform, "imaged", ImageConfig={"Command": ["other.handler"]})
    assert (made["PackageType"], made["State"], made["CodeSize"]) == ("Image", "Pending", 0)
    assert {"Runtime", "Handler", "RuntimeVersionConfig"} & made.keys() == set()
    settle(platform, "imaged", "function_active_v2")
    found = client.get_function(FunctionName="imaged")
    assert found["Code"] == {
        "RepositoryType": "ECR",
        "ImageUri": URI,
        "ResolvedImageUri": f"registry.example.com/team/hello@{digest_of(URI)}",
    }
    told = found["Configuration"]
    assert told["CodeSha256"] == digest_of(URI).removeprefix("sha256:")
    assert told["ImageConfigResponse"] == {"ImageConfig": {"Command": ["other.handler"]}}
    assert b'["other.handler"]' in client.invoke(FunctionName="imaged")["Payload"].read()
    client.update_function_configuration(FunctionName="imaged", ImageConfig={})
    settle(platform, "imaged")
    assert b'["app.handler"]' in client.invoke(FunctionName="imaged")["Payload"].read()
    again = client.update_function_code(FunctionName="imaged", ImageUri=URI)
    assert again["LastUpdateStatus"] == "InProgress"  # its tag may have moved
    settle(platform, "imaged")
    version = client.publish_version(FunctionName="imaged")
    assert "ImageConfigResponse" not in version
    client.update_function_code(FunctionName="imaged", ImageUri="registry.example.com/team/hello:2")
    settle(platform, "imaged")
    frozen = client.get_function(FunctionName="imaged", Qualifier=version["Version"])
    assert frozen["Code"]["ImageUri"] == URI
    assert frozen["Configuration"]["PackageType"] == "Image"


def test_an_image_that_is_not_there_is_told_by_the_state(platform: GatewayHarness) -> None:
    """And leaves what is served, where something is."""
    client = platform.client()
    create(platform, "lost", Code={"ImageUri": "registry.example.com/missing:1"})
    create(platform, "found")
    for name in ("lost", "found"):
        settle(platform, name, "function_active_v2")
    lost = client.get_function_configuration(FunctionName="lost")
    assert (lost["State"], lost["StateReasonCode"]) == ("Failed", "InvalidImage")
    assert "does not exist. Provide a valid source image." in lost["StateReason"]
    client.update_function_code(FunctionName="found", ImageUri="registry.example.com/missing:2")
    settle(platform, "found")
    found = client.get_function_configuration(FunctionName="found")
    assert (found["State"], found["LastUpdateStatus"]) == ("Active", "Failed")
    assert found["LastUpdateStatusReasonCode"] == "InvalidImage"
    assert client.invoke(FunctionName="found")["StatusCode"] == 200


OF_IMAGES = "not supported for functions created with container images"
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "runtime": ({"Runtime": "python3.13"}, f"Runtime and Handler parameters are {OF_IMAGES}"),
    "handler": ({"Handler": "index.handler"}, f"Runtime and Handler parameters are {OF_IMAGES}"),
    "layers": (
        {"Layers": [f"arn:aws:lambda:us-east-1:{ACCOUNT}:layer:l:1"]},
        f"The Layers parameter is {OF_IMAGES}",
    ),
    "zip": ({"Code": {"ZipFile": CODE}}, "Please provide ImageUri when creating a function"),
    "both": (
        {"Code": {"ZipFile": CODE, "ImageUri": URI}},
        "Please provide ImageUri when creating a function with packageType Image.",
    ),
    "image as a zip": (
        {"PackageType": "Zip", "Runtime": "python3.13", "Handler": "index.handler"},
        "Please don't provide ImageUri when creating a function with packageType Zip.",
    ),
    "configuration of a zip": (
        {
            "PackageType": "Zip", "Runtime": "python3.13", "Handler": "index.handler",
            "Code": {"ZipFile": CODE}, "ImageConfig": {"Command": ["x"]},
        },
        "ImageConfig parameter is not supported for functions created with deployment packages",
    ),
    "no name of an image": ({"Code": {"ImageUri": "https://registry/x"}}, "code.image"),
    "SnapStart": ({"SnapStart": {"ApplyOn": "PublishedVersions"}}, "ContainerImage is not"),
}  # fmt: skip


@pytest.mark.parametrize(("members", "says"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_go_with_an_image_is_refused(
    platform: GatewayHarness, members: dict[str, Any], says: str
) -> None:
    with pytest.raises(ClientError, match="InvalidParameterValueException") as refused:
        create(platform, "refused", **members)
    assert says in str(refused.value)


def test_an_update_does_not_change_the_type_of_the_package(platform: GatewayHarness) -> None:
    client = platform.client()
    create(platform, "stays-an-image")
    platform.create("stays-a-zip", "def handler(event, context): ...")
    settle(platform, "stays-an-image", "function_active_v2")
    with pytest.raises(ClientError, match=r"provide ImageUri when updating .* packageType Image"):
        client.update_function_code(FunctionName="stays-an-image", ZipFile=CODE)
    with pytest.raises(ClientError, match=r"don't provide ImageUri when updating .* Zip"):
        client.update_function_code(FunctionName="stays-a-zip", ImageUri=URI)
    with pytest.raises(ClientError, match="Runtime and Handler parameters are not supported"):
        client.update_function_configuration(FunctionName="stays-an-image", Handler="a.b")
    with pytest.raises(ClientError, match="ImageConfig parameter is not supported"):
        client.update_function_configuration(
            FunctionName="stays-a-zip", ImageConfig={"Command": ["x"]}
        )


@pytest.mark.parametrize(
    ("code", "is_served"),
    [
        ({"image": URI, "imageRefresh": "1"}, True),
        ({"image": URI, "imageRefresh": "2"}, False),
        ({"image": URI}, False),
        ({"image": f"{URI}1", "imageRefresh": "1"}, False),
    ],
)
def test_a_digest_is_told_of_the_image_that_is_asked_for(
    code: dict[str, str], *, is_served: bool
) -> None:
    """Not of what its tag meant when it was asked for before."""
    served = Image(uri=URI, pinned=PinnedImage(digest=digest_of(URI)))
    configuration = Configuration(
        runtime="container-image", handler="", code_sha256=served.sha256, image=served,
        memory=128, timeout=3, ephemeral_storage=512,
    )  # fmt: skip
    function = Function(
        metadata=ObjectMeta(name="hello", namespace="team"),
        spec=FunctionSpec.model_validate({"code": code}),
        status=FunctionStatus(configuration=configuration, image_refresh="1"),
    )
    assert served_image(function) == (served if is_served else None)
