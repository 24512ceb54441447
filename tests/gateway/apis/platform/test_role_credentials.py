"""Credentials of roles are for pods, by the grant that each was given, and for nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from multidict import CIMultiDict

from pilotlight import role_grants
from pilotlight.role_grants import PATH, RoleGrant
from pilotlight_gateway.apis.platform.service import CLIENTS, HEALTH, INTERNAL
from pilotlight_gateway.apis.service import Request
from pilotlight_gateway.errors import UnknownOperationError
from pilotlight_gateway.exchange import Query
from tests.support.gateway import ACCOUNT, KEY

if TYPE_CHECKING:
    from tests.support.gateway import GatewayHarness

ROLE = f"arn:aws:iam::{ACCOUNT}:role/reader"


def grant(key: bytes = KEY, expires: int = 1 << 40) -> str:
    return role_grants.seal(key, RoleGrant("default", ACCOUNT, "hello", ROLE, expires))


def test_they_are_on_the_pods_port_alone() -> None:
    request = Request("GET", PATH, "", CIMultiDict(), Query())
    endpoint = INTERNAL.find(request)
    assert (endpoint.operation, endpoint.logged) == ("GetRoleCredentials", False)
    for door in (CLIENTS, HEALTH):
        with pytest.raises(UnknownOperationError):
            door.find(request)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("", "none of this platform's"),
        (f"Bearer {grant(b'another')}", "none of this platform's"),
        (f"Bearer {grant(expires=1)}", "expired"),
        (f"Bearer {grant()}\xe9", "none of this platform's"),
    ],
)
def test_without_a_grant_there_are_none(platform: GatewayHarness, given: str, why: str) -> None:
    status, headers, body = platform.get(PATH, {"Authorization": given})
    assert (status, headers["x-amzn-ErrorType"]) == (403, "AccessDeniedException")
    assert why in body.decode()


def test_a_role_that_cannot_be_assumed_is_told_with_the_reason(platform: GatewayHarness) -> None:
    """The account has no keys here."""
    status, _, body = platform.get(PATH, {"Authorization": f"Bearer {grant()}"})
    assert status == 403
    said = (
        f"{ROLE}, the role of function hello, cannot be assumed: NoCredentials: account {ACCOUNT}"
    )
    assert said in body.decode()
