"""Tokens of roles are of ServiceAccounts that say so, for one audience and for minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from pilotlight.errors import NotFoundError
from pilotlight.role_grants import RoleGrant
from pilotlight.storage.kubernetes.role_tokens import ROLE_LABEL, RoleTokens

if TYPE_CHECKING:
    from pilotlight.storage.kubernetes.api import KubernetesApi

PATH = "/api/v1/namespaces/team/serviceaccounts/reader"


class Api:
    """Stands in for `KubernetesApi`: one ServiceAccount, and what was asked."""

    def __init__(self, labels: dict[str, str]) -> None:
        self.labels = labels
        self.asked: list[tuple[str, str, Any]] = []

    async def request(self, method: str, path: str, *, body: Any = None) -> dict[str, Any]:
        self.asked.append((method, path, body))
        if method == "POST":
            return {"status": {"token": "a-token"}}
        if path != PATH:
            raise NotFoundError(path)
        return {"metadata": {"name": "reader", "labels": self.labels}}


async def token_of(api: Api, role: str) -> str | None:
    tokens = RoleTokens(cast("KubernetesApi", api), "sts.amazonaws.com")
    return await tokens.of(RoleGrant("team", "1", "hello", f"arn:aws:iam::1:role/{role}", 0))


@pytest.mark.parametrize("role", ["reader", "team/path/reader"])
async def test_a_role_is_the_service_account_of_its_name(role: str) -> None:
    api = Api({ROLE_LABEL: "true"})
    assert await token_of(api, role) == "a-token"
    method, path, body = api.asked[-1]
    assert (method, path) == ("POST", f"{PATH}/token")
    assert body["kind"] == "TokenRequest"
    assert body["spec"] == {"audiences": ["sts.amazonaws.com"], "expirationSeconds": 600}


@pytest.mark.parametrize(
    ("labels", "role"),
    [({}, "reader"), ({ROLE_LABEL: "false"}, "reader"), ({ROLE_LABEL: "true"}, "another")],
)
async def test_any_other_is_none(labels: dict[str, str], role: str) -> None:
    api = Api(labels)
    assert await token_of(api, role) is None
    assert [method for method, *_ in api.asked] == ["GET"]
