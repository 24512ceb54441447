"""Who may do what: a key's own policy, a function's policy, and both for another account.

Two accounts by boto3 and by plain requests: what is denied is denied by both servers, and an
account that is let do nothing learns nothing, not even which functions there are.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from pilotlight.identity_policies import parse_identity_policy
from pilotlight.names import ACCOUNT_LABEL
from pilotlight.resources import (
    EventSourceMapping,
    EventSourceMappingSpec,
    Namespace,
    ObjectMeta,
)
from pilotlight_gateway.apis.lambda_.model import load_model
from pilotlight_gateway.apis.lambda_.table import LAMBDA
from tests.support.gateway import ACCOUNT, REGION, package, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.gateway import GatewayHarness

NAME, OTHER, LIMITED = "guarded", "222222222222", "AKIDLIMITED"
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{NAME}"
WHO = f"arn:aws:iam::{OTHER}:user/{OTHER}"
INVOKE = "lambda:InvokeFunction"
SOURCE = "def handler(event, context):\n    return context.invoked_function_arn\n"


@pytest.fixture(scope="module", autouse=True)
def _function(platform: GatewayHarness) -> None:
    platform.create(NAME, SOURCE)
    client = platform.client()
    client.publish_version(FunctionName=NAME)
    client.create_alias(FunctionName=NAME, Name="live", FunctionVersion="1")


@pytest.fixture
def owner(platform: GatewayHarness) -> Iterator[Any]:
    """The function's own account, whose policies end with the test."""
    client = platform.client()
    yield client
    for arn in (ARN, f"{ARN}:1", f"{ARN}:live"):
        try:
            client.delete_resource_policy(ResourceArn=arn)
        except client.exceptions.ResourceNotFoundException:
            continue
    platform.policies.clear()


@pytest.fixture(scope="module")
def other(platform: GatewayHarness) -> Any:
    """Another account, which may do everything of its own."""
    return platform.client(OTHER)


def limited(platform: GatewayHarness, *statements: dict[str, Any], key: str = LIMITED) -> Any:
    """Make a client whose key has a policy."""
    policy = json.dumps({"Statement": list(statements)})
    platform.policies[key] = parse_identity_policy(policy)
    return platform.client(key)


def statement(action: str = INVOKE, resource: str = "*", effect: str = "Allow") -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource}


def allow(owner: Any, action: str = INVOKE, **members: str) -> None:
    owner.add_permission(
        **{"FunctionName": NAME, "StatementId": "a", "Action": action, "Principal": OTHER} | members
    )


def deny(owner: Any, resource: str = ARN, **members: Any) -> None:
    denies = {"Effect": "Deny", "Principal": "*", "Action": INVOKE, "Resource": resource}
    document = {"Version": "2012-10-17", "Statement": [denies | members]}
    owner.put_resource_policy(ResourceArn=resource, Policy=json.dumps(document))


def refused(call: Any, **arguments: Any) -> str:
    """Return what a refusal says."""
    with pytest.raises(ClientError) as error:
        call(**arguments)
    response = error.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 403, response
    assert response["Error"]["Code"] == "AccessDeniedException"
    return str(response["Error"]["Message"])


def test_another_account_calls_what_a_statement_allows(owner: Any, other: Any) -> None:
    """In Lambda's words before and after; by its ARN, whole or partial, and by no name."""
    said = refused(other.invoke, FunctionName=ARN)
    assert said == (
        f"User: {WHO} is not authorized to perform: {INVOKE} on resource: {ARN} because no "
        f"resource-based policy allows the {INVOKE} action"
    )
    allow(owner)
    for name in (ARN, f"{ACCOUNT}:function:{NAME}"):
        answer = other.invoke(FunctionName=name)
        assert json.load(answer["Payload"]) == ARN
    assert other.invoke(FunctionName=ARN, InvocationType="DryRun")["StatusCode"] == 204
    assert other.invoke(FunctionName=ARN, InvocationType="Event")["StatusCode"] == 202
    assert other.invoke_async(FunctionName=ARN, InvokeArgs=b"{}")["Status"] == 202
    streamed = other.invoke_with_response_stream(FunctionName=ARN)["EventStream"]
    assert f'"{ARN}"'.encode() in [one.get("PayloadChunk", {}).get("Payload") for one in streamed]
    with pytest.raises(other.exceptions.ResourceNotFoundException):
        other.invoke(FunctionName=NAME)


def test_a_policy_is_of_what_was_named(owner: Any, other: Any) -> None:
    """An alias' statement lets nobody call the function, nor the version that it means."""
    allow(owner, Qualifier="live")
    assert json.load(other.invoke(FunctionName=f"{ARN}:live")["Payload"]) == f"{ARN}:live"
    for arn in (ARN, f"{ARN}:1", f"{ARN}:$LATEST", f"{ARN}:none"):
        assert f"resource: {arn} because" in refused(other.invoke, FunctionName=arn)


def test_who_may_do_all_with_an_alias_has_no_other(
    owner: Any, other: Any, platform: GatewayHarness
) -> None:
    """Operations to which the qualifier says nothing are the whole function's."""
    allow(owner, "lambda:*", Qualifier="live")
    own = limited(platform, statement("lambda:*", f"{ARN}:live"))
    for client, why in ((other, "no resource-based"), (own, "no identity-based")):
        assert client.get_function(FunctionName=f"{ARN}:live")
        for call, members in (
            (client.get_alias, {"Name": "live"}),
            (client.update_alias, {"Name": "live", "Description": "mine"}),
            (client.delete_alias, {"Name": "none"}),
            (client.create_alias, {"Name": "more", "FunctionVersion": "1"}),
            (client.list_aliases, {}),
            (client.list_versions_by_function, {}),
            (client.list_function_event_invoke_configs, {}),
            (client.list_provisioned_concurrency_configs, {}),
        ):
            said = refused(call, FunctionName=f"{ARN}:live", **members)
            assert f"on resource: {ARN} because {why}" in said


def test_a_deny_stops_everybody(owner: Any, other: Any) -> None:
    """Also the function's own account, and by the longer name of the same function."""
    allow(owner)
    allowed = json.loads(owner.get_policy(FunctionName=NAME)["Policy"])["Statement"]
    denies = {
        "Sid": "d", "Effect": "Deny", "Principal": "*", "Action": "lambda:Invoke*", "Resource": ARN,
    }  # fmt: skip
    policy = {"Version": "2012-10-17", "Statement": [*allowed, denies]}
    owner.put_resource_policy(ResourceArn=ARN, Policy=json.dumps(policy))
    for client in (owner, other):
        for name in (ARN, f"{ARN}:$LATEST"):
            said = refused(client.invoke, FunctionName=name)
            assert said.endswith(f"{name} with an explicit deny in a resource-based policy")
        assert "explicit deny" in refused(client.invoke_with_response_stream, FunctionName=ARN)
    assert owner.invoke(FunctionName=NAME, Qualifier="live")["StatusCode"] == 200
    assert owner.get_function(FunctionName=NAME)["Configuration"]["FunctionName"] == NAME


def test_an_account_takes_back_what_it_has_denied_itself(
    owner: Any, platform: GatewayHarness
) -> None:
    """By who may do everything in it; a key with a policy is stopped whatever that allows."""
    deny(owner, Action="lambda:*")
    for call in (owner.get_function, owner.delete_function):
        assert "explicit deny" in refused(call, FunctionName=NAME)
    client = limited(platform, statement("lambda:*"))
    assert "explicit deny" in refused(client.get_policy, FunctionName=NAME)
    assert "explicit deny" in refused(client.delete_resource_policy, ResourceArn=ARN)
    assert "Deny" in owner.get_policy(FunctionName=NAME)["Policy"]
    owner.delete_resource_policy(ResourceArn=ARN)
    assert client.get_function(FunctionName=NAME)


@pytest.mark.parametrize("connection", ["keep-alive", "close"])
def test_both_servers_ask(platform: GatewayHarness, owner: Any, connection: str) -> None:
    """Plain invocations are served without aiohttp; the others are not."""
    headers = {"Connection": connection, "Content-Type": "application/json"}
    path = f"/2015-03-31/functions/{NAME}/invocations"
    assert platform.post(path, b"{}", headers)[0] == 200
    deny(owner, Condition={"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}})
    assert platform.post(path, b"{}", headers)[0] == 403
    deny(owner, Condition={"NotIpAddress": {"aws:SourceIp": "127.0.0.0/8"}})
    assert platform.post(path, b"{}", headers)[0] == 200


def test_statements_name_callers_and_their_keys(owner: Any, platform: GatewayHarness) -> None:
    """One user of an account, by its ARN or by a condition."""
    deny(owner, Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:user/AKIDBOB"})
    assert owner.invoke(FunctionName=NAME)["StatusCode"] == 200
    assert "explicit deny" in refused(platform.client("AKIDBOB").invoke, FunctionName=NAME)
    condition = {"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/AKID*"}}
    deny(owner, Condition=condition)
    assert "explicit deny" in refused(owner.invoke, FunctionName=NAME)
    assert platform.client("AKIDBOB").invoke(FunctionName=NAME)["StatusCode"] == 200


def test_other_operations_may_be_shared(owner: Any, other: Any) -> None:
    """What is answered is the function's account's own; who may share is never shared."""
    allow(owner, "lambda:*")
    got = other.get_function(FunctionName=ARN)
    assert got["Configuration"]["FunctionArn"] == ARN
    assert got["Code"]["Location"]
    assert other.list_aliases(FunctionName=ARN)["Aliases"][0]["AliasArn"] == f"{ARN}:live"
    other.tag_resource(Resource=ARN, Tags={"by": "other"})
    assert owner.list_tags(Resource=ARN)["Tags"] == {"by": "other"}
    code = package({"index.py": SOURCE})
    assert other.update_function_code(FunctionName=ARN, ZipFile=code)["FunctionArn"] == ARN
    wait_for(owner, "function_updated_v2", FunctionName=NAME)
    assert owner.get_function(FunctionName=NAME)["Code"]["Location"]
    assert "no resource-based policy" in refused(
        other.add_permission, FunctionName=ARN, StatementId="b", Action=INVOKE, Principal="*"
    )
    assert "no resource-based policy" in refused(other.delete_resource_policy, ResourceArn=ARN)


def test_a_key_may_do_what_its_policy_allows(owner: Any, platform: GatewayHarness) -> None:
    client = limited(
        platform, statement(resource=f"{ARN}*"), statement(resource=f"{ARN}:1", effect="Deny")
    )
    assert client.invoke(FunctionName=NAME)["StatusCode"] == 200
    assert client.invoke(FunctionName=NAME, Qualifier="live")["StatusCode"] == 200
    user = f"arn:aws:iam::{ACCOUNT}:user/{LIMITED}"
    assert refused(client.invoke, FunctionName=f"{NAME}:1") == (
        f"User: {user} is not authorized to perform: {INVOKE} on resource: {ARN}:1 with an "
        "explicit deny in an identity-based policy"
    )
    assert refused(client.get_function, FunctionName=NAME) == (
        f"User: {user} is not authorized to perform: lambda:GetFunction on resource: {ARN} because "
        "no identity-based policy allows the lambda:GetFunction action"
    )
    assert "because no identity-based policy" in refused(client.invoke, FunctionName="nobody")
    assert owner.invoke(FunctionName=f"{NAME}:1")["StatusCode"] == 200


@pytest.mark.usefixtures("owner")
def test_conditions_see_what_a_call_would_do(platform: GatewayHarness) -> None:
    """An address that anybody may call, an invocation past the address, another's resource."""
    allow = statement("lambda:*")
    opens = statement("lambda:*", effect="Deny")
    opens |= {"Condition": {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}}
    client = limited(platform, allow, opens)
    said = refused(client.create_function_url_config, FunctionName=NAME, AuthType="NONE")
    assert "lambda:CreateFunctionUrlConfig" in said
    client.create_function_url_config(FunctionName=NAME, AuthType="AWS_IAM")
    assert "explicit deny" in refused(
        client.update_function_url_config, FunctionName=NAME, AuthType="NONE"
    )
    client.delete_function_url_config(FunctionName=NAME)
    given = {"FunctionName": NAME, "StatementId": "u", "Action": "lambda:InvokeFunctionUrl"}
    given |= {"Principal": "*", "FunctionUrlAuthType": "NONE"}
    assert "lambda:AddPermission" in refused(client.add_permission, **given)
    past = {"Bool": {"lambda:InvokedViaFunctionUrl": "false"}}
    client = limited(platform, allow, statement(INVOKE, effect="Deny") | {"Condition": past})
    assert "explicit deny" in refused(client.invoke, FunctionName=NAME)
    foreign = {"StringNotEquals": {"aws:ResourceAccount": ACCOUNT}}
    client = limited(platform, allow, statement("*", effect="Deny") | {"Condition": foreign})
    assert client.invoke(FunctionName=NAME)["StatusCode"] == 200
    assert "Functions" in client.list_functions()
    elsewhere = ARN.replace(ACCOUNT, OTHER)
    assert "in an identity-based policy" in refused(client.invoke, FunctionName=elsewhere)


def test_what_opens_an_address_opens_no_invocation(
    owner: Any, other: Any, platform: GatewayHarness
) -> None:
    """As SAM and the console write it: everybody, by the function URL."""
    platform.open_url(NAME)
    assert "no resource-based policy" in refused(other.invoke, FunctionName=ARN)
    owner.delete_function_url_config(FunctionName=NAME)


def test_every_api_asks(platform: GatewayHarness) -> None:
    """Lambda, CloudWatch Logs and the platform's own endpoints; STS tells everybody who it is."""
    client = limited(platform, statement("logs:DescribeLogStreams", "arn:aws:logs:*:*:*:/aws/*"))
    logs = _client(platform, "logs", LIMITED)
    group = f"/aws/lambda/{NAME}"
    assert "logStreams" in logs.describe_log_streams(logGroupName=group)
    assert "logs:FilterLogEvents" in refused(logs.filter_log_events, logGroupName=group)
    assert "on resource: *" in refused(client.list_functions)
    assert _client(platform, "sts", LIMITED).get_caller_identity()["Account"] == ACCOUNT
    scope = f"{LIMITED}/d/r/lambda/aws4_request"
    head = f"AWS4-HMAC-SHA256 Credential={scope},SignedHeaders=a,Signature=0"
    for path in (f"/-/functions/{NAME}", f"/-/logs?function={NAME}", "/-/routes/x?function=y"):
        status, _, body = platform.get(path, {"Authorization": head})
        assert status == 403, body
    document = {"kind": "Function", "metadata": {"name": "x"}, "spec": {"functionName": NAME}}
    status, _, body = platform.post(
        "/-/apply", json.dumps(document).encode(), {"Authorization": head}
    )
    assert status == 403
    resource = f"arn:aws:pilotlight:{REGION}:{ACCOUNT}:functions/{NAME}"
    assert f"pilotlight:Apply on resource: {resource}" in body.decode()


def test_another_account_needs_both(owner: Any, platform: GatewayHarness) -> None:
    """Its key's policy and the function's."""
    client = limited(platform, statement(resource=f"{ARN}:live"), key=OTHER)
    allow(owner)
    assert "no identity-based policy" in refused(client.invoke, FunctionName=ARN)
    assert "no resource-based policy" in refused(client.invoke, FunctionName=f"{ARN}:live")
    client = limited(platform, statement(resource=ARN), key=OTHER)
    assert client.invoke(FunctionName=ARN)["StatusCode"] == 200


def test_no_object_name_avoids_a_policy(owner: Any, platform: GatewayHarness) -> None:
    """A function is what Lambda calls it: the name of its object is nobody's."""
    platform.create("Odd_Name", "def handler(event, context):\n    return 1\n")
    stored = platform.call(_object_of(platform, "Odd_Name"))
    assert stored != "Odd_Name"
    with pytest.raises(owner.exceptions.ResourceNotFoundException):
        owner.get_function(FunctionName=stored)
    for path in (f"/-/functions/{stored}", f"/-/logs?function={stored}"):
        assert platform.get(path)[0] == 404


async def _object_of(platform: GatewayHarness, name: str) -> str:
    found = await platform.gateway.services.catalogue.find("default", name)
    assert found is not None
    return found.metadata.name


_SAMPLES = {
    "Name": "live", "FunctionVersion": "1", "StatementId": "s", "Action": INVOKE, "Principal": "*",
    "Role": f"arn:aws:iam::{ACCOUNT}:role/r", "Code": {"ZipFile": b""}, "AuthType": "NONE",
    "Qualifier": "live", "InvokeArgs": b"{}", "ReservedConcurrentExecutions": 1,
    "ProvisionedConcurrentExecutions": 1, "RecursiveLoop": "Allow", "UpdateRuntimeOn": "Auto",
    "UUID": "00000000-0000-4000-8000-000000000000",
    "Policy": "{}", "Tags": {"a": "b"}, "TagKeys": ["a"], "EventSourceArn": "arn:aws:sqs:x:1:q",
    "CodeSigningConfigArn":
        f"arn:aws:lambda:{REGION}:{OTHER}:code-signing-config:csc-0123456789abcdef0",
}  # fmt: skip
"""Values of members that operations must have beside the name of a function."""
_NAMING = ("FunctionName", "ResourceArn", "Resource")


def _hostile() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Tell each operation that names a function, by which member, and what else it must have."""
    model = load_model()
    for name in sorted(LAMBDA):
        shape = model.shapes.get(model.operations[name].input or "", {})
        member = next((one for one in _NAMING if one in shape.get("members", {})), None)
        if member is not None:
            needed = [one for one in shape.get("required", ()) if one != member]
            yield name, member, {one: _SAMPLES[one] for one in needed}


@pytest.fixture(scope="module")
def stranger(platform: GatewayHarness) -> Any:
    """Another account's client, which sends whatever it is told to."""
    return _client(platform, "lambda", OTHER, parameter_validation=False)


@pytest.mark.parametrize(("operation", "member", "rest"), list(_hostile()))
def test_a_stranger_learns_nothing(
    stranger: Any, operation: str, member: str, rest: dict[str, Any]
) -> None:
    """Of a function that is there and of one that is not it hears the same, by every form."""
    forms = [f"{ARN}:live" if "Qualifier" in rest else ARN, f"{ARN}:none", f"{ARN}:$LATEST"]
    forms += [f"{ACCOUNT}:function:{NAME}", f"{ACCOUNT}:function:{NAME}:1", f"{ARN}:1"]
    heard = []
    for form in forms:
        for name in (NAME, "no-such"):
            with pytest.raises(ClientError) as error:
                getattr(stranger, _snake(operation))(**{member: form.replace(NAME, name)} | rest)
            heard.append(str(error.value).replace(name, NAME))
        assert heard[-1] == heard[-2]
    if operation != "UpdateEventSourceMapping":  # of its own mappings it has none
        assert "no resource-based policy allows the lambda:" in heard[0]


@pytest.fixture
def mapping(platform: GatewayHarness) -> Iterator[str]:
    """The UUID of a mapping of the function."""
    made = EventSourceMapping(
        metadata=ObjectMeta(name="mapping", namespace="default"),
        spec=EventSourceMappingSpec(
            function=NAME, event_source_arn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:q", enabled=False
        ),
    )
    resources = platform.gateway.services.resources
    yield platform.call(resources.create(made)).metadata.uid
    platform.call(resources.delete(EventSourceMapping, made.key))


def test_a_stranger_finds_no_mapping(stranger: Any, owner: Any, mapping: str) -> None:
    """It is not there for it; and no ARN but its own names it for anybody."""
    for call in ("get", "delete", "update"):
        with pytest.raises(stranger.exceptions.ResourceNotFoundException):
            getattr(stranger, f"{call}_event_source_mapping")(UUID=mapping)
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:event-source-mapping:{mapping}"
    assert owner.list_tags(Resource=arn)["Tags"] == {}
    foreign = arn.replace(ACCOUNT, OTHER)
    for client, form in ((stranger, arn), (stranger, foreign), (owner, foreign)):
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            client.list_tags(Resource=form)


def test_a_mapping_is_its_functions_and_the_one_it_would_have(
    platform: GatewayHarness, owner: Any, mapping: str
) -> None:
    """Who may have mappings of one function takes no other's."""
    only = {"ArnEquals": {"lambda:FunctionArn": ARN + "-own"}}
    client = limited(platform, statement("lambda:*EventSourceMapping*") | {"Condition": only})
    for given in ({"UUID": mapping}, {"UUID": mapping, "FunctionName": f"{NAME}-own"}):
        said = refused(client.update_event_source_mapping, **given)
        assert f"event-source-mapping:{mapping} because no identity" in said
    said = refused(
        client.create_event_source_mapping,
        FunctionName=NAME, EventSourceArn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:q",
    )  # fmt: skip
    assert "lambda:CreateEventSourceMapping on resource: * because" in said
    assert owner.get_event_source_mapping(UUID=mapping)["UUID"] == mapping


def test_an_account_id_is_the_oldest_namespaces(platform: GatewayHarness, other: Any) -> None:
    """Who labels a namespace with an id that is taken is asked for by nobody."""
    labels = {ACCOUNT_LABEL: ACCOUNT}
    later = Namespace(
        metadata=ObjectMeta(name="later", labels=labels, creation_timestamp="2999-01-01T00:00:00Z")
    )
    platform.call(platform.gateway.services.resources.create(later))
    try:
        assert "no resource-based policy" in refused(other.invoke, FunctionName=ARN)
        allow(platform.client())
        assert other.invoke(FunctionName=ARN)["StatusCode"] == 200
    finally:
        platform.client().delete_resource_policy(ResourceArn=ARN)
        platform.call(platform.gateway.services.resources.delete(Namespace, later.key))


def _client(platform: GatewayHarness, service: str, key: str, **options: Any) -> Any:
    session = botocore.session.get_session()
    return session.create_client(
        service, region_name=REGION, endpoint_url=platform.url, aws_access_key_id=key,
        aws_secret_access_key="test", config=Config(retries={"max_attempts": 0}, **options),
    )  # fmt: skip


def _snake(operation: str) -> str:
    return "".join(f"_{one.lower()}" if one.isupper() else one for one in operation).lstrip("_")
