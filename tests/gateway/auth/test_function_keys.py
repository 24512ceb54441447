"""Functions that call the platform with credentials of their own, signed as botocore does."""

from __future__ import annotations

import asyncio
import functools
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from pilotlight.accounts import Accounts
from pilotlight.cache import Cache
from pilotlight.function_credentials import LIFETIME, FunctionCredentials, issue
from pilotlight.names import ACCOUNT_LABEL
from pilotlight.resources import (
    Code,
    Function,
    FunctionSpec,
    Key,
    Namespace,
    ObjectMeta,
    Secret,
)
from pilotlight_gateway.auth.access_keys import AccessKeys
from pilotlight_gateway.auth.caller import Caller
from pilotlight_gateway.auth.function_keys import FunctionKeys
from pilotlight_gateway.auth.permissions import identity_verdict
from pilotlight_gateway.auth.sigv4 import SigV4Authenticator
from pilotlight_gateway.errors import (
    ExpiredTokenError,
    InvalidSignatureError,
    UnrecognizedClientError,
)
from tests.support import signed
from tests.support.following import following
from tests.support.memory import MemoryResources
from tests.support.signed import REGION

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pilotlight_gateway.auth.caller import RequestHead

KEY, ACCOUNT, BODY = b"k" * 32, "123456789012", b"{}"
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:echo"
PATH = "/2015-03-31/functions/echo/invocations"
CALLER = Caller(ACCOUNT, "team-a", "function/caller", "caller")


@asynccontextmanager
async def trusting() -> AsyncIterator[tuple[SigV4Authenticator, MemoryResources]]:
    """A gateway's authentication, and the store of an account with one function."""
    resources = MemoryResources()
    labels = {ACCOUNT_LABEL: ACCOUNT}
    await resources.create(Namespace(metadata=ObjectMeta(name="team-a", labels=labels)))
    code = Code(inline="def handler(event, context): pass")
    spec = FunctionSpec(runtime="python3.13", handler="index.handler", code=code)
    await resources.create(
        Function(metadata=ObjectMeta(name="caller", namespace="team-a"), spec=spec)
    )
    cache = Cache(resources, Secret, Namespace, Function, namespaces={Secret: "pilotlight"})
    keys = AccessKeys(cache, Accounts(cache))
    functions = FunctionKeys(cache, keys.accounts, KEY)
    async with following(cache):
        yield SigV4Authenticator(keys, REGION, functions=functions), resources


def issued(function: str = "caller", account: str = ACCOUNT) -> FunctionCredentials:
    return issue(KEY, namespace="team-a", account=account, function=function)


def sign(given: FunctionCredentials, *, access_key: str = "", secret: str = "") -> RequestHead:
    """Sign as boto3 in the function does."""
    return signed.sign(
        PATH, BODY, access_key or given.access_key, secret or given.secret_key,
        token=given.session_token,
    )  # fmt: skip


async def test_a_function_is_known_by_its_credentials() -> None:
    """Its account, and its name for who authorises and who reads the log."""
    async with trusting() as (authenticator, _):
        assert await signed.authenticate(authenticator, sign(issued()), BODY) == CALLER


async def test_a_stolen_token_alone_signs_nothing() -> None:
    """Token and access key travel in every request; the secret does not."""
    async with trusting() as (authenticator, _):
        with pytest.raises(InvalidSignatureError):
            await signed.authenticate(authenticator, sign(issued(), secret="guessed"), BODY)
        with pytest.raises(UnrecognizedClientError):
            await signed.authenticate(
                authenticator, sign(issued(), access_key="ASIA" + "A" * 16), BODY
            )


@pytest.mark.parametrize(("function", "account"), [("gone", ACCOUNT), ("caller", "9" * 12)])
async def test_credentials_end_with_what_they_are_bound_to(function: str, account: str) -> None:
    """A function that is not there, and a namespace that is another account's by now."""
    async with trusting() as (authenticator, _):
        with pytest.raises(UnrecognizedClientError):
            await signed.authenticate(authenticator, sign(issued(function, account)), BODY)


async def test_a_deleted_function_calls_no_more() -> None:
    """At once, though its credentials would last for hours."""
    async with trusting() as (authenticator, resources):
        await signed.authenticate(authenticator, sign(issued()), BODY)
        gone = asyncio.Event()
        assert authenticator.functions is not None

        def changed(_before: Function | None, after: Function | None) -> None:
            if after is None:
                gone.set()

        authenticator.functions.cache.on_change(Function, changed)
        await resources.delete(Function, Key("team-a", "caller"))
        await gone.wait()
        with pytest.raises(UnrecognizedClientError):
            await signed.authenticate(authenticator, sign(issued()), BODY)


async def test_credentials_expire() -> None:
    """In AWS's words, by which SDKs know it."""
    async with trusting() as (authenticator, _):
        found = authenticator.functions
        assert found is not None
        later = FunctionKeys(
            found.cache, found.accounts, KEY, clock=lambda: time.time() + LIFETIME + 1
        )
        expired = SigV4Authenticator(authenticator.keys, REGION, functions=later)
        with pytest.raises(ExpiredTokenError, match="is expired"):
            await signed.authenticate(expired, sign(issued()), BODY)


async def test_where_no_function_has_credentials_a_token_is_refused() -> None:
    """An access key's own secret does not help whoever adds a token, there or elsewhere."""
    async with trusting() as (authenticator, resources):
        await resources.create(signed.access_key("AKIDALICE"))
        head = signed.sign(PATH, BODY, "AKIDALICE", token="any")
        for one in (SigV4Authenticator(authenticator.keys, REGION), authenticator):
            assert await signed.authenticate(one, signed.sign(PATH, BODY, "AKIDALICE"), BODY)
            with pytest.raises(UnrecognizedClientError):
                await signed.authenticate(one, head, BODY)


async def test_a_function_may_invoke_and_nothing_else() -> None:
    """Whoever takes a function over has neither the others' code nor their variables."""
    async with trusting() as (authenticator, _):
        caller = await signed.authenticate(authenticator, sign(issued()), BODY)
    may = functools.partial(identity_verdict, caller, names=(ARN,), context={})
    for action in ("lambda:InvokeFunction", "lambda:InvokeFunctionUrl", "execute-api:Invoke"):
        assert may(action) == "Allow"
    for action in ("lambda:GetFunction", "lambda:UpdateFunctionCode", "logs:GetLogEvents"):
        assert may(action) is None
    for action in ("pilotlight:Apply", "pilotlight:GetLogs", "pilotlight:PutArtifact"):
        assert may(action) is None
