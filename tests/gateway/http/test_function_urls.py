"""Function URLs end to end: made by boto3, answered over plain HTTP by host and by path."""

from __future__ import annotations

import base64
import gzip
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from pilotlight.identity_policies import parse_identity_policy
from pilotlight.resources import Function, FunctionUrl, Key
from tests.support.gateway import ACCOUNT, REGION, GatewayHarness
from tests.support.http_client import Response, fetch

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = """
import base64
PLAIN = {"text": "Hello", "list": ["hello", 3, True], "dict": {"hello": "w\\u00f6rld"},
         "float": 3.1, "bool": True, "none": None}
def handler(event, context):
    wanted = event.get("queryStringParameters", {}).get("answer")
    if wanted == "raise":
        raise ValueError("no")
    if wanted == "envelope":
        return {
            "statusCode": 201, "headers": {"X-Own": "1", "Content-Type": "text/plain"},
            "cookies": ["a=1; Path=/", "b=2"], "body": "made",
        }
    if wanted == "base64":
        body = base64.b64encode(bytes(range(256))).decode()
        return {"statusCode": 200, "body": body, "isBase64Encoded": True,
                "headers": {"content-type": "image/png"}}
    if wanted == "malformed":
        return {"statusCode": "many", "body": "x"}
    if wanted in PLAIN:
        return PLAIN[wanted]
    return event
"""


@pytest.fixture(scope="module")
def host(platform: GatewayHarness) -> str:
    """The host of a function URL that anybody may call."""
    platform.create("weburl", SOURCE, Timeout=10)
    config = platform.open_url("weburl")
    name = urlsplit(config["FunctionUrl"]).hostname
    assert name is not None
    _served(platform, name)
    return str(name)


@pytest.fixture
def named(platform: GatewayHarness) -> Iterator[str]:
    """A function without an address, which it loses again."""
    name = f"url-{time.monotonic_ns()}"
    platform.create(name, "def handler(e, c):\n    return 1\n")
    yield name
    platform.client().delete_function(FunctionName=name)


def _served(platform: GatewayHarness, host: str) -> None:
    """The gateway follows the store's watch; wait until it has seen the address."""
    deadline = time.monotonic() + 10
    while fetch(platform.port, "/", host=host).json() == {"Message": None}:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_address_has_lambdas_form(platform: GatewayHarness, named: str) -> None:
    client = platform.client()
    made = client.create_function_url_config(FunctionName=named, AuthType="NONE")
    parts = urlsplit(made["FunctionUrl"])
    label, _, rest = (parts.hostname or "").partition(".")
    assert (len(label), rest) == (32, f"lambda-url.{REGION}.localhost")
    assert parts.port == platform.port
    assert made["FunctionArn"] == f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{named}"
    assert made["InvokeMode"] == "BUFFERED"
    again = client.get_function_url_config(FunctionName=named)
    assert again["FunctionUrl"] == made["FunctionUrl"]
    assert again["CreationTime"] == made["CreationTime"]


def test_update_delete_and_list(platform: GatewayHarness, named: str) -> None:
    client = platform.client()
    made = client.create_function_url_config(FunctionName=named, AuthType="AWS_IAM")
    cors = {"AllowOrigins": ["https://a.example"], "AllowMethods": ["GET"], "MaxAge": 60}
    updated = client.update_function_url_config(FunctionName=named, Cors=cors)
    assert (updated["AuthType"], updated["Cors"]) == ("AWS_IAM", cors)
    assert updated["LastModifiedTime"] > made["CreationTime"]
    listed = client.list_function_url_configs(FunctionName=named)["FunctionUrlConfigs"]
    assert [one["FunctionUrl"] for one in listed] == [made["FunctionUrl"]]
    client.delete_function_url_config(FunctionName=named)
    assert client.list_function_url_configs(FunctionName=named)["FunctionUrlConfigs"] == []


@pytest.mark.parametrize(
    ("operation", "members", "code", "text"),
    [
        ("create", {"AuthType": "SOME"}, "ValidationException", "enum value set: [NONE, AWS_IAM]"),
        ("create", {"AuthType": "NONE", "Cors": {"MaxAge": 86_401}}, "ValidationException",
         "less than or equal to 86400"),
        ("create", {"AuthType": "NONE", "Cors": {"AllowMethods": ["GET"] * 7}},
         "ValidationException", "less than or equal to 6"),
        ("create", {"AuthType": "NONE", "Qualifier": "3"}, "ValidationException", "pattern"),
        ("create", {"AuthType": "NONE", "Qualifier": "nobody"}, "ResourceNotFoundException",
         "nobody"),
        ("create", {"AuthType": "NONE", "InvokeMode": "OTHER"},
         "ValidationException", "enum value set: [BUFFERED, RESPONSE_STREAM]"),
        ("create", {"AuthType": "NONE", "Cors": {"AllowCredentials": True, "AllowOrigins": ["*"]}},
         "InvalidParameterValueException", "origins that are named"),
        ("get", {}, "ResourceNotFoundException", "does not exist"),
        ("update", {"AuthType": "NONE"}, "ResourceNotFoundException", "does not exist"),
        ("delete", {}, "ResourceNotFoundException", "does not exist"),
    ],
)  # fmt: skip
def test_what_is_refused(
    platform: GatewayHarness, named: str, operation: str, members: dict[str, Any], code: str,
    text: str,
) -> None:  # fmt: skip
    client = platform.client(config=Config(parameter_validation=False))
    with pytest.raises(ClientError) as refused:
        getattr(client, f"{operation}_function_url_config")(FunctionName=named, **members)
    assert refused.value.response["Error"]["Code"] == code
    assert text in refused.value.response["Error"]["Message"]


def test_a_second_address_is_a_conflict(platform: GatewayHarness, named: str) -> None:
    client = platform.client()
    client.create_function_url_config(FunctionName=named, AuthType="NONE")
    with pytest.raises(ClientError, match="FunctionUrlConfig exists for this Lambda function"):
        client.create_function_url_config(FunctionName=named, AuthType="NONE")


def test_the_event_is_payload_2(platform: GatewayHarness, host: str) -> None:
    response = fetch(
        platform.port,
        "/a%20b/c?x=1&x=2&y=%C3%A9",
        method="POST",
        host=f"{host}:{platform.port}",
        headers=[
            ("Content-Type", "application/json"), ("Cookie", "k=v; l=w"), ("X-Two", "1"),
            ("X-Two", "2"), ("User-Agent", "test"),
        ],
        body=b'{"a":1}',
    )  # fmt: skip
    event = response.json()
    assert (response.status, response.header("content-type")) == (200, "application/json")
    assert (event["version"], event["routeKey"]) == ("2.0", "$default")
    assert (event["rawPath"], event["rawQueryString"]) == ("/a%20b/c", "x=1&x=2&y=%C3%A9")
    assert event["queryStringParameters"] == {"x": "1,2", "y": "é"}
    assert event["cookies"] == ["k=v", "l=w"]
    assert event["headers"]["x-two"] == "1,2"
    assert "cookie" not in event["headers"]
    assert (event["body"], event["isBase64Encoded"]) == ('{"a":1}', False)
    context = event["requestContext"]
    assert context["accountId"] == "anonymous"
    assert context["http"]["path"] == "/a b/c"
    assert context["http"]["userAgent"] == "test"
    assert context["domainName"] == host
    assert context["requestId"] == response.header("x-amzn-requestid")
    assert event["headers"]["x-forwarded-for"] == "127.0.0.1"


def test_binary_comes_and_goes_as_base64(platform: GatewayHarness, host: str) -> None:
    sent = fetch(platform.port, "/", method="POST", host=host, body=b"\xff\x00").json()
    assert (sent["isBase64Encoded"], base64.b64decode(sent["body"])) == (True, b"\xff\x00")
    got = fetch(platform.port, "/?answer=base64", host=host)
    assert (got.header("content-type"), got.body) == ("image/png", bytes(range(256)))


def test_an_envelope_says_status_headers_and_cookies(platform: GatewayHarness, host: str) -> None:
    got = fetch(platform.port, "/?answer=envelope", host=host)
    assert (got.status, got.body, got.header("x-own")) == (201, b"made", "1")
    assert got.all_of("content-type") == ["text/plain"]
    assert got.all_of("set-cookie") == ["a=1; Path=/", "b=2"]


@pytest.mark.parametrize(
    ("query", "status", "body"),
    [
        ("text", 200, b"Hello"),
        ("raise", 502, b"Internal Server Error"),
        ("malformed", 502, b"Internal Server Error"),
    ],
)
def test_other_answers(
    platform: GatewayHarness, host: str, query: str, status: int, body: bytes
) -> None:
    got = fetch(platform.port, f"/?answer={query}", host=host)
    assert (got.status, got.body) == (status, body)


def test_the_path_form_leads_to_the_same_function(platform: GatewayHarness, host: str) -> None:
    event = fetch(platform.port, f"/-/fn/{ACCOUNT}/weburl/deep/path?a=b").json()
    assert (event["rawPath"], event["rawQueryString"]) == ("/deep/path", "a=b")
    assert event["requestContext"]["apiId"] == host.partition(".")[0]
    assert fetch(platform.port, f"/-/fn/{ACCOUNT}/weburl").json()["rawPath"] == "/"


@pytest.mark.parametrize(
    ("target", "host"),
    [
        ("/", f"{'a' * 32}.lambda-url.{REGION}.localhost"),
        (f"/-/fn/{ACCOUNT}/nobody/", None),
        ("/-/fn/999999999999/weburl/", None),
        ("/-/fn/", None),
    ],
)
def test_an_unknown_address_is_forbidden(
    platform: GatewayHarness, target: str, host: str | None
) -> None:
    got = fetch(platform.port, target, host=host)
    assert (got.status, got.json()) == (403, {"Message": None})
    assert got.header("x-amzn-errortype") == "AccessDeniedException"


def test_the_address_says_https_where_tls_ends_before_the_gateway(
    platform: GatewayHarness, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And so does where a package is read."""
    services = platform.gateway.services
    behind_tls = replace(services, settings=replace(services.settings, scheme="https"))
    monkeypatch.setattr(platform.gateway._clients, "_services", behind_tls)
    client = platform.client()
    made = client.create_function_url_config(FunctionName=named, AuthType="NONE")
    assert made["FunctionUrl"].startswith("https://")
    assert client.get_function(FunctionName=named)["Code"]["Location"].startswith("https://")


def test_a_throttle_is_429(platform: GatewayHarness, named: str) -> None:
    client = platform.client()
    config = platform.open_url(named)
    host = urlsplit(config["FunctionUrl"]).hostname or ""
    _served(platform, host)
    client.put_function_concurrency(FunctionName=named, ReservedConcurrentExecutions=0)
    assert _until(platform, host, 429).header("retry-after")


def _until(platform: GatewayHarness, host: str, status: int) -> Response:
    """The cap is followed by a watch, too."""
    deadline = time.monotonic() + 10
    while (got := fetch(platform.port, "/", host=host)).status != status:
        assert time.monotonic() < deadline, got
        time.sleep(0.01)
    return got


def test_only_who_signs_may_call_with_iam(platform: GatewayHarness, named: str) -> None:
    config = platform.client().create_function_url_config(FunctionName=named, AuthType="AWS_IAM")
    url = config["FunctionUrl"]
    host = urlsplit(url).netloc
    _served(platform, host)
    refused = fetch(platform.port, "/", host=host)
    assert refused.status == 403
    assert "urls-auth.html" in refused.json()["Message"]
    assert fetch(platform.port, "/", host=host, headers=_signed(url, ACCOUNT)).body == b"1"
    assert fetch(platform.port, "/", host=host, headers=_signed(url, "111122223333")).status == 403
    other = _signed(url, ACCOUNT, service="sqs")
    assert fetch(platform.port, "/", host=host, headers=other).status == 403


def test_a_key_calls_an_address_where_its_policy_lets_it(
    platform: GatewayHarness, named: str
) -> None:
    """Who may only invoke may not: an address is an action of its own, beside the invocation."""
    config = platform.client().create_function_url_config(FunctionName=named, AuthType="AWS_IAM")
    url = config["FunctionUrl"]
    host = urlsplit(url).netloc
    _served(platform, host)
    signed = _signed(url, "AKIDLIMITED")
    expected = {
        '"lambda:InvokeFunction"': 403,
        '"lambda:InvokeFunctionUrl"': 403,
        '["lambda:InvokeFunction", "lambda:InvokeFunctionUrl"]': 200,
    }
    for actions, status in expected.items():
        arn = f"arn:aws:lambda:*:*:function:{named}"
        statement = f'{{"Effect": "Allow", "Action": {actions}, "Resource": "{arn}"}}'
        policy = parse_identity_policy(f'{{"Statement": {statement}}}')
        platform.policies["AKIDLIMITED"] = policy
        assert fetch(platform.port, "/", host=host, headers=signed).status == status
    del platform.policies["AKIDLIMITED"]


def _signed(url: str, key: str, service: str = "lambda") -> dict[str, str]:
    request = AWSRequest("GET", url)
    SigV4Auth(Credentials(key, "secret"), service, REGION).add_auth(request)
    return dict(request.headers.items())


def test_without_credentials_only_who_the_policy_allows_may_call(
    platform: GatewayHarness, named: str
) -> None:
    """Both actions are needed, and a statement that denies goes before all that allow."""
    client = platform.client()
    config = client.create_function_url_config(FunctionName=named, AuthType="NONE")
    host = urlsplit(config["FunctionUrl"]).hostname or ""
    _served(platform, host)
    refused = fetch(platform.port, "/", host=host)
    assert refused.status == 403
    assert "urls-auth.html" in refused.json()["Message"]
    of = {"FunctionName": named, "Principal": "*"}
    client.add_permission(
        **of, StatementId="url", Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE"
    )
    assert fetch(platform.port, "/", host=host).status == 403
    client.add_permission(
        **of, StatementId="invoke", Action="lambda:InvokeFunction", InvokedViaFunctionUrl=True
    )
    _until(platform, host, 200)
    arn = client.get_function(FunctionName=named)["Configuration"]["FunctionArn"]
    policy = json.loads(client.get_policy(FunctionName=named)["Policy"])
    policy["Statement"].append(
        {
            "Sid": "nobody-from-here",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "lambda:*",
            "Resource": arn,
            "Condition": {"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}},
        }
    )
    client.put_resource_policy(ResourceArn=arn, Policy=json.dumps(policy))
    _until(platform, host, 403)
    client.delete_resource_policy(ResourceArn=arn)  # who is denied all deletes nothing else


def test_an_address_that_a_manifest_opens_is_open(platform: GatewayHarness, named: str) -> None:
    """Who applies it decides, without a statement that says so again."""
    key = Key("default", named)
    found = platform.call(platform.resources.get(Function, key))
    spec = found.spec.model_copy(update={"url": FunctionUrl(auth_type="NONE")})
    platform.call(platform.cache.resources.replace(found.model_copy(update={"spec": spec})))
    url = platform.client().get_function_url_config(FunctionName=named)["FunctionUrl"]
    _until(platform, urlsplit(url).hostname or "", 200)


def test_another_account_calls_with_iam_where_the_policy_allows(
    platform: GatewayHarness, named: str
) -> None:
    client = platform.client()
    config = client.create_function_url_config(FunctionName=named, AuthType="AWS_IAM")
    host = urlsplit(config["FunctionUrl"]).netloc
    _served(platform, host)
    signed = _signed(config["FunctionUrl"], "111122223333")
    assert fetch(platform.port, "/", host=host, headers=signed).status == 403
    for action in ("InvokeFunctionUrl", "InvokeFunction"):
        client.add_permission(
            FunctionName=named,
            StatementId=action,
            Action=f"lambda:{action}",
            Principal="111122223333",
        )
    deadline = time.monotonic() + 10
    while fetch(platform.port, "/", host=host, headers=signed).status != 200:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_alias_has_an_address_of_its_own(platform: GatewayHarness, named: str) -> None:
    client = platform.client()
    version = client.publish_version(FunctionName=named)["Version"]
    client.create_alias(FunctionName=named, Name="prod", FunctionVersion=version)
    config = platform.open_url(named, Qualifier="prod")
    assert config["FunctionArn"].endswith(f":{named}:prod")
    host = urlsplit(config["FunctionUrl"]).hostname or ""
    _served(platform, host)
    assert fetch(platform.port, "/", host=host).body == b"1"
    assert fetch(platform.port, f"/-/fn/{ACCOUNT}/{named}:prod/").body == b"1"
    listed = client.list_function_url_configs(FunctionName=named)["FunctionUrlConfigs"]
    assert [one["FunctionArn"] for one in listed] == [config["FunctionArn"]]


def test_the_gateway_answers_a_preflight_by_the_rules(platform: GatewayHarness, named: str) -> None:
    client = platform.client()
    rules = {"AllowOrigins": ["https://a.example"], "AllowMethods": ["PUT"], "MaxAge": 5}
    config = client.create_function_url_config(FunctionName=named, AuthType="AWS_IAM", Cors=rules)
    host = urlsplit(config["FunctionUrl"]).hostname or ""
    _served(platform, host)
    asked = {"Origin": "https://a.example", "Access-Control-Request-Method": "PUT"}
    got = fetch(platform.port, "/", method="OPTIONS", host=host, headers=asked)
    assert (got.status, got.header("access-control-allow-methods")) == (204, "PUT")
    assert got.header("access-control-max-age") == "5"
    refused = fetch(platform.port, "/", host=host, headers={"Origin": "https://a.example"})
    assert (refused.status, refused.header("access-control-allow-origin")) == (
        403, "https://a.example",
    )  # fmt: skip


def test_the_lambda_api_is_where_it_was(platform: GatewayHarness, host: str) -> None:
    assert host
    answer = platform.client().invoke(FunctionName="weburl", Payload=json.dumps({"plain": 1}))
    assert json.load(answer["Payload"]) == {"plain": 1}


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        ("text", b"Hello"),
        ("list", b'["hello",3,true]'),
        ("dict", '{"hello":"wörld"}'.encode()),
        ("float", b"3.1"),
        ("bool", b"true"),
        ("none", b"null"),
    ],
)
def test_an_answer_that_is_no_envelope(
    platform: GatewayHarness, host: str, answer: str, body: bytes
) -> None:
    """A text is answered without its quotes, other JSON is written anew without spaces."""
    got = fetch(platform.port, f"/?answer={answer}", host=host)
    assert (got.status, got.header("content-type"), got.body) == (200, "application/json", body)


def test_a_compressed_body_of_an_address_by_path(platform: GatewayHarness, host: str) -> None:
    """By either form of the address, with either form of the target, a body stays as it came."""
    body = gzip.compress(b'{"a": 1}')
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    target = f"{platform.url}/-/fn/{ACCOUNT}/weburl/x"
    for path, by in ((target, None), ("/x", host)):
        got = fetch(platform.port, path, method="POST", host=by, headers=headers, body=body)
        event = got.json()
        assert (event["rawPath"], base64.b64decode(event["body"])) == ("/x", body)


@pytest.mark.parametrize("path", ["/a/../b", "/%2e%2e/b", "/."])
def test_dot_segments_are_refused(platform: GatewayHarness, host: str, path: str) -> None:
    """A function reads no path that leads out of another one."""
    assert fetch(platform.port, path, host=host).status == 400
    assert fetch(platform.port, f"/-/fn/{ACCOUNT}/weburl{path}").status == 400
