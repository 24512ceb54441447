"""The parts without a connection: path table, buckets, cross-origin rules, envelopes."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotlight.resources import Cors, Rate, RouteAuth
from pilotlight_gateway.http import cors, payload_v1, payload_v2
from pilotlight_gateway.http.endpoint import event_of
from pilotlight_gateway.http.errors import HttpError
from pilotlight_gateway.http.message import HttpRequest, HttpResponse
from pilotlight_gateway.http.rate_limit import Bucket, RateLimiter, decide
from pilotlight_gateway.http.route_table import RouteTable
from pilotlight_gateway.http.site import Match, Site

SITE = Site("id", "ns", "fn", None, "2.0", RouteAuth())
REQUEST = HttpRequest("GET", "/", "", (), "h", "127.0.0.1", "HTTP/1.1", "r", 0.0)


def table(*paths: str) -> RouteTable:
    return RouteTable.of([replace(SITE, id=path, resource=path) for path in paths])


def found(routes: RouteTable, path: str) -> str | None:
    match = routes.find("GET", path)
    return match[0].id if match else None


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/a/b", "/a/b"),
        ("/a/c", "/a/{x}"),
        ("/a/c/d", "/{all+}"),
        ("/z/b", "/{x}/b"),
        ("/", "/{all+}"),
        ("/a/", "/{all+}"),
        ("/%61/b", "/a/b"),
    ],
)
def test_the_most_exact_path_wins(path: str, wanted: str) -> None:
    assert found(table("/{all+}", "/{x}/b", "/a/{x}", "/a/b"), path) == wanted


def test_a_named_method_goes_before_all_methods() -> None:
    every = replace(SITE, id="every", resource="/x")
    named = replace(every, id="named", methods=frozenset({"GET"}))
    routes = RouteTable.of([every, named])
    assert found(routes, "/x") == "named"
    post = routes.find("POST", "/x")
    assert post is not None
    assert post[0].id == "every"


segments = st.lists(st.sampled_from(["a", "b", "{p}"]), min_size=1, max_size=4)


@given(st.lists(segments, max_size=6), st.lists(st.sampled_from("abc"), min_size=1, max_size=4))
def test_a_table_finds_what_an_expression_finds(patterns: list[list[str]], path: list[str]) -> None:
    """Whatever it gives fits, and it gives something if anything fits."""
    named = {"/" + "/".join(f"{{p{n}}}" if one == "{p}" else one for n, one in enumerate(parts))
             for parts in patterns}  # fmt: skip
    target = "/" + "/".join(path)
    fitting = {one for one in named if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", one), target)}
    got = found(table(*named), target)
    assert (got in fitting) if fitting else (got is None)


rates = st.builds(
    lambda per_second, burst: Rate(requests_per_second=per_second, burst=burst),
    st.floats(0.1, 100, allow_nan=False),
    st.integers(1, 20),
)


@given(rates, st.lists(st.floats(0, 5), min_size=1, max_size=60))
def test_never_more_than_burst_and_rate(rate: Rate, gaps: list[float]) -> None:
    bucket, now, passed = None, 0.0, 0
    for gap in gaps:
        now += gap
        decision = decide(now, bucket, rate)
        bucket, passed = decision.bucket, passed + decision.allowed
        assert 0.0 <= bucket.tokens <= rate.burst
        assert decision.allowed or decision.retry_after >= 1
    assert passed <= rate.burst + (now - gaps[0]) * rate.requests_per_second + 1e-6


def test_a_refused_request_may_come_again_after_what_it_was_told() -> None:
    rate = Rate(requests_per_second=0.5, burst=1)
    refused = decide(0.0, Bucket(0.0, 0.0), rate)
    assert (refused.allowed, refused.retry_after) == (False, 2)
    assert decide(2.0, refused.bucket, rate).allowed


def test_a_limiter_keeps_sites_apart() -> None:
    limiter, rate = RateLimiter(), Rate(requests_per_second=1, burst=1)
    assert [limiter.take(0.0, site, rate).allowed for site in "aab"] == [True, False, True]


@pytest.mark.parametrize(
    ("origins", "origin", "said"),
    [
        (["*"], "https://a.example", "*"),
        (["https://a.example"], "https://a.example", "https://a.example"),
        (["https://*"], "https://b.example", "https://b.example"),
        (["https://*"], "http://b.example", None),
        (["https://a.example"], "https://a.example.evil", None),
        (["https://a.example"], "", None),
    ],
)
def test_which_origins_may(origins: list[str], origin: str, said: str | None) -> None:
    response = HttpResponse(200, [("access-control-allow-origin", "own"), ("X", "1")])
    request = replace(REQUEST, headers=(("Origin", origin),))
    cors.add_headers(Cors(allow_origins=origins, expose_headers=["X"]), request, response)
    headers = dict(response.headers)
    assert headers.get("Access-Control-Allow-Origin") == said
    assert headers["X"] == "1"
    assert "access-control-allow-origin" not in headers
    assert ("Access-Control-Expose-Headers" in headers) == (said is not None)


@pytest.mark.parametrize(
    "envelope",
    [
        {"statusCode": 99},
        {"statusCode": 600},
        {"statusCode": True},
        {"statusCode": "two"},
        {"statusCode": "9" * 5000},
        {"statusCode": None},
        {"statusCode": 200, "headers": []},
        {"statusCode": 200, "headers": {"a": {}}},
        {"statusCode": 200, "headers": {"a b": "c"}},
        {"statusCode": 200, "headers": {"a": "b\r\nSet-Cookie: c"}},
        {"statusCode": 200, "headers": {"a": "\ud800"}},
        {"statusCode": 200, "body": {}},
        {"statusCode": 200, "body": "\ud800"},
        {"statusCode": 200, "body": "***", "isBase64Encoded": True},
        {"statusCode": 200, "cookies": "a=b"},
        {"statusCode": 200, "cookies": [1, "a\n"]},
    ],
    ids=lambda envelope: ascii(envelope)[:60],
)
def test_malformed_envelopes(envelope: dict[str, Any]) -> None:
    with pytest.raises(HttpError) as refused:
        payload_v2.response(json.dumps(envelope).encode())
    assert refused.value.status == 502


def test_a_good_envelope() -> None:
    body = base64.b64encode(b"\x00").decode()
    headers = {"N": 1, "B": True, "Content-Length": "9", "Nothing": None}
    answer = {"statusCode": "204", "headers": headers, "body": body, "isBase64Encoded": True}
    read = payload_v2.response(json.dumps(answer).encode())
    assert (read.status, read.headers, read.body) == (204, [("N", "1"), ("B", "true")], b"\x00")


@pytest.mark.parametrize(
    ("answer", "body"),
    [(b"null", b"null"), (b"[1, 2]", b"[1,2]"), (b'{"a": 1}', b'{"a":1}'), (b'"x"', b"x"),
     (b"7", b"7"), (b'"\\ud800"', b"?"), (b'""', b"")],
)  # fmt: skip
def test_what_is_no_envelope(answer: bytes, body: bytes) -> None:
    """Format 2.0 answers with it, a text bare and the rest without spaces; 1.0 does not."""
    assert payload_v2.response(answer).body == body
    with pytest.raises(HttpError):
        payload_v1.response(answer)


@given(st.binary(max_size=300), st.sampled_from(["text/plain", "image/png", "a/b+json", ""]))
def test_every_body_survives_its_event(body: bytes, content_type: str) -> None:
    request = replace(REQUEST, body=body, headers=(("Content-Type", content_type),))
    members = json.loads(json.dumps(payload_v2.body_members(request)))
    text = members.get("body", "")
    assert (base64.b64decode(text) if members["isBase64Encoded"] else text.encode()) == body


@pytest.mark.parametrize("value", [float("nan"), "\ud800"], ids=ascii)
def test_a_context_that_cannot_be_said_in_json_is_a_502(value: object) -> None:
    found: dict[str, dict[str, object]] = {"lambda": {"value": value}}
    match = Match(SITE, "000000000000", "us-east-1", REQUEST, "GET", authorizer=found)
    with pytest.raises(HttpError) as refused:
        event_of(match)
    assert refused.value.status == 502
