"""FileSystemConfigs over the API: access points that are claims, told as they were given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from pilotlight.errors import StartFailedError
from pilotlight.resources import ObjectMeta, PersistentVolumeClaim
from pilotlight_gateway.errors import translate
from tests.support.gateway import ACCOUNT, REGION, wait_for

if TYPE_CHECKING:
    from tests.support.gateway import GatewayHarness

SOURCE = "def handler(event, context):\n    return 1\n"
POINT = "fsap-0123456789abcdef0"
ARN = f"arn:aws:elasticfilesystem:{REGION}:{ACCOUNT}:access-point/{POINT}"
CONFIGS = [{"Arn": ARN, "LocalMountPath": "/mnt/shared"}]


@pytest.fixture(scope="module", autouse=True)
def claim(platform: GatewayHarness) -> None:
    labels = {"pilotlight.dev/access-point": POINT}
    metadata = ObjectMeta(name="shared", namespace="default", labels=labels)
    platform.call(platform.resources.create(PersistentVolumeClaim(metadata=metadata)))


def _refused(platform: GatewayHarness, configs: list[dict[str, Any]]) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        platform.create("file-systems-refused", SOURCE, FileSystemConfigs=configs)
    error: Any = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_it_is_told_as_it_was_given(platform: GatewayHarness) -> None:
    """Of versions, too, whatever the function has by then."""
    client, name = platform.client(), "file-systems-kept"
    created = platform.create(name, SOURCE, FileSystemConfigs=CONFIGS)
    assert created["FileSystemConfigs"] == CONFIGS
    assert client.publish_version(FunctionName=name)["FileSystemConfigs"] == CONFIGS
    changed = client.update_function_configuration(FunctionName=name, Timeout=9)
    assert changed["FileSystemConfigs"] == CONFIGS
    wait_for(client, "function_updated_v2", FunctionName=name)
    bare = client.update_function_configuration(FunctionName=name, FileSystemConfigs=[])
    assert "FileSystemConfigs" not in bare
    wait_for(client, "function_updated_v2", FunctionName=name)
    frozen = client.get_function_configuration(FunctionName=name, Qualifier="1")
    assert frozen["FileSystemConfigs"] == CONFIGS
    assert "FileSystemConfigs" not in client.get_function(FunctionName=name)["Configuration"]


@pytest.mark.parametrize(
    "arn",
    [
        ARN.replace("abcdef0", "abcdef1"),
        ARN.replace(ACCOUNT, "111122223333"),
        ARN.replace(REGION, "eu-west-3"),
    ],
)
def test_an_access_point_that_is_not_there(platform: GatewayHarness, arn: str) -> None:
    code, said = _refused(platform, [{"Arn": arn, "LocalMountPath": "/mnt/x"}])
    assert code == "InvalidParameterValueException"
    assert said.startswith(f"The access point {arn} does not exist.")


@pytest.mark.parametrize("path", ["/mnt/..", "/mnt/."])
def test_no_path_leads_out_of_mnt(platform: GatewayHarness, path: str) -> None:
    code, said = _refused(platform, [{"Arn": ARN, "LocalMountPath": path}])
    assert code == "InvalidParameterValueException"
    assert "path" in said


@pytest.mark.parametrize(
    "config",
    [
        {"Arn": ARN, "S3FilesConfig": {"DirectS3Read": "ENABLED"}},
        {
            "Arn": "arn:aws:s3files:us-east-1:123456789012:file-system/fs-0123456789abcdef0"
            "/access-point/fsap-0123456789abcdef0"
        },
    ],
)
def test_s3_files_are_refused_by_name(platform: GatewayHarness, config: dict[str, Any]) -> None:
    code, said = _refused(platform, [config | {"LocalMountPath": "/mnt/x"}])
    assert code == "NotImplementedException"
    assert "S3FilesConfig" in said


def test_snap_start_has_none(platform: GatewayHarness) -> None:
    with pytest.raises(ClientError, match="FileSystemConfigs is not supported for SnapStart"):
        platform.create(
            "file-systems-snap", SOURCE, FileSystemConfigs=CONFIGS,
            SnapStart={"ApplyOn": "PublishedVersions"},
        )  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "kind", "status"),
    [
        ("EFSMountFailure", "EFSMountFailureException", 403),
        ("EFSMountTimeout", "EFSMountTimeoutException", 408),
        ("EFSIOError", "EFSIOException", 410),
        ("InvalidSubnet", "InvalidSubnetIDException", 502),
        ("InvalidSecurityGroup", "InvalidSecurityGroupIDException", 502),
        ("InternalError", "ResourceNotReadyException", 502),
    ],
)
def test_what_keeps_a_pod_from_starting_is_lambdas(reason: str, kind: str, status: int) -> None:
    error = translate(StartFailedError("pod p did not start", reason=reason))
    assert (error.type, error.status) == (kind, status)
    assert error.message == f"pod p did not start ({reason})"
