"""What an authorizer's answer is kept for, and what not."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from pilotlight.resources import AuthorizerAuth, RouteAuth
from pilotlight_gateway.http.authorizer import LARGEST_ANSWER, Authorizer
from pilotlight_gateway.http.errors import HttpError
from pilotlight_gateway.http.message import HttpRequest
from pilotlight_gateway.http.site import Match, Site

SITE = Site("id", "ns", "fn", None, "2.0", RouteAuth())
REQUEST = HttpRequest(
    "GET", "/", "", (("authorization", "ada"),), "h", "127.0.0.1", "HTTP/1.1", "r", 0.0
)
WANTED = AuthorizerAuth(function="f", cache_seconds=60)


@dataclass
class Answering:
    """An authorizer function that always says the same."""

    answer: Any
    asked: list[str] = field(default_factory=list)

    async def __call__(self, match: Match, reference: str, event: bytes) -> bytes:
        """Take note of the route's ARN; `match` and the function do not matter."""
        del match, reference
        self.asked.append(json.loads(event)["routeArn"])
        return json.dumps(self.answer).encode()


def request(method: str, path: str, site: Site = SITE) -> Match:
    one = replace(REQUEST, method=method, path=path)
    return Match(site, "000000000000", "us-east-1", one, method)


async def status(authorizer: Authorizer, match: Match, wanted: AuthorizerAuth = WANTED) -> int:
    try:
        await authorizer.check(wanted, match)
    except HttpError as error:
        return error.status
    return 200


def allowing(resource: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": resource}
    return {"principalId": "p", "policyDocument": {"Statement": [statement]}}


async def test_a_kept_policy_is_judged_for_each_request() -> None:
    """An allowed GET of one path lets no DELETE of another through, and is asked for once."""
    function = Answering(allowing("arn:aws:execute-api:*/GET/public"))
    authorizer = Authorizer(function)
    assert await status(authorizer, request("GET", "/public")) == 200
    assert await status(authorizer, request("DELETE", "/admin")) == 403
    assert await status(authorizer, request("GET", "/public")) == 200
    assert len(function.asked) == 1


async def test_a_kept_yes_is_for_one_route() -> None:
    """A simple answer says yes to the route that was asked for."""
    function = Answering({"isAuthorized": True})
    authorizer = Authorizer(function)
    named = replace(SITE, resource="/x", methods=frozenset({"GET", "DELETE"}))
    for match in (request("GET", "/x", named), request("DELETE", "/x", named),
                  request("GET", "/x", replace(named, id="another"))):  # fmt: skip
        assert await status(authorizer, match) == 200
    assert len(function.asked) == 3


async def test_another_authorizer_is_asked_itself() -> None:
    """What one function allowed does not count once a route names another."""
    authorizer = Authorizer(Answering({"isAuthorized": True}))
    assert await status(authorizer, request("GET", "/")) == 200
    authorizer.invoke = Answering({"isAuthorized": False})
    other = WANTED.model_copy(update={"function": "g"})
    assert await status(authorizer, request("GET", "/"), other) == 403


@pytest.mark.parametrize("path", ["/admin/x", "//admin//x/", "/admin%2Fx", "/%61dmin/x"])
async def test_a_deny_counts_however_the_path_is_written(path: str) -> None:
    """The ARN has the path as the function may read it."""
    document = allowing("*")
    document["policyDocument"]["Statement"].append(
        {"Effect": "Deny", "Action": "*", "Resource": "arn:aws:execute-api:*/GET/admin/x"}
    )
    function = Answering(document)
    assert await status(Authorizer(function), request("GET", path)) == 403
    assert function.asked[0].endswith("/GET/admin/x")


@pytest.mark.parametrize(
    "answer",
    [b"[" * 100_000, b'"' + b"x" * LARGEST_ANSWER + b'"', b"{}", b'{"isAuthorized": true'],
    ids=["nested", "large", "empty", "cut"],
)
async def test_an_answer_that_cannot_be_read_is_a_502(answer: bytes) -> None:
    """Nor is it kept, whatever its size."""
    asked = 0

    async def answering(*_: object) -> bytes:
        nonlocal asked
        asked += 1
        return answer

    authorizer = Authorizer(answering)
    for _ in range(2):
        assert await status(authorizer, request("GET", "/")) == 502
    assert asked == 2
