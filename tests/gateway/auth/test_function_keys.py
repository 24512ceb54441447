"""Functions that call the platform with credentials of their own, signed as botocore does."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from multidict import CIMultiDict

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
from pilotlight_gateway.auth.authorisation import OwnAccount
from pilotlight_gateway.auth.caller import Caller, RequestHead
from pilotlight_gateway.auth.function_keys import FunctionKeys
from pilotlight_gateway.auth.sigv4 import SigV4Authenticator
from pilotlight_gateway.errors import (
    AccessDeniedError,
    ExpiredTokenError,
    InvalidSignatureError,
    UnrecognizedClientError,
)
from pilotlight_gateway.exchange import Call, Query
from tests.support.memory import MemoryResources

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KEY, ACCOUNT, REGION, BODY = b"k" * 32, "123456789012", "us-east-1", b"{}"
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
    following = asyncio.create_task(cache.run())
    functions = FunctionKeys(cache, keys.accounts, KEY)
    try:
        yield SigV4Authenticator(keys, REGION, functions=functions), resources
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


def issued(function: str = "caller", account: str = ACCOUNT) -> FunctionCredentials:
    return issue(KEY, namespace="team-a", account=account, function=function)


def sign(given: FunctionCredentials, *, access_key: str = "", secret: str = "") -> RequestHead:
    """Sign as boto3 in the function does, and give what the gateway would see."""
    path = "/2015-03-31/functions/echo/invocations"
    request = AWSRequest("POST", f"http://gateway:8080{path}", data=BODY)
    keys = Credentials(
        access_key or given.access_key, secret or given.secret_key, given.session_token
    )
    SigV4Auth(keys, "lambda", REGION).add_auth(request)
    return RequestHead(
        "POST", path, "", CIMultiDict({**dict(request.headers.items()), "Host": "gateway:8080"})
    )


async def test_a_function_is_known_by_its_credentials() -> None:
    """Its account, and its name for who authorises and who reads the log."""
    async with trusting() as (authenticator, _):
        assert await authenticator.authenticate(sign(issued()), BODY) == CALLER


async def test_a_stolen_token_alone_signs_nothing() -> None:
    """Token and access key travel in every request; the secret does not."""
    async with trusting() as (authenticator, _):
        with pytest.raises(InvalidSignatureError):
            await authenticator.authenticate(sign(issued(), secret="guessed"), BODY)
        with pytest.raises(UnrecognizedClientError):
            await authenticator.authenticate(sign(issued(), access_key="ASIA" + "A" * 16), BODY)


@pytest.mark.parametrize(("function", "account"), [("gone", ACCOUNT), ("caller", "9" * 12)])
async def test_credentials_end_with_what_they_are_bound_to(function: str, account: str) -> None:
    """A function that is not there, and a namespace that is another account's by now."""
    async with trusting() as (authenticator, _):
        with pytest.raises(UnrecognizedClientError):
            await authenticator.authenticate(sign(issued(function, account)), BODY)


async def test_a_deleted_function_calls_no_more() -> None:
    """At once, though its credentials would last for hours."""
    async with trusting() as (authenticator, resources):
        await authenticator.authenticate(sign(issued()), BODY)
        gone = asyncio.Event()
        assert authenticator.functions is not None

        def changed(_before: Function | None, after: Function | None) -> None:
            if after is None:
                gone.set()

        authenticator.functions.cache.on_change(Function, changed)
        await resources.delete(Function, Key("team-a", "caller"))
        await gone.wait()
        with pytest.raises(UnrecognizedClientError):
            await authenticator.authenticate(sign(issued()), BODY)


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
            await expired.authenticate(sign(issued()), BODY)


async def test_where_no_function_has_credentials_a_token_is_refused() -> None:
    """An access key's own secret does not help whoever adds a token."""
    async with trusting() as (authenticator, _):
        none = SigV4Authenticator(authenticator.keys, REGION)
        with pytest.raises(UnrecognizedClientError):
            await none.authenticate(sign(issued()), BODY)


def test_a_function_may_invoke_and_nothing_else() -> None:
    """Whoever takes a function over has neither the others' code nor their variables."""
    OwnAccount().authorise(_call("Invoke", CALLER))
    OwnAccount().authorise(_call("GetFunction", Caller(ACCOUNT, "team-a", "AKIDALICE")))
    for operation in ("GetFunction", "UpdateFunctionCode", "Apply", "GetLogs", "PutArtifact"):
        with pytest.raises(AccessDeniedError, match=f"perform: lambda:{operation}"):
            OwnAccount().authorise(_call(operation, CALLER))


def _call(operation: str, caller: Caller) -> Call:
    return Call(operation, caller, "id", {}, {}, Query(), b"", "http://gateway")
