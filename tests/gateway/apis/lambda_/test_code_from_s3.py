"""Code from buckets: read once, with the account's keys, and pinned to its hash."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from pilotlight.resources import Function
from pilotlight_wire.archive import PACKED_LIMIT
from tests.support.gateway import GatewayHarness, package, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.moto import Moto

BUCKET = "artifacts"
KEY = "releases/app 1+ü.zip"


def source(answer: int) -> bytes:
    return package({"main.py": f"def handler(event, context):\n    return {answer}\n"})


@pytest.fixture(scope="module")
def platform(moto: Moto, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayHarness]:
    bucket = moto.client("s3")
    bucket.create_bucket(Bucket=BUCKET)
    bucket.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    bucket.put_object(Bucket=BUCKET, Key="empty.txt", Body=b"no zip")
    bucket.put_object(Bucket=BUCKET, Key="large.zip", Body=bytes(PACKED_LIMIT + 1))
    running = GatewayHarness(tmp_path_factory.mktemp("pods"), aws_endpoint_url=moto.url)
    yield running
    running.close()


def invoke(platform: GatewayHarness, name: str) -> Any:
    return json.load(platform.client().invoke(FunctionName=name)["Payload"])


def create(platform: GatewayHarness, name: str, code: dict[str, Any]) -> Any:
    made = platform.client().create_function(
        FunctionName=name, Runtime="python3.13", Role="arn:aws:iam::000000000000:role/any",
        Handler="main.handler", Code=code,
    )  # fmt: skip
    wait_for(platform.client(), "function_active_v2", FunctionName=name)
    return made


def test_a_package_in_a_bucket_is_pinned(platform: GatewayHarness, moto: Moto) -> None:
    """What is put into the bucket later changes nothing until somebody asks for it."""
    put = moto.client("s3").put_object(Bucket=BUCKET, Key=KEY, Body=source(1))
    made = create(platform, "pinned", {"S3Bucket": BUCKET, "S3Key": KEY})
    assert base64.b64decode(made["CodeSha256"]) == hashlib.sha256(source(1)).digest()
    assert made["CodeSize"] == len(source(1))
    assert invoke(platform, "pinned") == 1
    moto.client("s3").put_object(Bucket=BUCKET, Key=KEY, Body=source(2))
    assert invoke(platform, "pinned") == 1
    client = platform.client()
    client.update_function_code(FunctionName="pinned", S3Bucket=BUCKET, S3Key=KEY)
    wait_for(client, "function_updated_v2", FunctionName="pinned")
    assert invoke(platform, "pinned") == 2
    client.update_function_code(
        FunctionName="pinned", S3Bucket=BUCKET, S3Key=KEY, S3ObjectVersion=put["VersionId"],
        S3ObjectStorageMode="COPY",
    )  # fmt: skip
    wait_for(client, "function_updated_v2", FunctionName="pinned")
    assert invoke(platform, "pinned") == 1


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ({"S3Bucket": BUCKET, "S3Key": "none.zip"},
         r"Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The spec"),
        ({"S3Bucket": "no-such-bucket", "S3Key": "none.zip"}, r"S3 Error Code: NoSuchBucket"),
        ({"S3Bucket": BUCKET, "S3Key": "empty.txt"}, r"Could not unzip uploaded file"),
        ({"S3Bucket": BUCKET, "S3Key": "large.zip"}, r"at most \d+ bytes are expected, more came"),
        ({"S3Bucket": BUCKET}, r"S3Key is expected"),
        ({"S3Bucket": BUCKET, "S3Key": "a", "ZipFile": b"x"}, r"exactly one"),
    ],
    ids=["no key", "no bucket", "no zip", "large", "half", "two"],
)  # fmt: skip
def test_what_cannot_be_read_is_said_and_makes_nothing(
    platform: GatewayHarness, code: dict[str, Any], said: str
) -> None:
    with pytest.raises(ClientError, match=said) as refused:
        create(platform, "unmade", code)
    assert refused.value.response["Error"]["Code"] == "InvalidParameterValueException"
    with pytest.raises(ClientError, match="not found"):
        platform.client().get_function(FunctionName="unmade")


@pytest.mark.parametrize(
    "more",
    [
        {"S3ObjectStorageMode": "REFERENCE"},
        {"SourceKMSKeyArn": "arn:aws:kms:us-east-1:000000000000:key/a"},
    ],
)
def test_what_is_not_there_yet_is_refused_by_name(
    platform: GatewayHarness, more: dict[str, str]
) -> None:
    """And not taken for something else."""
    with pytest.raises(ClientError, match=f"{next(iter(more))} is not supported yet"):
        create(platform, "unmade", {"S3Bucket": BUCKET, "S3Key": KEY, **more})


def applied(platform: GatewayHarness, name: str, **source: str) -> Function:
    """Apply a manifest as kubectl would, and return it once the operator has judged it."""
    manifest = Function.model_validate(
        {"metadata": {"name": name, "namespace": "default"},
         "spec": {"runtime": "python3.13", "handler": "main.handler", "code": {"s3": source}}}
    )  # fmt: skip

    async def apply() -> Function:
        store = platform.cache.resources
        stored = await platform.cache.find(Function, manifest.key)
        if stored is None:
            stored = await store.create(manifest)
        else:
            stored = await store.replace(stored.model_copy(update={"spec": manifest.spec}))
        async with asyncio.timeout(20):
            while True:
                seen = platform.cache.get(Function, manifest.key)
                if seen is not None and _judged(seen, stored.metadata.generation):
                    return seen
                await asyncio.sleep(0.02)

    return platform.call(apply())


def _judged(function: Function, generation: int) -> bool:
    ready = function.status.condition("Ready")
    seen = function.status.observed_generation == generation
    return seen and ready is not None and ready.status != "Unknown"


def test_a_manifest_names_a_package_in_a_bucket(platform: GatewayHarness, moto: Moto) -> None:
    """Pinned as by the API: another object there changes nothing, another version does."""
    first = moto.client("s3").put_object(Bucket=BUCKET, Key="applied.zip", Body=source(3))
    made = applied(platform, "applied", bucket=BUCKET, key="applied.zip")
    assert made.status.code_size == len(source(3))
    assert invoke(platform, "applied") == 3
    second = moto.client("s3").put_object(Bucket=BUCKET, Key="applied.zip", Body=source(4))
    applied(platform, "applied", bucket=BUCKET, key="applied.zip")
    assert invoke(platform, "applied") == 3
    for put, answer in ((second, 4), (first, 3)):
        applied(
            platform, "applied", bucket=BUCKET, key="applied.zip", version=put["VersionId"]
        )  # fmt: skip
        assert invoke(platform, "applied") == answer


@pytest.mark.parametrize(
    ("bucket", "key", "said"),
    [
        (BUCKET, "none.zip", "S3 Error Code: NoSuchKey"),
        ("no-such-bucket", "none.zip", "S3 Error Code: NoSuchBucket"),
        (BUCKET, "empty.txt", "could not unzip the package"),
        (BUCKET, "large.zip", f"at most {PACKED_LIMIT} bytes are expected"),
    ],
    ids=["no key", "no bucket", "no zip", "large"],
)
def test_what_a_manifest_names_in_vain_is_a_condition(
    platform: GatewayHarness, bucket: str, key: str, said: str
) -> None:
    function = applied(platform, "vain", bucket=bucket, key=key)
    condition = function.status.condition("CodeAvailable")
    assert condition is not None
    assert condition.status == "False"
    assert said in condition.message
    assert function.status.state == "Failed"
