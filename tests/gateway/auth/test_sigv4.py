"""SigV4 verification against botocore's signer: what it signs passes, one changed byte does not."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from pilotlight.accounts import Accounts
from pilotlight.cache import Cache
from pilotlight.names import ACCOUNT_LABEL
from pilotlight.resources import Key, Namespace, ObjectMeta, Secret
from pilotlight_gateway.auth.access_keys import AccessKeys
from pilotlight_gateway.auth.caller import Caller, RequestHead
from pilotlight_gateway.auth.credentials import parse_authorization
from pilotlight_gateway.auth.permissions import identity_verdict
from pilotlight_gateway.auth.sigv4 import SigV4Authenticator, signature_of
from pilotlight_gateway.errors import (
    ApiError,
    IncompleteSignatureError,
    InvalidSignatureError,
    MissingTokenError,
    UnrecognizedClientError,
)
from tests.support import signed
from tests.support.following import following
from tests.support.memory import MemoryResources
from tests.support.signed import REGION, access_key, authenticate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

BODY = b'{"a": 1}'
BODY_SHA256 = hashlib.sha256(BODY).hexdigest()
ALICE = Caller("123456789012", "team-a", "AKIDALICE")


@asynccontextmanager
async def trusting(resources: MemoryResources | None = None) -> AsyncIterator[SigV4Authenticator]:
    resources = resources or MemoryResources()
    await resources.create(
        Namespace(metadata=ObjectMeta(name="team-a", labels={ACCOUNT_LABEL: "123456789012"}))
    )
    await resources.create(access_key("AKIDALICE"))
    cache = Cache(resources, Secret, Namespace, namespaces={Secret: "pilotlight"})
    keys = AccessKeys(cache, Accounts(cache))
    async with following(cache):
        yield SigV4Authenticator(keys, REGION)


def sign(key: str = "AKIDALICE", *, body: bytes = BODY, **given: Any) -> RequestHead:
    path = "/2015-03-31/functions/arn%3Aaws/invocations?Qualifier=a%20b"
    return signed.sign(path, body, key, **given)


def change(head: RequestHead, **headers: str) -> RequestHead:
    changed = CIMultiDict(head.headers)
    for name, value in headers.items():
        changed[name.replace("_", "-")] = value
    return RequestHead(head.method, head.path, head.raw_query, changed)


async def test_what_botocore_signs_is_believed() -> None:
    async with trusting() as authenticator:
        head = sign(headers={"X-Amz-Log-Type": "Tail", "X-Amz-Client-Context": " e30= "})
        assert await authenticate(authenticator, head, BODY) == ALICE


@pytest.mark.parametrize(
    ("sent", "passes"),
    [(" a\t b ", True), ("a b", True), ("a\xa0b", False), ("a\u2003b", False), ("a\x1fb", False)],
)
async def test_only_ascii_white_space_is_folded(sent: str, passes: bool) -> None:  # noqa: FBT001  a table
    """No other character stands for the space that was signed."""
    async with trusting() as authenticator:
        head = change(sign(headers={"X-Amz-Meta": "a b"}), X_Amz_Meta=sent)
        answer = authenticate(authenticator, head, BODY)
        if passes:
            assert await answer == ALICE
        else:
            with pytest.raises(InvalidSignatureError):
                await answer


@pytest.mark.parametrize("name", ["X-Amz-Meta", "Authorization"])
async def test_bytes_that_are_no_text_are_a_wrong_signature(name: str) -> None:
    """As the server hands them on: in a signed header, in scope, names and signature."""
    async with trusting() as authenticator:
        signed = sign(headers={"X-Amz-Meta": "a"})
        for place in range(20, len(signed.headers[name]), 7) if name == "Authorization" else (1,):
            value = f"{signed.headers[name][:place]}\udcff{signed.headers[name][place:]}"
            with pytest.raises(ApiError) as refused:
                await authenticate(authenticator, change(signed, **{name: value}), BODY)
            assert refused.value.status in {400, 403}


async def test_raw_bytes_in_a_path_and_query_can_be_signed() -> None:
    """A signature covers what was sent, whatever it means."""
    async with trusting() as authenticator:
        other = sign()
        credentials = parse_authorization(other.headers["Authorization"])
        assert credentials is not None
        for path, query in (("/\udcff", ""), ("/", "a=%FF"), ("/", "\udcff")):
            head = RequestHead(other.method, path, query, other.headers)
            with pytest.raises(InvalidSignatureError):
                await authenticate(authenticator, head, BODY)
            digest = hashlib.sha256(BODY).hexdigest()
            signature = signature_of(head, credentials, digest, signed.SECRET_KEY)
            written = other.headers["Authorization"].replace(credentials.signature, signature)
            assert (
                await authenticate(authenticator, change(head, Authorization=written), BODY)
                == ALICE
            )


@pytest.mark.parametrize(
    ("policy", "verdict"),
    [
        ('{"Statement": {"Effect": "Allow", "Action": "lambda:*", "Resource": "*"}}', "Allow"),
        ('{"Statement": {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}}', None),
        ('{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Odd": 1}}', None),
    ],
)  # fmt: skip
async def test_a_key_brings_its_policy(policy: str, verdict: str | None) -> None:
    """One that cannot be read allows nothing, and says why to who is refused."""
    async with trusting() as authenticator:
        secret = access_key("AKIDBOB")
        secret.string_data["policy"] = policy
        await authenticator.keys.accounts._cache.resources.create(secret)
        caller = await authenticate(authenticator, sign("AKIDBOB"), BODY)
        assert identity_verdict(caller, "lambda:GetFunction", ("arn:aws:a",), {}) == verdict
        assert caller.policy is not None
        assert ("Odd came" in caller.policy.problem) == ("Odd" in policy)
        assert (await authenticate(authenticator, sign(), BODY)).policy is None


async def test_no_signature_is_refused() -> None:
    async with trusting() as authenticator:
        head = RequestHead("POST", "/", "", CIMultiDict({"Host": "x"}))
        with pytest.raises(MissingTokenError):
            await authenticate(authenticator, head, b"")


@pytest.mark.parametrize(
    ("made", "body", "error"),
    [
        (lambda: sign(secret="wrong"), BODY, InvalidSignatureError),
        (sign, BODY + b" ", InvalidSignatureError),
        (lambda: sign(key="AKIDNOBODY"), BODY, UnrecognizedClientError),
        (lambda: sign(region="eu-west-1"), BODY, InvalidSignatureError),
        (lambda: change(sign(), X_Amz_Invocation_Type="DryRun"), BODY, InvalidSignatureError),
        (lambda: change(sign(), X_Amz_Date="today"), BODY, IncompleteSignatureError),
        (lambda: change(sign(), X_Amz_Content_SHA256="UNSIGNED-PAYLOAD"), BODY,
         InvalidSignatureError),
        (lambda: change(sign(), Authorization="AWS4-HMAC-SHA256 Credential=x"), BODY,
         IncompleteSignatureError),
        (lambda: change(sign(), Authorization="Bearer token"), BODY, MissingTokenError),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_refused(
    made: Callable[[], RequestHead], body: bytes, error: type[ApiError]
) -> None:
    """Signed when the test runs: signatures expire."""
    async with trusting() as authenticator:
        with pytest.raises(error):
            await authenticate(authenticator, made(), body)


@pytest.mark.parametrize(
    "made",
    [
        lambda: sign(key="AKIDNOBODY"),
        lambda: sign(region="eu-west-1"),
        lambda: change(sign(), X_Amz_Date="today"),
        lambda: change(sign(), Authorization="Bearer token"),
        lambda: change(sign(), X_Amz_Content_SHA256="UNSIGNED-PAYLOAD"),
        lambda: sign(secret="wrong", headers={"X-Amz-Content-SHA256": BODY_SHA256}),
    ],
)
async def test_a_head_is_refused_without_its_body(made: Callable[[], RequestHead]) -> None:
    """No byte of a stranger's body is read; where the hash is announced, the signature counts."""
    async with trusting() as authenticator:
        with pytest.raises(ApiError):
            await authenticator.check_head(made())


async def test_an_announced_hash_must_be_the_bodys() -> None:
    """It is signed, so that another body is no less a forgery."""
    async with trusting() as authenticator:
        head = sign(headers={"X-Amz-Content-SHA256": BODY_SHA256})
        assert await authenticate(authenticator, head, BODY) == ALICE
        with pytest.raises(InvalidSignatureError, match="not the body's"):
            await authenticate(authenticator, head, BODY + b" ")


async def test_repeated_headers_are_refused() -> None:
    async with trusting() as authenticator:
        head = sign()
        repeated = CIMultiDict(head.headers)
        repeated.add("Host", "elsewhere")
        twice = RequestHead(head.method, head.path, head.raw_query, repeated)
        with pytest.raises(InvalidSignatureError, match="repeated: host"):
            await authenticate(authenticator, twice, BODY)


@pytest.mark.parametrize(
    ("late", "text"),
    [(timedelta(minutes=6), "Signature expired: "), (-timedelta(minutes=6), "not yet current: ")],
)
async def test_skew_is_named(late: timedelta, text: str) -> None:
    async with trusting() as authenticator:
        skewed = SigV4Authenticator(authenticator.keys, REGION, lambda: datetime.now(UTC) + late)
        with pytest.raises(InvalidSignatureError, match=text):
            await authenticate(skewed, sign(), BODY)


@given(st.data())
@settings(max_examples=300, deadline=None)
async def test_one_changed_byte_is_refused(data: st.DataObject) -> None:
    async with trusting() as authenticator:
        head = sign()
        place = data.draw(st.sampled_from(["path", "query", "body", "Authorization", "X-Amz-Date"]))
        path, query, body = head.path, head.raw_query, BODY
        headers = CIMultiDict(head.headers)
        match place:
            case "path":
                path = _flip(data, path)
            case "query":
                query = _flip(data, query)
            case "body":
                body = _flip(data, body.decode()).encode()
            case _:
                headers[place] = _flip(data, headers[place])
        changed = RequestHead(head.method, path, query, headers)
        if _same(head, changed) and body == BODY:
            return
        with pytest.raises(ApiError):
            await authenticate(authenticator, changed, body)


def _flip(data: st.DataObject, text: str) -> str:
    index = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(min_codepoint=0x21, max_codepoint=0x7E))
    return text[:index] + other + text[index + 1 :]


def _same(head: RequestHead, changed: RequestHead) -> bool:
    """Say whether the change means the same, such as spaces or the case of an escape."""
    before = parse_authorization(head.headers["Authorization"])
    try:
        after = parse_authorization(changed.headers["Authorization"])
    except ApiError:
        return False
    return (before, head.path, head.headers["X-Amz-Date"], _canonical(head.raw_query)) == (
        after, changed.path, changed.headers["X-Amz-Date"], _canonical(changed.raw_query),
    )  # fmt: skip


def _canonical(query: str) -> str:
    return query.replace("+", "%20").upper() if query.lower() == query else query


async def test_a_new_key_works_at_once_and_a_deleted_one_no_longer() -> None:
    resources = MemoryResources()
    async with trusting(resources) as authenticator:
        keys = authenticator.keys
        assert await keys.find("AKIDBOB") is None
        made = await resources.create(access_key("AKIDBOB"))
        await asyncio.sleep(0)
        assert await keys.find("AKIDBOB") is not None
        await resources.delete(Secret, made.key)
        await asyncio.sleep(0)
        assert await keys.find("AKIDBOB") is None


async def test_a_secret_without_the_label_is_no_key() -> None:
    resources = MemoryResources()
    plain = access_key("AKIDPLAIN")
    plain.metadata.labels.clear()
    elsewhere = access_key("AKIDELSEWHERE")
    elsewhere.metadata.namespace = "team-a"
    for secret in (plain, elsewhere):
        await resources.create(secret)
    async with trusting(resources) as authenticator:
        assert await authenticator.keys.find("AKIDPLAIN") is None
        assert await authenticator.keys.find("AKIDELSEWHERE") is None


async def test_a_key_follows_its_account() -> None:
    """Which is asked for once, not by every call."""
    resources = MemoryResources()
    async with trusting(resources) as authenticator:
        keys = authenticator.keys
        first = await keys.find("AKIDALICE")
        assert first is not None
        assert await keys.find("AKIDALICE") is first
        namespace = await resources.get(Namespace, Key("", "team-a"))
        namespace.metadata.labels[ACCOUNT_LABEL] = "210987654321"
        await resources.replace(namespace)
        await asyncio.sleep(0)
        moved = await keys.find("AKIDALICE")
        assert moved is not None
        assert moved.account == "210987654321"


class CountingAccounts(Accounts):
    """Counts what is asked."""

    asked = 0

    async def account(self, namespace: str) -> str:
        self.asked += 1
        await asyncio.sleep(0)
        return await super().account(namespace)


@pytest.mark.parametrize(("namespace", "known"), [("team-a", True), ("nowhere", False)])
async def test_calls_that_come_at_once_ask_once(namespace: str, known: bool) -> None:  # noqa: FBT001  a table's column
    """A gateway that starts under load is no load on the API server; nor is a key of nobody's."""
    resources = MemoryResources()
    async with trusting(resources):
        made = access_key("AKIDBOB")
        made.string_data["namespace"] = namespace
        await resources.create(made)
        cache = Cache(resources, Secret, Namespace, namespaces={Secret: "pilotlight"})
        accounts = CountingAccounts(cache)
        keys = AccessKeys(cache, accounts)
        async with following(cache):
            found = await asyncio.gather(*(keys.find("AKIDBOB") for _ in range(50)))
        assert {key is not None for key in found} == {known}
        assert accounts.asked == 1


async def test_a_key_without_its_parts_is_ignored() -> None:
    resources = MemoryResources()
    async with trusting(resources) as authenticator:
        broken = access_key("AKIDBROKEN")
        del broken.string_data["namespace"]
        await resources.create(broken)
        assert await authenticator.keys.find("AKIDBROKEN") is None
        assert await authenticator.keys.find("AKIDALICE") is not None
