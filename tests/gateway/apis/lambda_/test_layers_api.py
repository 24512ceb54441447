"""Layers by boto3: published, used by functions, deleted while they are used."""

from __future__ import annotations

import base64
import hashlib
import json
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from pilotlight.names import ACCOUNT_LABEL
from pilotlight.resources import Namespace, ObjectMeta
from tests.support.gateway import ACCOUNT, REGION, package, wait_for

if TYPE_CHECKING:
    from tests.support.gateway import GatewayHarness

OTHER = "444455556666"
USING = """
import shared

def handler(event, context):
    return shared.NAME
"""


def publish(client: Any, name: str, text: str, **members: Any) -> Any:
    """Publish a version that brings a module."""
    files = package({"python/shared.py": f"NAME = {text!r}\n"})
    return client.publish_layer_version(LayerName=name, Content={"ZipFile": files}, **members)


def refused(call: Any, **arguments: Any) -> tuple[str, str]:
    """Return the code and the text of an error."""
    with pytest.raises(ClientError) as error:
        call(**arguments)
    said = error.value.response["Error"]
    return said["Code"], said["Message"]


def answer(client: Any, name: str) -> Any:
    """Invoke a function."""
    return json.load(client.invoke(FunctionName=name)["Payload"])


def use(client: Any, name: str, *arns: str) -> None:
    """Give a function other layers, and wait until it has them."""
    client.update_function_configuration(FunctionName=name, Layers=list(arns))
    wait_for(client, "function_updated_v2", FunctionName=name)


def test_versions_are_numbered_and_described(platform: GatewayHarness) -> None:
    client = platform.client()
    first = publish(client, "numbered", "1", Description="one", LicenseInfo="MIT")
    second = publish(
        client, "numbered", "2", CompatibleRuntimes=["python3.13"],
        CompatibleArchitectures=["x86_64"],
    )  # fmt: skip
    assert (first["Version"], second["Version"]) == (1, 2)
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:numbered"
    assert (second["LayerArn"], second["LayerVersionArn"]) == (arn, f"{arn}:2")
    got = client.get_layer_version(LayerName="numbered", VersionNumber=1)
    assert (got["Description"], got["LicenseInfo"]) == ("one", "MIT")
    with urllib.request.urlopen(got["Content"]["Location"]) as source:
        content = source.read()
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    assert (got["Content"]["CodeSha256"], got["Content"]["CodeSize"]) == (digest, len(content))
    assert client.get_layer_version_by_arn(Arn=f"{arn}:2")["CompatibleRuntimes"] == ["python3.13"]
    listed = client.list_layer_versions(LayerName=arn)["LayerVersions"]
    assert [one["Version"] for one in listed] == [2, 1]
    (layer,) = [one for one in client.list_layers()["Layers"] if one["LayerName"] == "numbered"]
    assert layer["LatestMatchingVersion"]["Version"] == 2
    matching = client.list_layers(CompatibleRuntime="nodejs22.x")["Layers"]
    assert "numbered" not in {one["LayerName"] for one in matching}


def test_a_function_finds_the_files_of_its_layers_the_last_first(platform: GatewayHarness) -> None:
    client = platform.client()
    one, two = publish(client, "one", "of one"), publish(client, "two", "of two")
    arns = [one["LayerVersionArn"], two["LayerVersionArn"]]
    platform.create("layered", USING, Layers=arns)
    assert answer(client, "layered") == "of two"
    configuration = client.get_function_configuration(FunctionName="layered")
    assert [layer["Arn"] for layer in configuration["Layers"]] == arns
    assert all(layer["CodeSize"] > 0 for layer in configuration["Layers"])
    use(client, "layered", *reversed(arns))
    assert answer(client, "layered") == "of one"
    use(client, "layered")
    assert "Layers" not in client.get_function_configuration(FunctionName="layered")
    assert answer(client, "layered")["errorType"] == "Runtime.ImportModuleError"


def test_a_layer_goes_before_what_the_runtime_has_imported_already(
    platform: GatewayHarness,
) -> None:
    """The zygote has boto3; a function whose layer brings another one gets that."""
    client = platform.client()
    files = package({"python/boto3/__init__.py": "OWN = 'of the layer'\n"})
    layer = client.publish_layer_version(LayerName="boto", Content={"ZipFile": files})
    source = "import boto3\n\ndef handler(event, context):\n    return boto3.OWN\n"
    platform.create("shadowing", source, Layers=[layer["LayerVersionArn"]])
    assert answer(client, "shadowing") == "of the layer"


def test_functions_keep_a_version_that_was_deleted(platform: GatewayHarness) -> None:
    client = platform.client()
    arn = publish(client, "leaving", "kept")["LayerVersionArn"]
    platform.create("keeping-layer", USING, Layers=[arn])
    for _ in range(2):  # to delete what is gone is no error
        client.delete_layer_version(LayerName="leaving", VersionNumber=1)
    gets = client.get_layer_version
    assert refused(gets, LayerName="leaving", VersionNumber=1)[0] == "ResourceNotFoundException"
    client.update_function_configuration(FunctionName="keeping-layer", Timeout=9)
    wait_for(client, "function_updated_v2", FunctionName="keeping-layer")
    assert answer(client, "keeping-layer") == "kept"
    platform.create("late", USING)
    code, text = refused(client.update_function_configuration, FunctionName="late", Layers=[arn])
    assert (code, text) == (
        "InvalidParameterValueException", f"Layer version {arn} does not exist.",
    )  # fmt: skip
    assert publish(client, "leaving", "again")["Version"] == 2  # a number is never given again


def test_another_account_uses_a_version_where_its_policy_lets_it(platform: GatewayHarness) -> None:
    labels = {ACCOUNT_LABEL: OTHER}
    namespace = Namespace(metadata=ObjectMeta(name="other-team", labels=labels))
    platform.call(platform.cache.resources.create(namespace))
    owner, other = platform.client(), platform.client(OTHER)
    arn = publish(owner, "lent", "lent out")["LayerVersionArn"]
    reads = other.get_layer_version_by_arn
    assert refused(reads, Arn=arn)[0] == "ResourceNotFoundException"
    added = owner.add_layer_version_permission(
        LayerName="lent", VersionNumber=1, StatementId="other",
        Action="lambda:GetLayerVersion", Principal=OTHER,
    )  # fmt: skip
    assert json.loads(added["Statement"])["Principal"] == {"AWS": f"arn:aws:iam::{OTHER}:root"}
    policy = owner.get_layer_version_policy(LayerName="lent", VersionNumber=1)
    assert policy["RevisionId"] == added["RevisionId"]
    assert reads(Arn=arn)["LayerVersionArn"] == arn
    owner.remove_layer_version_permission(
        LayerName="lent", VersionNumber=1, StatementId="other", RevisionId=policy["RevisionId"]
    )
    assert refused(reads, Arn=arn)[0] == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("layers", "code", "says"),
    [
        ([f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:nobody:1"], "InvalidParameterValueException",
         "layer:nobody:1 does not exist"),
        ([f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:a:{n}" for n in (1, 2)],
         "InvalidParameterValueException", "Two different versions"),
        (["nonsense"], "ValidationException", "nonsense"),
    ],
)  # fmt: skip
def test_what_no_function_can_have_is_refused(
    platform: GatewayHarness, layers: list[str], code: str, says: str
) -> None:
    with pytest.raises(ClientError) as error:
        platform.create("refused-layers", USING, Layers=layers)
    assert error.value.response["Error"]["Code"] == code
    assert says in error.value.response["Error"]["Message"]


def test_at_most_five_layers_and_one_version_of_each(platform: GatewayHarness) -> None:
    client = platform.client()
    arns = [publish(client, "many", str(number))["LayerVersionArn"] for number in range(2)]
    with pytest.raises(ClientError, match="Two different versions of the same layer"):
        platform.create("too-many", USING, Layers=arns)
    arns = [publish(client, f"of-{number}", "x")["LayerVersionArn"] for number in range(6)]
    with pytest.raises(ClientError, match="5"):
        platform.create("too-many", USING, Layers=arns)
