"""The one story that every client tells: from creating a function to deleting it.

Each step asserts what its operations did, by another way than the operation's own answer, so that
what a step called counts as seen (docs/coverage.md).
"""

from __future__ import annotations

import base64
import json
import threading
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.platform import zip_of

from .driver import RefusedError
from .story import ROLE, Story, code_of, fetch, hash_of, until

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ON_A_CLUSTER", "STEPS"]

NAME = "story"
STREAM = """
export const handler = awslambda.streamifyResponse(async (event, stream) => {
  for (const word of event.words) {
    stream.write(word);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  stream.end();
});
"""
LISTENER = """
import json, os, pathlib

def handler(event, context):
    pathlib.Path(os.environ["MARK"]).write_text(json.dumps(event))
"""
LAYERED = """
import shared

def handler(event, context):
    return shared.WORD
"""


def create(story: Story) -> None:
    """A function is there, active, listed, and its package can be fetched."""
    made = story.create(NAME, Description="the story's")
    assert made["CodeSha256"] == hash_of(code_of("1"))
    found = story.call("GetFunction", FunctionName=NAME)
    assert found["Configuration"]["State"] == "Active"
    with urllib.request.urlopen(found["Code"]["Location"], timeout=30) as package:
        assert package.read() == code_of("1")
    configuration = story.call("GetFunctionConfiguration", FunctionName=NAME)
    assert configuration["Description"] == "the story's"
    listed = story.call("ListFunctions")["Functions"]
    assert [one["FunctionName"] for one in listed] == [NAME]


def invoke(story: Story) -> None:
    """It answers, with the version that ran and the end of its log."""
    output = story.call(
        "Invoke", FunctionName=NAME, Payload=b'{"words": ["\xc3\xa4"]}', LogType="Tail"
    )
    assert json.loads(base64.b64decode(output["Payload"]))["event"] == {"words": ["ä"]}
    assert (output["StatusCode"], output["ExecutedVersion"]) == (200, "$LATEST")
    assert "REPORT RequestId:" in base64.b64decode(output["LogResult"]).decode()


def invoke_asynchronously(story: Story) -> None:
    """An event is taken, and the function runs with it; so by the older operation."""
    mark = story.mark()
    event = json.dumps({"mark": str(mark)}).encode()
    output = story.call("Invoke", FunctionName=NAME, InvocationType="Event", Payload=event)
    assert output["StatusCode"] == 202
    until(mark.exists)
    mark.unlink()
    output = story.call("InvokeAsync", FunctionName=NAME, InvokeArgs=event)
    assert output["Status"] == 202
    until(mark.exists)


def invoke_dry(story: Story) -> None:
    """Nothing runs."""
    mark = story.mark()
    output = story.call(
        "Invoke", FunctionName=NAME, InvocationType="DryRun",
        Payload=json.dumps({"mark": str(mark)}).encode(),
    )  # fmt: skip
    assert output["StatusCode"] == 204
    assert not mark.exists()


def stream(story: Story) -> None:
    """An answer comes in pieces, as the function writes them."""
    story.call(
        "CreateFunction", FunctionName="stream", Runtime="nodejs24.x", Role=ROLE,
        Handler="index.handler", Code={"ZipFile": zip_of({"index.mjs": STREAM})},
    )  # fmt: skip
    story.wait("FunctionActiveV2", FunctionName="stream")
    output = story.call(
        "InvokeWithResponseStream", FunctionName="stream", Payload=b'{"words": ["a", "b", "c"]}'
    )
    events = output["EventStream"]
    pieces = [one["PayloadChunk"]["Payload"] for one in events if one.get("PayloadChunk")]
    assert [base64.b64decode(piece) for piece in pieces] == [b"a", b"b", b"c"]
    assert "InvokeComplete" in events[-1]
    story.call("DeleteFunction", FunctionName="stream")


def update_under_load(story: Story) -> None:
    """Code and configuration change while calls run, none of which fails or goes back."""
    with story.load(NAME) as answers:
        story.update(NAME, "2")
        assert story.invoke(NAME)["code"] == "2"
        story.configure(NAME, Environment={"Variables": {"VARIABLE": "ö"}}, Timeout=30)
        seen = len(answers)
        until(lambda: len(answers) > seen + 1)
    assert [one for one in answers if not isinstance(one, dict)] == []
    codes = [one["code"] for one in answers]
    assert codes == sorted(codes)
    assert (answers[-1]["code"], answers[-1]["variable"]) == ("2", "ö")


def publish(story: Story) -> None:
    """A version stays what it is when the function changes."""
    assert story.call("PublishVersion", FunctionName=NAME)["Version"] == "1"
    story.update(NAME, "3")
    assert story.call("PublishVersion", FunctionName=NAME, Description="two")["Version"] == "2"
    assert [story.invoke(NAME, Qualifier=one)["code"] for one in ("1", "2")] == ["2", "3"]
    versions = story.call("ListVersionsByFunction", FunctionName=NAME)["Versions"]
    assert [one["Version"] for one in versions] == ["$LATEST", "1", "2"]


def weighted_alias(story: Story) -> None:
    """An alias divides calls between two versions, and then means the other alone."""
    story.call("CreateAlias", FunctionName=NAME, Name="live", FunctionVersion="1")
    assert story.invoke(f"{NAME}:live")["code"] == "2"
    weights = {"AdditionalVersionWeights": {"2": 0.5}}
    story.call("UpdateAlias", FunctionName=NAME, Name="live", RoutingConfig=weights)
    found = story.call("GetAlias", FunctionName=NAME, Name="live")
    assert found["RoutingConfig"] == weights
    codes = set()
    until(lambda: codes.add(story.invoke(f"{NAME}:live")["code"]) or len(codes) == 2)  # type: ignore[func-returns-value]
    whole: dict[str, Any] = {"AdditionalVersionWeights": {}}
    story.call(
        "UpdateAlias", FunctionName=NAME, Name="live", FunctionVersion="2", RoutingConfig=whole
    )
    assert {story.invoke(f"{NAME}:live")["code"] for _ in range(5)} == {"3"}
    listed = story.call("ListAliases", FunctionName=NAME)["Aliases"]
    assert [(one["Name"], one["FunctionVersion"]) for one in listed] == [("live", "2")]


def layer(story: Story) -> None:
    """A function imports from a layer, also from one that is deleted; a stranger may read it."""
    content = {"ZipFile": zip_of({"python/shared.py": "WORD = 'layered'\n"})}
    made = story.call("PublishLayerVersion", LayerName="shared", Content=content)
    arn, number = made["LayerVersionArn"], {"LayerName": "shared", "VersionNumber": 1}
    story.call(
        "CreateFunction", FunctionName="layered", Runtime="python3.13", Role=ROLE, Layers=[arn],
        Handler="index.handler", Code={"ZipFile": zip_of({"index.py": LAYERED})},
    )  # fmt: skip
    story.wait("FunctionActiveV2", FunctionName="layered")
    assert story.invoke("layered") == "layered"
    found = story.call("GetLayerVersion", **number)
    with urllib.request.urlopen(found["Content"]["Location"], timeout=30) as package:
        assert package.read() == content["ZipFile"]
    assert story.call("GetLayerVersionByArn", Arn=arn)["LayerVersionArn"] == arn
    layers = story.call("ListLayers")["Layers"]
    assert [one["LatestMatchingVersion"]["LayerVersionArn"] for one in layers] == [arn]
    versions = story.call("ListLayerVersions", LayerName="shared")["LayerVersions"]
    assert [one["Version"] for one in versions] == [1]
    stranger = {"Arn": arn}
    with pytest.raises(RefusedError):
        story.driver.ask("call", "GetLayerVersionByArn", story.stranger, stranger)
    story.call(
        "AddLayerVersionPermission", **number, StatementId="stranger",
        Action="lambda:GetLayerVersion", Principal=story.stranger,
    )  # fmt: skip
    assert story.driver.ask("call", "GetLayerVersionByArn", story.stranger, stranger)
    assert story.stranger in story.call("GetLayerVersionPolicy", **number)["Policy"]
    story.call("RemoveLayerVersionPermission", **number, StatementId="stranger")
    with pytest.raises(RefusedError):
        story.driver.ask("call", "GetLayerVersionByArn", story.stranger, stranger)
    story.call("DeleteLayerVersion", **number)
    assert story.invoke("layered") == "layered"
    assert story.refused("GetLayerVersion", **number).code == "ResourceNotFoundException"
    story.call("DeleteFunction", FunctionName="layered")


def permission(story: Story) -> None:
    """Another account may call while a statement lets it, and only then."""

    def calls() -> bool:
        given = {"FunctionName": story.arn(NAME), "Payload": b"{}"}
        try:
            return bool(story.driver.ask("call", "Invoke", story.stranger, given)["Payload"])
        except RefusedError as error:
            if error.code != "AccessDeniedException":
                raise
            return False

    assert not calls()
    story.call(
        "AddPermission", FunctionName=NAME, StatementId="stranger",
        Action="lambda:InvokeFunction", Principal=story.stranger,
    )  # fmt: skip
    assert calls()
    assert "stranger" in story.call("GetPolicy", FunctionName=NAME)["Policy"]
    story.call("RemovePermission", FunctionName=NAME, StatementId="stranger")
    assert not calls()


def resource_policy(story: Story) -> None:
    """A whole policy is another view of the same; a deny stops the account itself."""
    arn = story.arn(NAME)
    deny = {
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "no", "Effect": "Deny", "Principal": "*", "Action": "lambda:InvokeFunction",
            "Resource": arn,
        }],
    }  # fmt: skip
    story.call("PutResourcePolicy", ResourceArn=arn, Policy=json.dumps(deny))
    assert story.refused("Invoke", FunctionName=NAME, Payload=b"{}").code == "AccessDeniedException"
    assert '"no"' in story.call("GetResourcePolicy", ResourceArn=arn)["Policy"]
    story.call("DeleteResourcePolicy", ResourceArn=arn)
    assert story.invoke(NAME)["code"] == "3"


def concurrency(story: Story) -> None:
    """A limit is kept, and taken from the account's; a call that is refused (429) comes again."""
    before = story.call("GetAccountSettings")["AccountLimit"]["UnreservedConcurrentExecutions"]
    story.call("PutFunctionConcurrency", FunctionName=NAME, ReservedConcurrentExecutions=1)
    reserved = story.call("GetFunctionConcurrency", FunctionName=NAME)
    assert reserved["ReservedConcurrentExecutions"] == 1
    after = story.call("GetAccountSettings")["AccountLimit"]["UnreservedConcurrentExecutions"]
    assert after == before - 1
    begun, go_on, refused = story.mark(), story.mark(), story.throttles(NAME)
    long = threading.Thread(
        target=story.invoke_elsewhere, args=(NAME, {"mark": str(begun), "until": str(go_on)})
    )
    answers: list[Any] = []
    short = threading.Thread(target=lambda: answers.append(story.invoke(NAME)))
    long.start()
    until(begun.exists)
    short.start()
    try:
        until(lambda: story.throttles(NAME) > refused)
    finally:
        go_on.touch()
        short.join()
        long.join()
    assert answers[0]["code"] == "3"
    story.call("DeleteFunctionConcurrency", FunctionName=NAME)
    settings = story.call("GetAccountSettings")["AccountLimit"]
    assert settings["UnreservedConcurrentExecutions"] == before


def provisioned_concurrency(story: Story) -> None:
    """An environment stands ready before it is called."""
    of = {"FunctionName": NAME, "Qualifier": "live"}
    story.call("PutProvisionedConcurrencyConfig", **of, ProvisionedConcurrentExecutions=1)

    def ready() -> bool:
        found = story.call("GetProvisionedConcurrencyConfig", **of)
        return bool(found["Status"] == "READY")

    until(ready)
    assert story.invoke(f"{NAME}:live")["initialization"] == "provisioned-concurrency"
    listed = story.call("ListProvisionedConcurrencyConfigs", FunctionName=NAME)
    assert len(listed["ProvisionedConcurrencyConfigs"]) == 1
    story.call("DeleteProvisionedConcurrencyConfig", **of)
    gone = story.refused("GetProvisionedConcurrencyConfig", **of)
    assert gone.code == "ProvisionedConcurrencyConfigNotFoundException"


def url(story: Story) -> None:
    """A function's URL answers whoever its policy lets, and nobody once it is deleted."""
    made = story.call("CreateFunctionUrlConfig", FunctionName=NAME, AuthType="AWS_IAM")
    address = made["FunctionUrl"]
    assert fetch(address)[0] == 403
    story.call("UpdateFunctionUrlConfig", FunctionName=NAME, AuthType="NONE")
    assert fetch(address)[0] == 403
    story.call(
        "AddPermission", FunctionName=NAME, StatementId="url", Principal="*",
        Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE",
    )  # fmt: skip
    story.call(
        "AddPermission", FunctionName=NAME, StatementId="by-url", Principal="*",
        Action="lambda:InvokeFunction", InvokedViaFunctionUrl=True,
    )  # fmt: skip
    status, text = fetch(f"{address}orders?number=7")
    assert (status, json.loads(text)["event"]["rawQueryString"]) == (200, "number=7")
    assert story.call("GetFunctionUrlConfig", FunctionName=NAME)["AuthType"] == "NONE"
    listed = story.call("ListFunctionUrlConfigs", FunctionName=NAME)["FunctionUrlConfigs"]
    assert [one["FunctionUrl"] for one in listed] == [address]
    story.call("DeleteFunctionUrlConfig", FunctionName=NAME)
    assert fetch(address)[0] in {403, 404}


def event_invoke_config(story: Story) -> None:
    """What becomes of an event goes to another function, and to nobody once that is undone."""
    mark = story.mark()
    story.call(
        "CreateFunction", FunctionName="listener", Runtime="python3.13", Role=ROLE,
        Handler="index.handler", Code={"ZipFile": zip_of({"index.py": LISTENER})},
        Environment={"Variables": {"MARK": str(mark)}},
    )  # fmt: skip
    story.wait("FunctionActiveV2", FunctionName="listener")
    to = {"Destination": story.arn("listener")}
    story.call("PutFunctionEventInvokeConfig", FunctionName=NAME, MaximumRetryAttempts=0)
    story.call(
        "UpdateFunctionEventInvokeConfig", FunctionName=NAME, DestinationConfig={"OnFailure": to}
    )
    found = story.call("GetFunctionEventInvokeConfig", FunctionName=NAME)
    assert (found["MaximumRetryAttempts"], found["DestinationConfig"]["OnFailure"]) == (0, to)
    listed = story.call("ListFunctionEventInvokeConfigs", FunctionName=NAME)
    assert len(listed["FunctionEventInvokeConfigs"]) == 1
    story.call("Invoke", FunctionName=NAME, InvocationType="Event", Payload=b'{"fail": "broken"}')
    record = json.loads(until(lambda: mark.exists() and mark.read_text()))
    assert record["responsePayload"]["errorMessage"] == "broken"
    assert record["requestContext"]["approximateInvokeCount"] == 1
    story.call("DeleteFunctionEventInvokeConfig", FunctionName=NAME)
    gone = story.refused("GetFunctionEventInvokeConfig", FunctionName=NAME)
    assert gone.code == "ResourceNotFoundException"
    story.call("DeleteFunction", FunctionName="listener")


def event_source_mapping(story: Story) -> None:
    """Messages of a queue come to the function; none while the mapping is disabled."""
    made = story.call(
        "CreateEventSourceMapping", FunctionName=NAME, EventSourceArn=story.queue, BatchSize=1
    )
    uuid = made["UUID"]

    def state() -> str:
        return str(story.call("GetEventSourceMapping", UUID=uuid)["State"])

    until(lambda: state() == "Enabled")
    mark = story.mark()
    story.send(json.dumps({"mark": str(mark)}))
    until(mark.exists)
    story.call("UpdateEventSourceMapping", UUID=uuid, Enabled=False)
    until(lambda: state() == "Disabled")
    listed = story.call("ListEventSourceMappings", FunctionName=NAME)["EventSourceMappings"]
    assert [(one["UUID"], one["State"]) for one in listed] == [(uuid, "Disabled")]
    story.call("DeleteEventSourceMapping", UUID=uuid)
    until(lambda: not story.call("ListEventSourceMappings")["EventSourceMappings"])


def tags(story: Story) -> None:
    """Tags are added, replaced and removed one by one, and stand in GetFunction."""
    arn = story.arn(NAME)
    story.call("TagResource", Resource=arn, Tags={"team": "a b", "stage": "test"})
    story.call("TagResource", Resource=arn, Tags={"team": "c"})
    found = story.call("GetFunction", FunctionName=NAME)
    assert found["Tags"] == {"team": "c", "stage": "test"}
    story.call("UntagResource", Resource=arn, TagKeys=["stage"])
    assert story.call("ListTags", Resource=arn)["Tags"] == {"team": "c"}


def code_signing(story: Story) -> None:
    """A configuration that demands signatures has unsigned code refused, and no other has."""
    profile = f"arn:aws:signer:us-east-1:{story.account}:/signing-profiles/own/abcdefghij"
    made = story.call(
        "CreateCodeSigningConfig", AllowedPublishers={"SigningProfileVersionArns": [profile]}
    )["CodeSigningConfig"]
    of = {"CodeSigningConfigArn": made["CodeSigningConfigArn"]}
    assert not story.call("GetFunctionCodeSigningConfig", FunctionName=NAME).get(*of)
    story.call("PutFunctionCodeSigningConfig", FunctionName=NAME, **of)
    assert (
        story.call("GetFunctionCodeSigningConfig", FunctionName=NAME)[next(iter(of))]
        == (of["CodeSigningConfigArn"])
    )
    users = story.call("ListFunctionsByCodeSigningConfig", **of)["FunctionArns"]
    assert users == [story.arn(NAME)]
    policies = {"UntrustedArtifactOnDeployment": "Enforce"}
    story.call("UpdateCodeSigningConfig", **of, CodeSigningPolicies=policies)
    found = story.call("GetCodeSigningConfig", **of)["CodeSigningConfig"]
    assert found["CodeSigningPolicies"] == policies
    assert len(story.call("ListCodeSigningConfigs")["CodeSigningConfigs"]) == 1
    refusal = story.refused("UpdateFunctionCode", FunctionName=NAME, ZipFile=code_of("4"))
    assert refusal.code == "CodeVerificationFailedException"
    story.call("DeleteFunctionCodeSigningConfig", FunctionName=NAME)
    story.call("DeleteCodeSigningConfig", **of)
    assert story.call("ListCodeSigningConfigs")["CodeSigningConfigs"] == []


def management(story: Story) -> None:
    """How runtimes are updated is shown, what is not done is refused; loops may be allowed."""
    story.call("PutRuntimeManagementConfig", FunctionName=NAME, UpdateRuntimeOn="Auto")
    other = {"FunctionName": NAME, "UpdateRuntimeOn": "FunctionUpdate"}
    refusal = story.refused("PutRuntimeManagementConfig", **other)
    assert refusal.code == "NotImplementedException"
    found = story.call("GetRuntimeManagementConfig", FunctionName=NAME)
    assert found["UpdateRuntimeOn"] == "Auto"
    story.call("PutFunctionRecursionConfig", FunctionName=NAME, RecursiveLoop="Allow")
    assert story.call("GetFunctionRecursionConfig", FunctionName=NAME)["RecursiveLoop"] == "Allow"


def errors(story: Story) -> None:
    """What goes wrong has the code and the status that the client's own errors are made of."""
    wrong: list[tuple[str, int, str, dict[str, Any]]] = [
        ("ResourceNotFoundException", 404, "GetFunction", {"FunctionName": "absent"}),
        ("ResourceNotFoundException", 404, "Invoke", {"FunctionName": "absent"}),
        ("InvalidParameterValueException", 400, "PublishVersion",
         {"FunctionName": NAME, "CodeSha256": "other"}),
        ("InvalidRequestContentException", 400, "Invoke",
         {"FunctionName": NAME, "Payload": b"{"}),
        ("PreconditionFailedException", 412, "UpdateFunctionConfiguration",
         {"FunctionName": NAME, "RevisionId": "00000000-0000-0000-0000-000000000000"}),
        ("ResourceConflictException", 409, "CreateFunction",
         {"FunctionName": NAME, "Runtime": "python3.13", "Role": ROLE,
          "Handler": "index.handler", "Code": {"ZipFile": code_of("1")}}),
    ]  # fmt: skip
    for code, status, operation, given in wrong:
        refusal = story.refused(operation, **given)
        assert (refusal.code, refusal.status) in {(code, status), (code, None)}, operation
    output = story.call("Invoke", FunctionName=NAME, Payload=b'{"fail": "on purpose"}')
    assert output["FunctionError"] == "Unhandled"
    assert json.loads(base64.b64decode(output["Payload"]))["errorMessage"] == "on purpose"


def unsupported(story: Story) -> None:
    """What is not there is an error that names it."""
    refusal = story.refused("ListCapacityProviders")
    assert (refusal.code, refusal.status) in {
        ("NotImplementedException", 501), ("NotImplementedException", None),
    }  # fmt: skip
    assert "ListCapacityProviders" in refusal.message


def paging(story: Story) -> None:
    """More than one page is read whole, in order, nothing twice."""
    for name in ("a", "b", "c"):
        story.call("CreateAlias", FunctionName=NAME, Name=name, FunctionVersion="1")
    pages = story.pages("ListAliases", FunctionName=NAME)
    assert [one["Name"] for page in pages for one in page["Aliases"]] == ["a", "b", "c", "live"]
    pages = story.pages("ListVersionsByFunction", FunctionName=NAME)
    versions = [one["Version"] for page in pages for one in page["Versions"]]
    assert versions == ["$LATEST", "1", "2"]


def delete(story: Story) -> None:
    """An alias, a version that none means any more, and the function with all the rest."""
    in_use = story.refused("DeleteFunction", FunctionName=NAME, Qualifier="2")
    assert in_use.code == "ResourceConflictException"
    story.call("DeleteAlias", FunctionName=NAME, Name="live")
    story.call("DeleteFunction", FunctionName=NAME, Qualifier="2")
    gone = story.refused("GetFunction", FunctionName=NAME, Qualifier="2")
    assert gone.code == "ResourceNotFoundException"
    story.call("DeleteFunction", FunctionName=NAME)
    assert story.refused("GetFunction", FunctionName=NAME).code == "ResourceNotFoundException"
    listed = story.call("ListFunctions")["Functions"]
    assert NAME not in [one["FunctionName"] for one in listed]


STEPS: list[Callable[[Story], None]] = [
    create, invoke, invoke_asynchronously, invoke_dry, stream, update_under_load, publish,
    weighted_alias, layer, permission, resource_policy, concurrency, provisioned_concurrency, url,
    event_invoke_config, event_source_mapping, tags, code_signing, management, errors,
    unsupported, paging, delete,
]  # fmt: skip
ON_A_CLUSTER: list[Callable[[Story], None]] = [
    create, invoke, stream, update_under_load, publish, weighted_alias, resource_policy,
    provisioned_concurrency, tags, code_signing, management, errors, unsupported, paging, delete,
]  # fmt: skip
"""Those that share no file with a function and want neither a queue, another account, nor a name
for each function's URL."""
