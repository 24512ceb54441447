"""Packages that manifests name by `code.s3`: fetched once and pinned, or asked for ever less."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from pilotlight.aws.client import AwsError
from tests.support.gateway import package

if TYPE_CHECKING:
    from pilotlight.resources import Function

    from .conftest import Platform

FIRST, SECOND = package({"index.py": "first"}), package({"index.py": "second"})


def code(**members: str) -> dict[str, Any]:
    return {"s3": {"bucket": "bucket", "key": "a.zip", **members}}


def served(function: Function) -> str:
    assert function.status.configuration is not None
    return function.status.configuration.code_sha256


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def test_it_is_fetched_once_and_pinned(platform: Platform) -> None:
    """What the bucket has later changes nothing, until another version or key is asked for."""
    platform.buckets.objects["a.zip"] = FIRST
    await platform.apply(code=code())
    assert await platform.reconcile() is None
    platform.buckets.objects["a.zip"] = SECOND
    await platform.apply(code=code(), memory=256)
    platform.restart()
    await platform.reconcile()
    function = await platform.function()
    assert (served(function), function.spec.memory) == (sha256(FIRST), 256)
    assert platform.buckets.reads == 1
    await platform.apply(code=code(version="2"))
    await platform.reconcile()
    function = await platform.function()
    assert served(function) == sha256(SECOND)
    assert function.status.code_size == len(SECOND)


async def test_what_is_wrong_elsewhere_fetches_nothing_again(platform: Platform) -> None:
    platform.buckets.objects["a.zip"] = FIRST
    await platform.apply(code=code(), runtime="ruby3.4")
    for _ in range(3):
        assert await platform.reconcile() == 15
    assert platform.buckets.reads == 1


async def test_a_package_that_was_collected_is_fetched_again(platform: Platform) -> None:
    platform.buckets.objects["a.zip"] = FIRST
    await platform.apply(code=code())
    await platform.reconcile()
    platform.artifacts.held.clear()
    await platform.reconcile()
    assert sha256(FIRST) in platform.artifacts.held


@pytest.mark.parametrize(
    ("found", "reason", "said"),
    [
        (AwsError("Access Denied", "AccessDenied"), "CodeUnreadable", "GetObject for bucket/a.zip"),
        (AwsError("at most 5 bytes", "EntityTooLarge"), "CodeUnreadable", "EntityTooLarge"),
        (AwsError("status 500", "500"), "CodeUnreadable", "S3 Error Code: 500"),
        (b"no zip", "CodeInvalid", "could not unzip"),
        (package({}), "CodeInvalid", "non-empty zip"),
    ],
    ids=["denied", "large", "failing", "no zip", "empty"],
)
async def test_what_is_wrong_is_said_and_repaired(
    platform: Platform, found: bytes | AwsError, reason: str, said: str
) -> None:
    """In state and conditions, while what served before goes on."""
    await platform.apply()
    await platform.reconcile()
    before = await platform.function()
    platform.buckets.objects["a.zip"] = found
    await platform.apply(code=code())
    await platform.reconcile()
    function = await platform.function()
    condition = function.status.condition("CodeAvailable")
    assert condition is not None
    assert (condition.status, condition.reason) == ("False", reason)
    assert said in condition.message
    assert function.status.last_update_status == "Failed"
    assert said in (function.status.last_update_status_reason or "")
    assert function.status.revision == before.status.revision
    platform.buckets.objects["a.zip"] = FIRST
    await platform.reconcile()
    assert served(await platform.function()) == sha256(FIRST)


@pytest.mark.parametrize(("waited", "again"), [(1, 15), (100, 100), (9000, 600)])
async def test_a_bucket_is_asked_less_and_less_often(
    platform: Platform, waited: int, again: int
) -> None:
    """Each time may cost a whole package that is none."""
    await platform.apply(code=code())
    await platform.reconcile()
    function = await platform.function()
    since = (datetime.now(UTC) - timedelta(seconds=waited)).strftime("%Y-%m-%dT%H:%M:%SZ")
    conditions = [
        one.model_copy(update={"last_transition_time": since}) for one in function.status.conditions
    ]
    status = function.status.model_copy(update={"conditions": conditions})
    await platform.resources.write_status(function.model_copy(update={"status": status}))
    assert await platform.reconcile() == pytest.approx(again, abs=3)
