"""Routes end to end: paths, formats, a web framework behind Mangum, authorisation and rates."""

from __future__ import annotations

import base64
import gzip
import itertools
import json
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from pilotlight.identity_policies import parse_identity_policy
from pilotlight.resources import ObjectMeta, Route, RouteSpec
from tests.support.gateway import ACCOUNT, REGION, GatewayHarness
from tests.support.http_client import Response, fetch
from tests.support.issuer import Issuer, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ECHO = """
import json
def handler(event, context):
    return {"statusCode": 200, "body": json.dumps(event), "headers": {"X-Id": "1"},
            "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]}}
"""
MANGUM = """
from mangum import Mangum

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    headers = dict(scope["headers"])
    said = "|".join([
        scope["method"], scope["path"], scope["query_string"].decode(), body.hex(),
        headers.get(b"cookie", b"").decode(), scope["scheme"],
    ])
    await send({"type": "http.response.start", "status": 203, "headers": [
        (b"content-type", b"text/plain"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"),
    ]})
    await send({"type": "http.response.body", "body": said.encode()})

handler = Mangum(app)
"""
AUTHORIZER = """
def handler(event, context):
    who = event["identitySource"][0] if isinstance(event["identitySource"], list) else (
        event["identitySource"])
    if who == "policy":
        return {"principalId": "p", "policyDocument": {"Statement": [
            {"Effect": "Allow", "Action": "execute-api:Invoke",
             "Resource": event.get("routeArn") or event.get("methodArn")}]}}
    if who == "broken":
        raise ValueError(who)
    return {"isAuthorized": who == "ada", "context": {"who": who, "id": context.aws_request_id}}
"""
_numbers = itertools.count()


@pytest.fixture(scope="module", autouse=True)
def functions(platform: GatewayHarness) -> None:
    """What routes lead to."""
    platform.create("echoing", ECHO, Timeout=10)
    platform.create("asgi", MANGUM, Timeout=20)
    platform.create("letting", AUTHORIZER, Timeout=10)


@pytest.fixture
def route(platform: GatewayHarness) -> Iterator[Callable[..., str]]:
    """Makes routes, waits until they are served, gives their host, and takes them away."""
    made: list[Route] = []

    def make(path: str, host: str = "", **spec: Any) -> str:
        number = next(_numbers)
        host = host or f"r{number}.example.com"
        document = {"host": host, "path": path, "function": "echoing", **spec}
        metadata = ObjectMeta(name=f"route-{number}", namespace="default")
        wanted = Route(metadata=metadata, spec=RouteSpec.model_validate(document))
        made.append(platform.call(platform.resources.create(wanted)))
        _until_served(platform, host)
        return host

    yield make
    for one in made:
        platform.call(platform.resources.delete(Route, one.key))


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    """An issuer of tokens."""
    with serving() as found:
        yield found


def _until_served(platform: GatewayHarness, host: str) -> None:
    deadline = time.monotonic() + 10
    while not platform.gateway._clients._http.sites.serves(host, "/"):
        assert time.monotonic() < deadline
        time.sleep(0.005)


def event_of(response: Response) -> Any:
    return response.json()


def test_parameters_methods_and_the_longest_match(
    platform: GatewayHarness, route: Callable[..., str]
) -> None:
    host = route("/pets/{id}", methods=["GET", "PUT"])
    route("/{proxy+}", host)
    route("/pets/new", host, methods=["GET"])
    keys = {
        ("GET", "/pets/7%2F8"): ("GET /pets/{id}", {"id": "7/8"}),
        ("PUT", "/pets/new"): ("PUT /pets/{id}", {"id": "new"}),
        ("GET", "/pets/new"): ("GET /pets/new", None),
        ("DELETE", "/pets/7"): ("ANY /{proxy+}", {"proxy": "pets/7"}),
        ("GET", "/a/b/"): ("ANY /{proxy+}", {"proxy": "a/b/"}),
    }
    for (method, path), (key, parameters) in keys.items():
        event = event_of(fetch(platform.port, path, method=method, host=host))
        assert (event["routeKey"], event.get("pathParameters")) == (key, parameters), path


def test_what_no_route_fits_is_not_found(
    platform: GatewayHarness, route: Callable[..., str]
) -> None:
    host = route("/only", methods=["POST"])
    for method, path in (("GET", "/only"), ("POST", "/only/more"), ("POST", "/")):
        got = fetch(platform.port, path, method=method, host=host)
        assert (got.status, got.json()) == (404, {"message": "Not Found"})


def test_payload_1(platform: GatewayHarness, route: Callable[..., str]) -> None:
    host = route("/x/{id}", payloadFormat="1.0")
    got = fetch(platform.port, "/x/%C3%A9?a=1&a=2", host=host, headers=[("X-A", "1"), ("X-A", "2")])
    event = event_of(got)
    assert (event["version"], event["resource"], event["path"]) == ("1.0", "/x/{id}", "/x/é")
    assert event["pathParameters"] == {"id": "é"}
    assert event["queryStringParameters"] == {"a": "2"}
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"]}
    assert (event["headers"]["X-A"], event["multiValueHeaders"]["X-A"]) == ("2", ["1", "2"])
    assert event["requestContext"]["accountId"] == ACCOUNT
    assert event["body"] is None
    assert got.all_of("set-cookie") == ["a=1", "b=2"]


def test_payload_alb(platform: GatewayHarness, route: Callable[..., str]) -> None:
    host = route("/{proxy+}", payloadFormat="alb")
    event = event_of(fetch(platform.port, "/a?q=%20x", host=host, headers={"X-A": "1"}))
    assert "targetgroup/echoing/" in event["requestContext"]["elb"]["targetGroupArn"]
    assert (event["httpMethod"], event["path"], event["body"]) == ("GET", "/a", "")
    assert event["queryStringParameters"] == {"q": "%20x"}
    assert event["headers"]["x-a"] == "1"


@pytest.mark.parametrize("payload_format", ["1.0", "2.0", "alb"])
def test_a_framework_behind_mangum(
    platform: GatewayHarness, route: Callable[..., str], payload_format: str
) -> None:
    host = route("/{proxy+}", function="asgi", payloadFormat=payload_format)
    got = fetch(
        platform.port, "/caf%C3%A9?q=a%20b", method="POST", host=host, body=b"\x00\xff",
        headers={"Cookie": "s=1", "Content-Type": "application/octet-stream"},
    )  # fmt: skip
    assert (got.status, got.header("content-type")) == (203, "text/plain")
    assert got.body.decode() == "POST|/café|q=a+b|00ff|s=1|http".replace(
        "a+b", "a%20b" if payload_format == "2.0" else "a+b"
    )
    if payload_format != "alb":  # a balancer without multi-value headers keeps one of a name
        assert got.all_of("set-cookie") == ["a=1", "b=2"]


@pytest.mark.parametrize(
    ("payload_format", "status", "body"),
    [
        ("1.0", 502, b'{"message": "Internal server error"}'),
        ("2.0", 502, b'{"message": "Internal Server Error"}'),
        ("alb", 502, b"<h1>502 Bad Gateway</h1>"),
    ],
)
def test_a_failing_function_in_each_formats_words(
    platform: GatewayHarness, route: Callable[..., str], payload_format: str, status: int,
    body: bytes,
) -> None:  # fmt: skip
    host = route("/", function="letting", payloadFormat=payload_format)
    got = fetch(platform.port, "/", host=host)
    assert got.status == status
    assert body in got.body


def test_the_rate_is_kept(platform: GatewayHarness, route: Callable[..., str]) -> None:
    host = route("/", rate={"requestsPerSecond": 0.01, "burst": 2})
    statuses = [fetch(platform.port, "/", host=host).status for _ in range(3)]
    assert statuses == [200, 200, 429]
    refused = fetch(platform.port, "/", host=host)
    assert refused.json() == {"message": "Too Many Requests"}
    assert int(refused.header("retry-after") or 0) in range(90, 101)


def test_jwt(platform: GatewayHarness, route: Callable[..., str], issuer: Issuer) -> None:
    wanted = {"issuer": issuer.address, "audience": ["shop"], "scopes": ["read"]}
    host = route("/", auth={"type": "jwt", "jwt": wanted})

    def call(token: str) -> Response:
        return fetch(platform.port, "/", host=host, headers={"Authorization": f"Bearer {token}"})

    event = event_of(call(issuer.token(scope="read write")))
    found = event["requestContext"]["authorizer"]["jwt"]
    assert (found["claims"]["sub"], found["scopes"]) == ("ada", ["read", "write"])
    assert call(issuer.token(scope="write")).status == 403
    refused = call(issuer.token(aud="other", scope="read"))
    assert (refused.status, refused.json()) == (401, {"message": "Unauthorized"})
    assert "invalid_token" in (refused.header("www-authenticate") or "")
    assert fetch(platform.port, "/", host=host).status == 401


def test_a_jwt_issuer_that_cannot_be_read(
    platform: GatewayHarness, route: Callable[..., str], issuer: Issuer
) -> None:
    address = "http://127.0.0.1:1"
    host = route("/", auth={"type": "jwt", "jwt": {"issuer": address, "audience": ["shop"]}})
    token = issuer.token(iss=address)
    got = fetch(platform.port, "/", host=host, headers={"Authorization": token})
    assert got.status == 503
    assert f"{address}/.well-known/openid-configuration cannot be read" in got.json()["message"]


@pytest.mark.parametrize("payload_format", ["1.0", "2.0"])
@pytest.mark.parametrize(
    ("identity", "status"),
    [(None, 401), ("ada", 200), ("policy", 200), ("eve", 403), ("broken", 502)],
)
def test_an_authorizer_function(
    platform: GatewayHarness, route: Callable[..., str], payload_format: str, identity: str | None,
    status: int,
) -> None:  # fmt: skip
    auth = {"type": "authorizer", "authorizer": {"function": "letting"}}
    host = route("/", auth=auth, payloadFormat=payload_format)
    headers = {"Authorization": identity} if identity else {}
    got = fetch(platform.port, "/", host=host, headers=headers)
    assert got.status == status
    if identity == "ada":
        found = event_of(got)["requestContext"]["authorizer"]
        context = found if payload_format == "1.0" else found["lambda"]
        assert context["who"] == "ada"
        assert context["id"] != got.header("x-amzn-requestid")


def test_an_authorizers_word_is_kept(platform: GatewayHarness, route: Callable[..., str]) -> None:
    authorizer = {"function": "letting", "cacheSeconds": 60}
    host = route("/", auth={"type": "authorizer", "authorizer": authorizer})
    ids = {
        event_of(fetch(platform.port, "/", host=host, headers={"Authorization": "ada"}))[
            "requestContext"
        ]["authorizer"]["lambda"]["id"]
        for _ in range(2)
    }
    assert len(ids) == 1


def test_of_two_routes_for_one_path_the_older_is_served(
    platform: GatewayHarness, route: Callable[..., str]
) -> None:
    host = route("/{first}", methods=["GET"])
    route("/{second}", host, function="letting")
    event = event_of(fetch(platform.port, "/x", host=host))
    assert event["pathParameters"] == {"first": "x"}


def test_a_function_that_is_not_there(platform: GatewayHarness, route: Callable[..., str]) -> None:
    host = route("/", function="nobody")
    got = fetch(platform.port, "/", host=host)
    assert (got.status, got.json()) == (502, {"message": "Internal Server Error"})


def test_a_body_that_is_too_large(platform: GatewayHarness, route: Callable[..., str]) -> None:
    host = route("/")
    got = fetch(platform.port, "/", method="POST", host=host, body=b"x" * 6_291_457)
    assert got.status == 413
    binary = b"\xff" * 5_000_000  # fits, but not as Base64 in an event
    assert fetch(platform.port, "/", method="POST", host=host, body=binary).status == 413


def test_who_may_not_pass_sends_no_body_first(
    platform: GatewayHarness, route: Callable[..., str], issuer: Issuer
) -> None:
    host = route("/", auth={"type": "jwt", "jwt": {"issuer": issuer.address, "audience": ["a"]}})
    got = fetch(platform.port, "/", method="POST", host=host, body=b"x" * 6_291_457)
    assert got.status == 401


def test_a_preflight_meets_the_route_that_it_asks_for(
    platform: GatewayHarness, route: Callable[..., str]
) -> None:
    host = route("/a", methods=["PUT"], cors={"allowOrigins": ["*"], "allowMethods": ["PUT"]})
    route("/a", host, methods=["GET"])
    route("/{proxy+}", host, methods=["OPTIONS"])

    def ask(method: str) -> Response:
        headers = {"Origin": "https://a.example", "Access-Control-Request-Method": method}
        return fetch(platform.port, "/a", method="OPTIONS", host=host, headers=headers)

    assert ask("PUT").header("access-control-allow-methods") == "PUT"
    for method in ("GET", "DELETE"):  # no rules, or no route: the function answers
        assert event_of(ask(method))["routeKey"] == "OPTIONS /{proxy+}"


def test_bytes_that_are_no_text_reach_the_function(
    platform: GatewayHarness, route: Callable[..., str]
) -> None:
    host = route("/{proxy+}")
    with socket.create_connection(("127.0.0.1", platform.port), timeout=10) as connection:
        connection.sendall(
            b"GET /%ff?q=%ff HTTP/1.1\r\nHost: " + host.encode()
            + b"\r\nX-Raw: a\xff\r\nConnection: close\r\n\r\n"
        )  # fmt: skip
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    event = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert answer.startswith(b"HTTP/1.1 200")
    assert event["headers"]["x-raw"] == "a\ufffd"
    assert (event["rawPath"], event["pathParameters"]) == ("/%ff", {"proxy": "\ufffd"})


def test_head_has_no_body(platform: GatewayHarness, route: Callable[..., str]) -> None:
    host = route("/")
    got = fetch(platform.port, "/", method="HEAD", host=host)
    assert (got.status, got.body) == (200, b"")


def test_an_event_is_json_whatever_came(
    platform: GatewayHarness, route: Callable[..., str]
) -> None:
    host = route("/{proxy+}")
    event = event_of(fetch(platform.port, '/"\\?a="', host=host, headers={"X-Quote": '"\\'}))
    assert event["headers"]["x-quote"] == '"\\'
    assert json.dumps(event["pathParameters"]) == '{"proxy": "\\"\\\\"}'


@pytest.mark.parametrize(
    "path",
    ["/admin%2Fx", "//admin/x", "/admin//x", "/admin/x/", "/%61dmin%2fx", "/x/../admin/x",
     "/%2e%2e/admin/x", "/./admin/x", "/x%2F..%2Fadmin/x"],
)  # fmt: skip
def test_a_guarded_path_is_not_reached_by_another_spelling(
    platform: GatewayHarness, route: Callable[..., str], path: str
) -> None:
    """Neither an open route beside it nor its function gets what could be read as its path."""
    host = route("/admin/{x}", auth={"type": "iam"})
    route("/{proxy+}", host)
    assert fetch(platform.port, "/admin/x", host=host).status == 403
    got = fetch(platform.port, path, host=host)
    assert (got.status, got.header("content-type")) == (400, "application/json")
    assert event_of(fetch(platform.port, "/other//x/", host=host))["rawPath"] == "/other//x/"


def test_a_key_calls_the_routes_that_its_policy_names(
    platform: GatewayHarness, route: Callable[..., str]
) -> None:
    """By method and path, as API Gateway's ARNs say them."""
    host = route("/{proxy+}", auth={"type": "iam"})
    statement = {
        "Effect": "Allow", "Action": "execute-api:Invoke",
        "Resource": f"arn:aws:execute-api:*:{ACCOUNT}:*/$default/GET/open/*",
    }  # fmt: skip
    policy = parse_identity_policy(json.dumps({"Statement": statement}))
    platform.policies["AKIDROUTES"] = policy

    def call(path: str, key: str = "AKIDROUTES") -> int:
        request = AWSRequest("GET", f"http://{host}{path}")
        SigV4Auth(Credentials(key, "secret"), "execute-api", REGION).add_auth(request)
        headers = dict(request.headers.items())
        return fetch(platform.port, path, host=host, headers=headers).status

    assert [call("/open/a"), call("/shut/a"), call("/shut/a", "AKIDBOB")] == [200, 403, 200]
    del platform.policies["AKIDROUTES"]


def test_a_policy_denies_a_route_by_its_arn(
    platform: GatewayHarness, route: Callable[..., str]
) -> None:
    """Its callers are judged by the route; the function's policy judges the route."""
    host = route("/{proxy+}")
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:echoing"
    denies = {
        "Effect": "Deny", "Principal": {"Service": "apigateway.amazonaws.com"},
        "Action": "lambda:InvokeFunction", "Resource": arn,
        "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:execute-api:*:*:*/*/GET/shut"}},
    }  # fmt: skip
    policy, client = json.dumps({"Statement": denies}), platform.client()
    client.put_resource_policy(ResourceArn=arn, Policy=policy)
    try:
        got = [fetch(platform.port, path, host=host).status for path in ("/open", "/shut")]
    finally:
        client.delete_resource_policy(ResourceArn=arn)
    assert got == [200, 502]


def test_a_kept_policy_is_judged_for_each_request(
    platform: GatewayHarness, route: Callable[..., str]
) -> None:
    """What lets a caller read `/public` deletes nothing."""
    authorizer = {"function": "letting", "cacheSeconds": 60}
    host = route("/{proxy+}", auth={"type": "authorizer", "authorizer": authorizer})

    def call(method: str, path: str) -> int:
        headers = {"Authorization": "policy"}
        return fetch(platform.port, path, method=method, host=host, headers=headers).status

    assert [call("GET", "/public"), call("DELETE", "/admin")] == [200, 403]


@pytest.mark.parametrize("payload_format", ["1.0", "2.0", "alb"])
@pytest.mark.parametrize(
    ("encoding", "body"),
    [("gzip", gzip.compress(b'{"a": 1}')), ("gzip", b"no gzip"), ("x-own", b"\x00\xff")],
    ids=["gzip", "damaged", "unknown"],
)
def test_a_compressed_body_reaches_the_function_as_it_came(
    platform: GatewayHarness, route: Callable[..., str], payload_format: str, encoding: str,
    body: bytes,
) -> None:  # fmt: skip
    """Byte for byte, with its headers: what an encoding means is the function's own business."""
    host = route("/", payloadFormat=payload_format)
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    got = fetch(platform.port, "/", method="POST", host=host, headers=headers, body=body)
    event = event_of(got)
    sent = {name.lower(): value for name, value in event["headers"].items()}
    assert event["isBase64Encoded"] is True
    assert base64.b64decode(event["body"]) == body
    assert sent["content-encoding"] == encoding
    assert sent["content-length"] == str(len(body))


@pytest.mark.parametrize(
    ("payload_format", "length", "status"),
    [("2.0", 9_000, 200), ("1.0", 9_000, 200), ("2.0", 10_300, 431), ("1.0", 10_300, 431),
     ("alb", 16_000, 200), ("alb", 17_000, 431)],
)  # fmt: skip
def test_how_long_headers_may_be(
    platform: GatewayHarness, route: Callable[..., str], payload_format: str, length: int,
    status: int,
) -> None:  # fmt: skip
    """10,240 bytes in all, as API Gateway; 16 KB a header, as a load balancer."""
    host = route("/", payloadFormat=payload_format)
    got = fetch(platform.port, "/", host=host, headers={"Cookie": "s=" + length * "a"})
    assert (got.status, got.header("content-type")) == (status, "application/json")
    assert got.header("server") == "Pilotlight"
    assert got.json()


@pytest.mark.parametrize(("length", "status"), [(9_000, 200), (10_300, 414), (17_000, 414)])
def test_how_long_a_query_may_be(
    platform: GatewayHarness, route: Callable[..., str], length: int, status: int
) -> None:
    """A longer one is refused in JSON, whoever finds it out."""
    host = route("/")
    got = fetch(platform.port, "/?q=" + length * "a", host=host)
    assert (got.status, got.header("content-type")) == (status, "application/json")
    if status == 200:
        assert event_of(got)["rawQueryString"] == "q=" + length * "a"


def test_an_absolute_target_reaches_its_route(
    platform: GatewayHarness, route: Callable[..., str]
) -> None:
    """RFC 9112, section 3.2.2: a server takes the absolute form in requests."""
    host = route("/a")
    event = event_of(fetch(platform.port, f"http://{host}/a?b=c", host=host))
    assert (event["rawPath"], event["rawQueryString"]) == ("/a", "b=c")
    assert fetch(platform.port, "http://elsewhere.example.com/a", host=host).status == 400


def test_a_route_never_takes_the_platforms_own_host(
    platform: GatewayHarness, route: Callable[..., str]
) -> None:
    """Stored past the API, it is not served; through the API it is refused."""
    host = "api.example.com"
    spec = RouteSpec(host=host, path="/{proxy+}", function="echoing")
    one = Route(metadata=ObjectMeta(name="thief", namespace="default"), spec=spec)
    platform.call(platform.resources.create(one))
    try:
        route("/")  # the gateway has seen what was stored before it
        assert fetch(platform.port, "/-/live", host=host).json() == {"live": True}
        assert fetch(platform.port, "/2015-03-31/functions/", host=host).json()["Functions"]
    finally:
        platform.call(platform.resources.delete(Route, one.key))
    manifest = {
        "apiVersion": "pilotlight.dev/v1alpha1",
        "kind": "Route",
        "metadata": {"name": "thief"},
        "spec": {"host": host, "path": "/", "function": "echoing"},
    }
    status, _, body = platform.post("/-/apply", json.dumps(manifest).encode())
    assert status == 400
    assert "is no host that this account may have" in json.loads(body)["message"]
