"""Who a caller is, as tools ask before anything else."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from pilotlight.accounts import Accounts
from pilotlight.cache import Cache
from pilotlight.function_credentials import LIFETIME, issue, read
from pilotlight.identity_policies import parse_identity_policy
from pilotlight.names import ACCOUNT_LABEL
from pilotlight.resources import Code, Function, FunctionSpec, Namespace, ObjectMeta
from pilotlight_gateway.apis.sts.assume_role import read_seconds
from pilotlight_gateway.auth.caller import Caller
from pilotlight_gateway.auth.function_keys import MAY_INVOKE, FunctionKeys
from pilotlight_gateway.errors import ExpiredTokenError, ValidationError
from tests.support.gateway import ACCOUNT, KEY, REGION, GatewayHarness
from tests.support.memory import MemoryResources

if TYPE_CHECKING:
    from collections.abc import Iterator


SOURCE = "def handler(event, context):\n    return 1\n"


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayHarness]:
    made = GatewayHarness(tmp_path_factory.mktemp("pods"))
    yield made
    made.close()


@contextmanager
def client(harness: GatewayHarness, key: str) -> Iterator[Any]:
    """Lend a client with an access key."""
    made = boto3.client(
        "sts",
        endpoint_url=harness.url,
        region_name=REGION,
        aws_access_key_id=key,
        aws_secret_access_key="test",
    )
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def sts(harness: GatewayHarness) -> Iterator[Any]:
    with client(harness, "test") as made:
        yield made


def role(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def refused(sts: Any, **request: Any) -> tuple[str, str]:
    """Return code and message of an AssumeRole that is refused."""
    with pytest.raises(ClientError) as caught:
        sts.assume_role(**request)
    error: Any = caught.value.response["Error"]
    return str(error["Code"]), str(error["Message"])


def test_a_caller_learns_who_it_is(sts: Any) -> None:
    identity = sts.get_caller_identity()
    assert identity["Account"] == ACCOUNT
    assert identity["Arn"].startswith(f"arn:aws:iam::{ACCOUNT}:user/")
    assert identity["UserId"]


def test_other_actions_are_refused_by_name(sts: Any) -> None:
    with pytest.raises(ClientError, match=r"'GetSessionToken' of STS is not supported"):
        sts.get_session_token()


def test_a_functions_role_is_assumed(sts: Any, harness: GatewayHarness) -> None:
    """The credentials are the function's own, as any gateway derives them, for as long as asked."""
    harness.create("alone", SOURCE, Role=role("alone"))
    before = int(time.time())
    answer = sts.assume_role(RoleArn=role("alone"), RoleSessionName="any", DurationSeconds=900)
    given = answer["Credentials"]
    found = read(KEY, given["SessionToken"])
    assert (found.access_key, found.secret_key) == (given["AccessKeyId"], given["SecretAccessKey"])
    assert (found.identity.function, found.identity.account) == ("alone", ACCOUNT)
    assert before + 900 <= found.identity.expires <= time.time() + 900
    assert abs(given["Expiration"].timestamp() - found.identity.expires) <= 1
    assert answer["AssumedRoleUser"]["Arn"] == Caller(ACCOUNT, "default", "", "alone").arn
    assert answer["AssumedRoleUser"]["AssumedRoleId"].endswith(":any")


def test_of_several_functions_the_session_names_one(sts: Any, harness: GatewayHarness) -> None:
    """As on AWS, where sessions of functions have their names; otherwise it is nobody's."""
    for name in ("first", "second"):
        harness.create(name, SOURCE, Role=role("both"))
    answer = sts.assume_role(RoleArn=role("both"), RoleSessionName="second")
    assert read(KEY, answer["Credentials"]["SessionToken"]).identity.function == "second"
    assert refused(sts, RoleArn=role("both"), RoleSessionName="third")[0] == "AccessDenied"


@pytest.mark.parametrize("of", [ACCOUNT, "999999999999"])
def test_a_role_that_no_function_has_is_denied_in_sts_words(sts: Any, of: str) -> None:
    """Another account's, too, whatever it has."""
    arn = f"arn:aws:iam::{of}:role/nobodys"
    code, message = refused(sts, RoleArn=arn, RoleSessionName="any")
    assert code == "AccessDenied"
    assert f"is not authorized to perform: sts:AssumeRole on resource: {arn}" in message


def test_a_keys_policy_is_asked(harness: GatewayHarness) -> None:
    """Who may not assume a role gets no more by one: functions' own credentials may not either."""
    harness.create("guarded", SOURCE, Role=role("guarded"))
    harness.policies["logs"] = parse_identity_policy(
        '{"Statement": {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}}'
    )
    harness.policies["function"] = MAY_INVOKE
    harness.policies["role"] = parse_identity_policy(
        '{"Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "'
        + role("guarded") + '"}}'
    )  # fmt: skip
    request = {"RoleArn": role("guarded"), "RoleSessionName": "any"}
    for key in ("logs", "function"):
        with client(harness, key) as denied:
            assert refused(denied, **request)[0] == "AccessDenied"
            assert denied.get_caller_identity()["Account"] == ACCOUNT
    with client(harness, "role") as allowed:
        assert allowed.assume_role(**request)["Credentials"]["SessionToken"]


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"DurationSeconds": 900, "Policy": "{}"}, "Policy of AssumeRole is not supported"),
        ({"DurationSeconds": 43_201}, "'durationSeconds' failed to satisfy constraint"),
        ({"RoleArn": "arn:aws:iam::1:role/short-id"}, "at 'roleArn' failed to satisfy constraint"),
    ],
)
def test_what_is_asked_wrongly_is_said(sts: Any, request_: dict[str, Any], said: str) -> None:
    """And nothing is taken without effect."""
    whole = {"RoleArn": role("nobodys"), "RoleSessionName": "any"} | request_
    assert said in refused(sts, **whole)[1]


@pytest.mark.parametrize(
    "text", ["", "899", "43201", "0000009001234567", "000003600999", "9" * 5000, "-900", "٩٠٠"]
)
def test_a_duration_is_what_it_says(text: str) -> None:
    """However it is written; what is checked is what is granted."""
    with pytest.raises(ValidationError, match="'durationSeconds'"):
        read_seconds(text)
    assert read_seconds("00900") == 900


async def test_credentials_for_longer_than_any_is_issued_for_are_none() -> None:
    """Should an issuer ever be wrong: nothing else ends them."""
    cache = Cache(MemoryResources(), Namespace, Function)
    labels = {ACCOUNT_LABEL: ACCOUNT}
    await cache.resources.create(Namespace(metadata=ObjectMeta(name="default", labels=labels)))
    spec = FunctionSpec(
        function_name="fn", runtime="python3.13", handler="a.b", code=Code(inline="x")
    )
    await cache.resources.create(
        Function(metadata=ObjectMeta(name="fn", namespace="default"), spec=spec)
    )
    cache.mark_synced(Namespace, Function)
    keys = FunctionKeys(cache, Accounts(cache), b"key")
    for seconds, good in ((LIFETIME, True), (LIFETIME + 3600, False)):
        issued = issue(b"key", namespace="default", account=ACCOUNT, function="fn", seconds=seconds)
        finding = keys.find(issued.access_key, issued.session_token)
        if good:
            assert await finding is not None
        else:
            with pytest.raises(ExpiredTokenError):
                await finding
