"""Functions that isolate tenants, end to end: whose environments are whose, and who says so."""

from __future__ import annotations

import http.client
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from pilotlight.agent.token import pod_token
from pilotlight_gateway.event_queue.interface import FunctionKey
from pilotlight_wire.protocol import Header, Path
from tests.support.gateway import ACCOUNT, KEY, GatewayHarness, wait_for

if TYPE_CHECKING:
    from pilotlight.claims import Lease

WHOSE = """
import logging, os
seen = []

def handler(event, context):
    seen.append(context.tenant_id)
    logging.getLogger().warning("called")
    if isinstance(event, dict) and event.get("fail"):
        raise ValueError("as asked")
    return {"tenant": context.tenant_id, "seen": seen, "pid": os.getpid()}
"""
TENANCY = {"TenantIsolationMode": "PER_TENANT"}
MISSING = (
    "The invoked function is enabled with tenancy configuration. Add a valid tenant ID in your "
    "request and try again."
)
UNEXPECTED = (
    "The invoked function is not enabled with tenancy configuration. Remove the tenant ID from "
    "your request and try again."
)


@pytest.fixture(scope="module")
def shared(platform: GatewayHarness) -> str:
    """A function that says whose invocations it has seen, and logs in JSON."""
    logging = {"LogFormat": "JSON"}
    platform.create(
        "tenants-shared", WHOSE, Timeout=10, TenancyConfig=TENANCY, LoggingConfig=logging
    )
    return "tenants-shared"


def call(platform: GatewayHarness, name: str, tenant: str, **options: Any) -> dict[str, Any]:
    answer = platform.client().invoke(FunctionName=name, TenantId=tenant, **options)
    assert "FunctionError" not in answer
    found: dict[str, Any] = json.load(answer["Payload"])
    return found


def refused(platform: GatewayHarness, operation: str, **request: Any) -> str:
    """Return what an operation is refused with, which is a mistake of its caller's."""
    with pytest.raises(ClientError) as caught:
        getattr(platform.client(), operation)(**request)
    response: Any = caught.value.response
    assert response["Error"]["Code"] == "InvalidParameterValueException"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return str(response["Error"]["Message"])


def test_each_tenant_has_environments_of_its_own(platform: GatewayHarness, shared: str) -> None:
    """A warm one is its tenant's, whoever calls next; ids may have all of Lambda's characters."""
    odd = "a b/c:d=e+f@g-h_i.J9"
    first = [call(platform, shared, tenant) for tenant in ("red", odd, "red", odd)]
    assert [one["tenant"] for one in first] == ["red", odd, "red", odd]
    assert first[2]["seen"] == ["red", "red"]
    assert first[3]["seen"] == [odd, odd]
    assert first[0]["pid"] == first[2]["pid"] != first[1]["pid"] == first[3]["pid"]


def test_a_stream_is_a_tenants_too(platform: GatewayHarness, shared: str) -> None:
    answer = platform.client().invoke_with_response_stream(FunctionName=shared, TenantId="stream")
    body = b"".join(
        one["PayloadChunk"]["Payload"] for one in answer["EventStream"] if "PayloadChunk" in one
    )
    assert json.loads(body)["seen"] == ["stream"]


@pytest.mark.parametrize("kind", ["RequestResponse", "Event", "DryRun"])
def test_who_names_no_tenant_is_refused(platform: GatewayHarness, shared: str, kind: str) -> None:
    """In Lambda's words, and nothing is queued."""
    said = refused(platform, "invoke", FunctionName=shared, InvocationType=kind)
    assert said == MISSING


@pytest.mark.parametrize("kind", ["RequestResponse", "Event", "DryRun"])
def test_who_names_a_tenant_where_there_are_none_is_refused(
    platform: GatewayHarness, kind: str
) -> None:
    if "tenants-plain" not in platform.gateway.services.catalogue.of("default"):
        platform.create("tenants-plain", WHOSE)
    said = refused(
        platform, "invoke", FunctionName="tenants-plain", TenantId="red", InvocationType=kind
    )
    assert said == UNEXPECTED


@pytest.mark.parametrize(
    ("tenant", "constraint"),
    [
        ("a!b", "Member must satisfy regular expression pattern: [a-zA-Z0-9\\._:\\/=+\\-@ ]+"),
        ("x" * 257, "Member must have length less than or equal to 256"),
    ],
)
def test_a_tenant_id_is_checked_by_the_model(
    platform: GatewayHarness, shared: str, tenant: str, constraint: str
) -> None:
    path = f"/2015-03-31/functions/{shared}/invocations"
    status, headers, body = platform.post(path, b"{}", {"X-Amz-Tenant-Id": tenant})
    assert (status, headers["x-amzn-ErrorType"]) == (400, "ValidationException")
    assert json.loads(body)["message"] == (
        f"1 validation error detected: Value '{tenant}' at 'tenantId' failed to satisfy "
        f"constraint: {constraint}"
    )


def test_an_event_stays_its_tenants_through_retries(platform: GatewayHarness) -> None:
    """Its function fails it once, and its dead letter and what is kept of it say whose it is."""
    platform.create("tenants-events", WHOSE, Timeout=10, TenancyConfig=TENANCY)
    client = platform.client()
    client.put_function_event_invoke_config(FunctionName="tenants-events", MaximumRetryAttempts=0)
    accepted = client.invoke(
        FunctionName="tenants-events",
        TenantId="blue",
        InvocationType="Event",
        Payload=b'{"fail":true}',
    )
    assert accepted["Payload"].read() == b""
    deadline = time.monotonic() + 20
    letters: list[Any] = []
    while not letters and time.monotonic() < deadline:
        letters = platform.call(
            platform.events.dead_letters(FunctionKey("default", "tenants-events"), limit=1)
        )
    assert letters[0].event.tenant_id == "blue"
    assert call(platform, "tenants-events", "blue")["seen"] == ["blue", "blue"]


def test_logs_in_json_say_whose_they_are(platform: GatewayHarness, shared: str) -> None:
    """The platform's records and the function's own lines (AWS Lambda Developer Guide)."""
    answer = platform.client().invoke(FunctionName=shared, TenantId="logged")
    answer["Payload"].read()
    request_id = answer["ResponseMetadata"]["RequestId"]
    found: list[Any] = []
    deadline = time.monotonic() + 20
    while len(found) < 3 and time.monotonic() < deadline:
        found = [
            json.loads(one.message) for one in platform.logs.lines if one.request_id == request_id
        ]
    start, own, report = found
    assert start["type"] == "platform.start"
    assert report["type"] == "platform.report"
    assert start["record"]["tenantId"] == report["record"]["tenantId"] == "logged"
    assert (own["message"], own["tenantId"]) == ("called", "logged")


def test_what_has_no_tenant_does_not_go_with_it(platform: GatewayHarness, shared: str) -> None:
    """What AWS does not combine with tenant isolation is refused."""
    client = platform.client()
    version = client.publish_version(FunctionName=shared)["Version"]
    assert (
        client.get_function_configuration(FunctionName=shared, Qualifier=version)["TenancyConfig"]
        == TENANCY
    )
    ending = "is not supported for functions with tenant isolation: tenants-shared"
    queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:queue"
    for operation, request in (
        ("put_provisioned_concurrency_config",
         {"Qualifier": version, "ProvisionedConcurrentExecutions": 1}),
        ("create_function_url_config", {"AuthType": "NONE"}),
        ("create_event_source_mapping", {"EventSourceArn": queue}),
    ):  # fmt: skip
        said = refused(platform, operation, FunctionName=shared, **request)
        assert said.endswith(ending), operation


def test_it_is_said_and_cannot_be_changed(platform: GatewayHarness, shared: str) -> None:
    """UpdateFunctionConfiguration has no such member; an update of others leaves it."""
    client = platform.client()
    changed = client.update_function_configuration(FunctionName=shared, Description="other")
    assert changed["TenancyConfig"] == TENANCY
    wait_for(client, "function_updated_v2", FunctionName=shared)
    assert client.get_function(FunctionName=shared)["Configuration"]["TenancyConfig"] == TENANCY
    assert call(platform, shared, "late")["seen"] == ["late"]


def test_an_idle_environment_of_another_tenant_makes_room(platform: GatewayHarness) -> None:
    """One may be: the next tenant's call ends it, and never uses it."""
    platform.create("tenants-narrow", WHOSE, TenancyConfig=TENANCY)
    platform.client().put_function_concurrency(
        FunctionName="tenants-narrow", ReservedConcurrentExecutions=1
    )
    seen = [call(platform, "tenants-narrow", tenant)["seen"] for tenant in ("red", "blue", "red")]
    assert seen == [["red"], ["blue"], ["red"]]


def test_an_agent_refuses_another_tenants_invocation(platform: GatewayHarness) -> None:
    """Should a gateway ever be wrong: before the runtime has seen a byte."""
    platform.create("tenants-guarded", WHOSE, TenancyConfig=TENANCY)
    assert call(platform, "tenants-guarded", "red")["seen"] == ["red"]
    lease = _lease(platform, "tenants-guarded")
    for tenant in ("blue", ""):
        status, body = _invoke_agent(lease, tenant)
        assert (status, body["code"], body["retryable"]) == (409, "WrongTenant", True)
    assert call(platform, "tenants-guarded", "red")["seen"] == ["red", "red"]


def test_tenants_are_counted_without_a_series_for_each(platform: GatewayHarness) -> None:
    platform.create("tenants-counted", WHOSE, TenancyConfig=TENANCY)
    for tenant in ("red", "blue", "red"):
        call(platform, "tenants-counted", tenant)
    platform.autoscaler.measure()
    registry = platform.autoscaler.metrics.registry
    labels = {"namespace": "default", "function": "tenants-counted"}
    assert registry.get_sample_value("pilotlight_tenants", labels) == 2


def _lease(platform: GatewayHarness, name: str) -> Lease:
    held = platform.gateway.services.dispatcher.held()
    return next(one for one in held if one.revision.function == name)


def _invoke_agent(lease: Lease, tenant: str) -> tuple[int, Any]:
    """Invoke past the gateway, as one would that has taken the lease for another tenant's."""
    headers = {
        "Authorization": f"Bearer {pod_token(KEY, lease.pod)}",
        Header.ENVIRONMENT: lease.environment, Header.LEASE: f"local/{lease.epoch}",
        Header.REQUEST_ID: "r", Header.DEADLINE_MS: "0",
    } | ({Header.TENANT_ID: tenant} if tenant else {})  # fmt: skip
    connection = http.client.HTTPConnection("127.0.0.1", lease.port, timeout=10)
    try:
        connection.request("POST", Path.INVOKE, b"{}", headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()
