"""Which tokens are good, and when an issuer is read again."""

from __future__ import annotations

import asyncio
import base64
import json
from functools import partial
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotlight.errors import UnavailableError
from pilotlight.openid import read_keys
from pilotlight.resources import JwtAuth
from pilotlight_gateway.http.errors import HttpError
from pilotlight_gateway.http.issuers import Issuers
from pilotlight_gateway.http.tokens import check_token
from tests.support.issuer import Issuer, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

READ = partial(read_keys, private=True)


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with serving() as found:
        yield found


async def verdict(issuer: Issuer, token: str) -> Any:
    """Return a token's claims, or the status that it is refused with."""
    wanted = JwtAuth(issuer=issuer.address, audience=["shop"])
    try:
        return (await check_token(Issuers(READ), wanted, f"Bearer {token}"))["jwt"]["claims"]
    except HttpError as error:
        return error.status


async def test_a_good_token(issuer: Issuer) -> None:
    claims = await verdict(issuer, issuer.token(admin=True, groups=["a", "b"]))
    assert (claims["sub"], claims["admin"], claims["groups"]) == ("ada", "true", "[a b]")
    assert await verdict(issuer, issuer.token(aud=None, client_id="shop"))
    assert await verdict(issuer, issuer.token(aud=["x", "shop"]))


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 1},
        {"exp": None},
        {"iss": "https://else.example"},
        {"iss": None},
        {"aud": "other"},
        {"aud": None},
        {"nbf": 2**40},
    ],
    ids=str,
)
async def test_bad_claims(issuer: Issuer, claims: dict[str, Any]) -> None:
    assert await verdict(issuer, issuer.token(**claims)) == 401


async def test_bad_keys_and_algorithms(issuer: Issuer) -> None:
    assert await verdict(issuer, issuer.token(algorithm="HS256")) == 401
    assert await verdict(issuer, issuer.token(key_id="two")) == 401
    assert await verdict(issuer, issuer.token(key_id="k" * 300)) == 401
    unsigned = jwt.encode({"iss": issuer.address, "aud": "shop", "exp": 2**40}, "", "none")
    assert await verdict(issuer, unsigned) == 401
    assert await verdict(issuer, issuer.token()[:-4] + "AAAA") == 401
    nested = f"{encoded(b'[' * 9_000)}.e30.e30"  # JSON that nests too deeply to be read
    for rubbish in ("", "a", "a.b.c", "." * 20_000, nested):
        assert await verdict(issuer, rubbish) == 401


def encoded(document: bytes) -> str:
    return base64.urlsafe_b64encode(document).rstrip(b"=").decode()


headers = st.one_of(
    st.binary(max_size=20),
    st.fixed_dictionaries(
        {"alg": st.one_of(st.none(), st.integers(), st.just([]), st.just("RS256"))},
        optional={
            "kid": st.one_of(st.none(), st.text(max_size=5), st.just("one")),
            "b64": st.none(),
        },
    ).map(lambda header: json.dumps(header).encode()),
)


@settings(max_examples=150, deadline=None)
@given(headers, st.binary(max_size=20), st.text(max_size=20))
def test_rubbish_is_refused_and_nothing_breaks(head: bytes, claims: bytes, rest: str) -> None:
    """Whatever comes is a 401, never an error of ours, and its header is sendable."""

    async def read(_: str) -> list[dict[str, Any]]:
        return [{"kid": "one", "kty": "RSA", "n": "AQAB", "e": "AQAB"}]

    wanted = JwtAuth(issuer="https://i.example", audience=["shop"])
    token = f"{encoded(head)}.{encoded(claims)}.{rest}"
    for authorization in (f"Bearer {token}", token, rest):
        with pytest.raises(HttpError) as refused:
            asyncio.run(check_token(Issuers(read), wanted, authorization))
        assert refused.value.status == 401
        ((_, said),) = refused.value.headers
        assert said.isprintable()


async def test_another_issuers_signature(issuer: Issuer) -> None:
    with serving() as other:
        assert await verdict(issuer, other.token(iss=issuer.address)) == 401


class Clock:
    """A clock that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_keys_are_kept_and_read_again_in_time() -> None:
    clock, reads, away = Clock(), 0, False

    async def read(issuer: str) -> list[dict[str, Any]]:
        nonlocal reads
        reads += 1
        if away:
            raise UnavailableError(f"{issuer} is away")
        return [{"kid": "one"}]

    issuers = Issuers(read, clock)
    for _ in range(3):
        assert await issuers.key("https://i.example", "one") == {"kid": "one"}
        assert await issuers.key("https://i.example", "two") is None
    assert reads == 1  # an unknown key makes nobody read more than twice a minute
    clock.now = 31.0
    await issuers.key("https://i.example", "two")
    assert reads == 2
    clock.now, away = 700.0, True
    assert await issuers.key("https://i.example", "one") == {"kid": "one"}
    assert reads == 3
    clock.now = 3700.0
    with pytest.raises(UnavailableError, match="is away"):
        await issuers.key("https://i.example", "one")
