"""For a tenant the platform calls AWS with the tenant's own keys, and reaches nobody else's."""

from __future__ import annotations

from unittest.mock import AsyncMock

import pytest

from pilotlight.aws.credentials import (
    KEPT_SECONDS,
    SECRET,
    AwsCredentials,
    NoAwsCredentialsError,
)
from pilotlight.cache import Cache
from pilotlight.errors import UnavailableError
from pilotlight.resources import Key, ObjectMeta, Secret
from pilotlight.signing import Credentials
from pilotlight_gateway.settings import Settings
from tests.support.memory import MemoryResources

ACCOUNT = "111122223333"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"


def made(cache: Cache | None = None, **settings: object) -> AwsCredentials:
    chosen = Settings("us-east-1", b"key", **settings)  # type: ignore[arg-type]  # by name
    return AwsCredentials(chosen, cache or Cache(MemoryResources()))


async def with_secret(**values: str) -> Cache:
    cache = Cache(MemoryResources())
    metadata = ObjectMeta(name=SECRET, namespace="team")
    await cache.resources.create(Secret(metadata=metadata, string_data=values))
    return cache


async def test_an_accounts_own_keys_are_used() -> None:
    """Of its namespace alone; neither they nor a session's token show in a representation."""
    cache = await with_secret(accessKeyId="AKID", secretAccessKey="hidden", sessionToken="hidden")
    keys = await made(cache).of("team", ACCOUNT)
    assert keys == Credentials("AKID", "hidden", "hidden")
    assert "hidden" not in repr(keys)
    with pytest.raises(NoAwsCredentialsError, match="a Secret aws-credentials with accessKeyId"):
        await made(cache).of("other", "444455556666")


async def test_the_gateways_own_keys_are_nobodys() -> None:
    """Without keys of the account nothing is called, but for a stand-in that takes any."""
    with pytest.raises(NoAwsCredentialsError, match=f"account {ACCOUNT} has no keys"):
        await made().of("team", ACCOUNT)
    stand_in = made(aws_endpoint_url="http://127.0.0.1:1")
    assert await stand_in.of("team", ACCOUNT) == Credentials(ACCOUNT, "test")
    assert await made(own_aws_credentials=True).of("team", ACCOUNT) == Credentials()


async def test_a_secret_is_kept_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deliveries read it once, and go on where the store is away; what is newer is seen then."""
    cache = await with_secret(accessKeyId="AKID", secretAccessKey="x")
    now = 0.0
    credentials = AwsCredentials(Settings("us-east-1", b"key"), cache, clock=lambda: now)
    find = AsyncMock(wraps=cache.find)
    monkeypatch.setattr(cache, "find", find)
    for _ in range(3):
        assert (await credentials.of("team", ACCOUNT)).access_key == "AKID"
    assert find.await_count == 1
    now += KEPT_SECONDS
    find.side_effect = UnavailableError("away")
    assert (await credentials.of("team", ACCOUNT)).access_key == "AKID"
    with pytest.raises(UnavailableError):
        await credentials.of("other", ACCOUNT)
    now += KEPT_SECONDS
    find.side_effect = None
    secret = await cache.resources.get(Secret, Key("team", SECRET))
    values = {"accessKeyId": "AKIDNEW", "secretAccessKey": "x"}
    await cache.resources.replace(secret.model_copy(update={"string_data": values}))
    assert (await credentials.of("team", ACCOUNT)).access_key == "AKIDNEW"


async def test_a_secret_that_lacks_a_part_is_named() -> None:
    cache = await with_secret(accessKeyId="AKID", secret="x")
    with pytest.raises(NoAwsCredentialsError, match="accessKeyId, secret came"):
        await made(cache).of("team", ACCOUNT)


@pytest.mark.parametrize(
    ("arn", "own", "reached"),
    [
        (QUEUE, False, True),
        ("arn:aws:s3:::bucket", False, True),
        ("arn:aws:sns:us-east-1:444455556666:t", False, False),
        ("arn:aws:sns:us-east-1:444455556666:t", True, True),
    ],
)
def test_another_accounts_arn_is_reached_on_ones_own_machine_alone(
    arn: str, *, own: bool, reached: bool
) -> None:
    assert made(own_aws_credentials=own).may_reach(arn, ACCOUNT) is reached
