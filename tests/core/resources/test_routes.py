"""What a Route and a `url` may say, and which of two routes holds a path."""

from __future__ import annotations

from typing import Any

import pytest

from pilotlight.errors import InvalidResourceError
from pilotlight.manifest import parse_model
from pilotlight.resources import ObjectMeta, Route, RouteSpec, find_rival
from pilotlight.resources.url import FunctionUrl, url_id

GOOD = {"host": "shop.example.com", "path": "/pets/{id}", "function": "pets:prod"}


def test_a_minimal_route() -> None:
    spec = parse_model(RouteSpec, GOOD)
    assert (spec.payload_format, spec.auth.type, spec.methods) == ("2.0", "none", [])


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"host": "localhost"}, "host"),
        ({"host": "Shop.example.com"}, "host"),
        ({"host": "10.0.0.1"}, "host"),
        ({"host": "gateway.pilotlight.svc"}, "platform's own"),
        ({"host": "x.lambda-url.us-east-1.localhost"}, "platform's own"),
        ({"path": "pets"}, "begins with /"),
        ({"path": "/a//b"}, "segment ''"),
        ({"path": "/a{b}"}, "a{b}"),
        ({"path": "/{proxy+}/x"}, "proxy+"),
        ({"path": "/{a}/{a}"}, "twice"),
        ({"methods": ["get"]}, "methods.0"),
        ({"function": "a b"}, "function"),
        ({"payloadFormat": "3.0"}, "payloadFormat"),
        ({"payloadFormat": "sns"}, "sns is given if and only if"),
        ({"sns": {"topics": ["arn:aws:sns:eu-1:000000000000:t"]}}, "sns is given if and only if"),
        ({"payloadFormat": "sns", "sns": {"topics": []}}, "topics"),
        ({"payloadFormat": "sns", "sns": {"topics": ["t"]}}, "topics.0"),
        ({"rate": {"requestsPerSecond": 0, "burst": 1}}, "requestsPerSecond"),
        ({"rate": {"requestsPerSecond": 1, "burst": 0}}, "burst"),
        ({"auth": {"type": "jwt"}}, "jwt is given if and only if"),
        ({"auth": {"type": "none", "authorizer": {"function": "f"}}}, "authorizer is given"),
        ({"auth": {"type": "jwt", "jwt": {"issuer": "http://a.example", "audience": ["x"]}}},
         "https:// address"),
        ({"auth": {"type": "jwt", "jwt": {"issuer": "https://a.example", "audience": []}}},
         "audience"),
        ({"cors": {"allowOrigins": ["*"], "allowCredentials": True}}, "origins that are named"),
        (
            {"cors": {"allowOrigins": ["https://*"], "allowCredentials": True}},
            "named, https://* came",
        ),
    ],
)  # fmt: skip
def test_what_is_refused(members: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidResourceError, match=r".") as refused:
        parse_model(RouteSpec, {**GOOD, **members})
    assert text in str(refused.value)


def route(name: str, made: int, **members: Any) -> Route:
    metadata = ObjectMeta(
        name=name, namespace="ns", creation_timestamp=f"2026-01-01T00:00:0{made}Z"
    )
    return Route(metadata=metadata, spec=RouteSpec.model_validate({**GOOD, **members}))


def test_the_oldest_of_one_shape_holds_it() -> None:
    first, second = route("b", 1), route("a", 2, path="/pets/{other}")
    assert find_rival(second, [first, second]) is first
    assert find_rival(first, [first, second]) is None


@pytest.mark.parametrize(
    ("mine", "theirs", "clash"),
    [
        ({}, {"host": "else.example.com"}, False),
        ({}, {"path": "/pets/new"}, False),
        ({"path": "/{x}"}, {"path": "/{x+}"}, False),
        ({"methods": ["GET"]}, {"methods": ["PUT"]}, False),
        ({"methods": ["GET"]}, {"methods": ["PUT", "GET"]}, True),
        ({"methods": ["GET"]}, {}, True),
    ],
)
def test_what_is_the_same(mine: dict[str, Any], theirs: dict[str, Any], clash: bool) -> None:  # noqa: FBT001  a table
    older, younger = route("a", 1, **mine), route("b", 2, **theirs)
    assert (find_rival(younger, [older]) is not None) == clash


def test_the_id_of_a_url_is_its_own_for_ever() -> None:
    assert url_id("000000000000", "hello") == url_id("000000000000", "hello")
    ids = {url_id(*place) for place in (("1", "a"), ("2", "a"), ("1", "b"), ("1", "a", "prod"))}
    assert len(ids) == 4
    assert all(len(one) == 32 and one.isalnum() for one in ids)


def test_a_url_says_who_may_call() -> None:
    with pytest.raises(InvalidResourceError, match="authType"):
        parse_model(FunctionUrl, {})
