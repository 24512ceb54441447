"""Grants of roles: sealed, for a while, and for accounts alone that have their roles assumed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotlight.cache import Cache
from pilotlight.errors import InvalidCredentialsError
from pilotlight.resources import Namespace, ObjectMeta
from pilotlight.role_grants import ASSUME_ROLES_LABEL, RoleGrant, RoleGrants, read, seal
from tests.support.memory import MemoryResources

KEY = b"key"
GRANT = RoleGrant("team", "111122223333", "hello", "arn:aws:iam::111122223333:role/r", 1000)


def test_what_is_sealed_is_read_until_it_expires() -> None:
    text = seal(KEY, GRANT)
    assert read(KEY, text, now=1000) == GRANT
    with pytest.raises(InvalidCredentialsError, match="expired"):
        read(KEY, text, now=1001)
    with pytest.raises(InvalidCredentialsError, match="none of this platform's"):
        read(b"another", text, now=1000)


@given(st.integers(0, len(seal(KEY, GRANT)) - 1), st.characters())
def test_no_changed_character_is_believed(place: int, character: str) -> None:
    text = seal(KEY, GRANT)
    changed = text[:place] + character + text[place + 1 :]
    if changed != text:
        with pytest.raises(InvalidCredentialsError):
            read(KEY, changed, now=1)


@given(st.text(st.characters() | st.characters(categories=["Cs"])))
def test_no_text_is_a_grant(text: str) -> None:
    with pytest.raises(InvalidCredentialsError):
        read(KEY, text, now=1)


@pytest.mark.parametrize(
    ("labels", "role", "everywhere", "given"),
    [
        ({ASSUME_ROLES_LABEL: "true"}, GRANT.role, False, True),
        ({ASSUME_ROLES_LABEL: "false"}, GRANT.role, False, False),
        ({}, GRANT.role, False, False),
        ({}, GRANT.role, True, True),
        ({ASSUME_ROLES_LABEL: "true"}, None, True, False),
    ],
)
async def test_accounts_ask_for_it(
    labels: dict[str, str], role: str | None, *, everywhere: bool, given: bool
) -> None:
    cache = Cache(MemoryResources(), Namespace)
    await cache.resources.create(Namespace(metadata=ObjectMeta(name="team", labels=labels)))
    grants = RoleGrants(KEY, cache, lambda: "http://gateway:8081", everywhere=everywhere)
    source = await grants.source(
        namespace="team", account=GRANT.account, function="hello", role=role
    )
    assert (source is not None) == given
    if source is not None:
        assert source.url == "http://gateway:8081/-/role-credentials"
        assert replace(read(KEY, source.ticket), expires=1000) == GRANT
        assert source.ticket not in repr(source)
