"""Local mode's callers: anybody, and keys that a manifest declares with their policies."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from pilotlight.accounts import Accounts, namespace_of
from pilotlight.cache import Cache
from pilotlight.names import ACCESS_KEY_LABEL
from pilotlight.resources import Namespace, ObjectMeta, Secret
from pilotlight_gateway.bodies import Body
from pilotlight_gateway.errors import UnrecognizedClientError
from pilotlight_local.accounts import SelfServiceAccounts
from tests.support import signed
from tests.support.following import following
from tests.support.memory import MemoryResources

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pilotlight_gateway.auth.caller import Caller

ACCOUNT, OTHER = "000000000000", "222222222222"
POLICY = '{"Statement": {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"}}'


@asynccontextmanager
async def trusting(namespace: str) -> AsyncIterator[tuple[SelfServiceAccounts, Cache]]:
    """Local mode's authentication, with one key that is declared for a namespace."""
    cache = Cache(MemoryResources(), Secret, Namespace)
    callers = SelfServiceAccounts(cache, Accounts(cache), ACCOUNT)
    async with following(cache):
        await callers.open()
        labels = {ACCESS_KEY_LABEL: "true"}
        data = {"accessKeyId": "AKIDCI", "secretAccessKey": "s", "namespace": namespace}
        secret = Secret(
            metadata=ObjectMeta(name="ci", namespace="default", labels=labels),
            string_data=data | {"policy": POLICY},
        )
        await cache.resources.create(secret)
        yield callers, cache


async def who(callers: SelfServiceAccounts, key: str) -> Caller:
    return (await callers.check_head(signed.sign("/", b"", key)))(Body.of(b""))


@pytest.mark.parametrize(
    ("namespace", "account"), [("default", ACCOUNT), (f"account-{OTHER}", OTHER)]
)
async def test_a_declared_key_has_its_account_and_its_policy(namespace: str, account: str) -> None:
    """The account need not have been opened; nobody else has a policy."""
    async with trusting(namespace) as (callers, cache):
        caller = await who(callers, "AKIDCI")
        assert (caller.account, caller.namespace, caller.principal) == (
            account, namespace, "AKIDCI",
        )  # fmt: skip
        assert caller.policy is not None
        assert caller.policy.decide("lambda:InvokeFunction", ("arn:aws:a",), {}) == "Allow"
        assert caller.policy.decide("lambda:GetFunction", ("arn:aws:a",), {}) is None
        assert namespace_of(cache, account) == namespace
        for key, its_account in (("test", ACCOUNT), (OTHER, OTHER)):
            anybody = await who(callers, key)
            assert (anybody.account, anybody.policy) == (its_account, None)


async def test_a_key_for_no_account_is_not_anybodys() -> None:
    """It would have what its policy does not allow."""
    async with trusting("nowhere") as (callers, _):
        with pytest.raises(UnrecognizedClientError, match="'nowhere'"):
            await who(callers, "AKIDCI")
