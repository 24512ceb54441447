"""Pods get grants of their function's role in accounts alone that have their roles assumed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pilotlight.cache import Cache
from pilotlight.resources import Namespace, ObjectMeta
from pilotlight.role_grants import RoleGrant, read
from pilotlight_autoscaler.pods.granted_roles import ASSUME_ROLES_LABEL, GrantedRoles
from tests.support.memory import MemoryResources

KEY = b"key"
GRANT = RoleGrant("team", "111122223333", "hello", "arn:aws:iam::111122223333:role/r", 1000)


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
    grants = GrantedRoles(KEY, cache, lambda: "http://gateway:8081", everywhere=everywhere)
    source = await grants.source(
        namespace="team", account=GRANT.account, function="hello", role=role
    )
    assert (source is not None) == given
    if source is not None:
        assert source.url == "http://gateway:8081/-/role-credentials"
        assert replace(read(KEY, source.ticket), expires=1000) == GRANT
        assert source.ticket not in repr(source)
