"""The function operations, driven by boto3: states, answers, and every refusal with its text."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import urllib.request
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from pilotlight.resources import Function, Key, Secret
from tests.support.gateway import ACCOUNT, package, wait_for

if TYPE_CHECKING:
    from tests.support.gateway import GatewayHarness

ANSWERS = "def handler(event, context):\n    return {answer!r}\n"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/test"


def source(answer: object = "yes") -> str:
    """Return a handler that answers that."""
    return ANSWERS.format(answer=answer)


def test_create_is_pending_then_active(platform: GatewayHarness) -> None:
    code = package({"index.py": source()})
    created = platform.create("states", source(), Code={"ZipFile": code}, Timeout=7)
    client = platform.client()
    assert (created["State"], created["StateReasonCode"]) == ("Pending", "Creating")
    assert created["CodeSha256"] == base64.b64encode(hashlib.sha256(code).digest()).decode()
    assert created["CodeSize"] == len(code)
    active = client.get_function_configuration(FunctionName="states")
    assert (active["State"], active["LastUpdateStatus"]) == ("Active", "Successful")
    assert (active["Timeout"], active["MemorySize"], active["Version"]) == (7, 128, "$LATEST")
    assert active["FunctionArn"] == f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:states"


def test_the_package_can_be_downloaded(platform: GatewayHarness) -> None:
    code = package({"index.py": source()})
    platform.create("download", source(), Code={"ZipFile": code})
    location = platform.client().get_function(FunctionName="download")["Code"]["Location"]
    with urllib.request.urlopen(location) as answer:
        assert answer.read() == code
    with pytest.raises(urllib.request.HTTPError, match="403") as refused:
        urllib.request.urlopen(location[:-1] + ("0" if location[-1] != "0" else "1"))
    refused.value.close()


def test_update_code_and_configuration(platform: GatewayHarness) -> None:
    platform.create("changing", source("old"))
    client = platform.client()
    first = client.get_function_configuration(FunctionName="changing")
    updated = client.update_function_code(
        FunctionName="changing", ZipFile=package({"index.py": source("new")})
    )
    assert updated["LastUpdateStatus"] == "InProgress"
    assert updated["RevisionId"] != first["RevisionId"]
    wait_for(client, "function_updated_v2", FunctionName="changing")
    assert client.invoke(FunctionName="changing")["Payload"].read() == b'"new"'
    client.update_function_configuration(FunctionName="changing", MemorySize=256)
    wait_for(client, "function_updated_v2", FunctionName="changing")
    after = client.get_function_configuration(FunctionName="changing")
    assert (after["MemorySize"], after["Timeout"]) == (256, 3)


def test_an_old_revision_id_is_refused(platform: GatewayHarness) -> None:
    platform.create("precondition", source())
    with pytest.raises(ClientError) as refused:
        platform.client().update_function_configuration(
            FunctionName="precondition",
            Timeout=5,
            RevisionId="00000000-0000-0000-0000-000000000000",
        )
    assert refused.value.response["Error"]["Code"] == "PreconditionFailedException"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412


def test_a_dry_run_changes_nothing(platform: GatewayHarness) -> None:
    platform.create("dry", source("kept"))
    client = platform.client()
    client.update_function_code(
        FunctionName="dry", ZipFile=package({"index.py": source("lost")}), DryRun=True
    )
    assert client.invoke(FunctionName="dry")["Payload"].read() == b'"kept"'


def test_environment_variables_live_in_a_secret(platform: GatewayHarness) -> None:
    reads = "import os\ndef handler(event, context):\n    return os.environ['COLOUR']\n"
    platform.create("coloured", reads, Environment={"Variables": {"COLOUR": "canary-green"}})
    client = platform.client()
    assert client.invoke(FunctionName="coloured")["Payload"].read() == b'"canary-green"'
    shown = client.get_function_configuration(FunctionName="coloured")
    assert shown["Environment"]["Variables"] == {"COLOUR": "canary-green"}
    [function] = [
        function
        for function in platform.call(platform.resources.list(Function))
        if function.function_name == "coloured"
    ]
    assert "canary-green" not in function.model_dump_json()
    secrets = platform.call(platform.resources.list(Secret))
    assert any(secret.string_data == {"COLOUR": "canary-green"} for secret in secrets)


def kept(platform: GatewayHarness, name: str) -> dict[str, str]:
    """Return what the Secret holds that a function's spec names."""
    function = platform.call(platform.resources.get(Function, Key("default", name)))
    assert function.spec.environment_from is not None
    reference = Key("default", function.spec.environment_from.secret)
    return platform.call(platform.resources.get(Secret, reference)).string_data


def test_variables_of_a_key_are_kept_encrypted(platform: GatewayHarness) -> None:
    """Also where the key comes, changes or goes later; environments and answers have them clear."""
    first, second = (f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{name}" for name in ("one", "two"))
    reads = "import os\ndef handler(event, context):\n    return os.environ['HIDDEN']\n"
    variables = {"Variables": {"HIDDEN": "canary-red"}}
    platform.create("sealed", reads, Environment=variables, KMSKeyArn=first)
    client = platform.client()
    shown = client.get_function_configuration(FunctionName="sealed")
    assert (shown["KMSKeyArn"], shown["Environment"]) == (first, variables)
    assert client.invoke(FunctionName="sealed")["Payload"].read() == b'"canary-red"'
    assert "canary-red" not in kept(platform, "sealed").values()
    version = client.publish_version(FunctionName="sealed")["Version"]
    for key in (second, ""):
        client.update_function_configuration(FunctionName="sealed", KMSKeyArn=key)
        wait_for(client, "function_updated_v2", FunctionName="sealed")
        shown = client.get_function_configuration(FunctionName="sealed")
        assert (shown.get("KMSKeyArn", ""), shown["Environment"]) == (key, variables)
        assert client.invoke(FunctionName="sealed")["Payload"].read() == b'"canary-red"'
    assert kept(platform, "sealed") == variables["Variables"]
    wait_for(client, "published_version_active", FunctionName="sealed", Qualifier=version)
    answer = client.invoke(FunctionName="sealed", Qualifier=version)
    assert answer["Payload"].read() == b'"canary-red"'


def test_listing_pages(platform: GatewayHarness) -> None:
    for number in range(3):
        platform.create(f"page-{number}", source())
    client = platform.client()
    pages = client.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2})
    found = [function for page in pages for function in page["Functions"]]
    names = [function["FunctionName"] for function in found]
    assert names == sorted(names)
    assert {"page-0", "page-1", "page-2"} <= set(names)
    assert all("State" not in function for function in found)


def test_delete_and_accounts(platform: GatewayHarness) -> None:
    platform.create("gone", source())
    client = platform.client()
    other = platform.client("111122223333")
    assert other.list_functions()["Functions"] == []
    assert client.delete_function(FunctionName="gone")["ResponseMetadata"]["HTTPStatusCode"] == 204
    for call in (client.get_function, client.delete_function, client.invoke):
        with pytest.raises(ClientError) as refused:
            call(FunctionName="gone")
        assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_account_settings_count(platform: GatewayHarness) -> None:
    """Packages of functions, of each of their versions, and of layers."""
    client = platform.client()
    before = client.get_account_settings()["AccountUsage"]
    size = platform.create("counted", source())["CodeSize"]
    client.publish_version(FunctionName="counted")
    layer = client.publish_layer_version(
        LayerName="counted", Content={"ZipFile": package({"python/a.py": "A = 1"})}
    )
    settings = client.get_account_settings()
    after = settings["AccountUsage"]
    assert settings["AccountLimit"]["ConcurrentExecutions"] == 1000
    assert after["FunctionCount"] == before["FunctionCount"] + 1
    grown = 2 * size + layer["Content"]["CodeSize"]
    assert after["TotalCodeSize"] == before["TotalCodeSize"] + grown


RUNTIME_OF = {"py-1": "python3.13", "py-2": "python3.13", "own": "provided.al2023"}


def test_the_version_of_a_runtime_is_said(platform: GatewayHarness) -> None:
    """The same for all functions of a runtime, as tools compare it."""
    client = platform.client()
    arns = []
    for name, runtime in RUNTIME_OF.items():
        platform.create(name, source(), Runtime=runtime)
        said = client.get_function_configuration(FunctionName=name)["RuntimeVersionConfig"]
        arns.append(said["RuntimeVersionArn"])
    assert arns[0] == arns[1] != arns[2]
    assert re.fullmatch(r"arn:aws:lambda:us-east-1::runtime:[0-9a-f]{64}", arns[2])


def _pipe() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        entry = zipfile.ZipInfo("passwd")
        entry.external_attr = 0o010666 << 16
        archive.writestr(entry, "/etc/passwd")
    return content.getvalue()


REFUSED = package({"index.py": "# never kept"})
VALIDATION = "ValidationException"
PARAMETER = "InvalidParameterValueException"
BAD_CREATES: list[tuple[str, dict[str, Any], str, str]] = [
    ("unknown runtime", {"Runtime": "cobol85"}, PARAMETER, "Value cobol85 at 'runtime'"),
    ("deprecated runtime", {"Runtime": "python3.6"}, PARAMETER, "no longer supported"),
    ("handler with a blank", {"Handler": "index handler"}, VALIDATION, "at 'handler'"),
    ("memory 127", {"MemorySize": 127}, VALIDATION,
     ("Value '127' at 'memorySize' failed to satisfy constraint: "
     "Member must have value greater than or equal to 128")),
    ("memory 10241", {"MemorySize": 10_241}, VALIDATION,
     ("Value '10241' at 'memorySize' failed to satisfy constraint: "
     "Member must have value less than or equal to 10240")),
    ("timeout 0", {"Timeout": 0}, VALIDATION, "Value '0' at 'timeout'"),
    ("timeout 901", {"Timeout": 901}, VALIDATION, "less than or equal to 900"),
    ("environment over 4 KB", {"Environment": {"Variables": {"BIG": "x" * 4096}}}, PARAMETER,
     "exceeded the 4KB limit"),
    ("reserved key", {"Environment": {"Variables": {"AWS_REGION": "x"}}}, PARAMETER,
     "Reserved keys used in this request: AWS_REGION"),
    ("corrupt zip", {"Code": {"ZipFile": b"PK\x03\x04 and no more"}}, PARAMETER,
     "Could not unzip uploaded file"),
    ("absolute path", {"Code": {"ZipFile": package({"/etc/x": "x"})}}, PARAMETER,
     "absolute path"),
    ("upward path", {"Code": {"ZipFile": package({"../x": "x"})}}, PARAMETER, "leads upwards"),
    ("pipe", {"Code": {"ZipFile": _pipe()}}, PARAMETER, "file type"),
    ("no code", {"Code": {}}, PARAMETER, "Please provide a source"),
    ("bad name", {"FunctionName": "not a name"}, VALIDATION, "at 'functionName'"),
    ("bad role", {"Role": "admin"}, VALIDATION, "at 'role'"),
    ("unsupported member", {"PublishTo": "LATEST_PUBLISHED"},
     "NotImplementedException", "PublishTo is not supported yet"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "code", "text"),
    [row[1:] for row in BAD_CREATES],
    ids=[row[0] for row in BAD_CREATES],
)
def test_bad_input_is_refused_and_leaves_nothing(
    platform: GatewayHarness, change: dict[str, Any], code: str, text: str
) -> None:
    # botocore checks some of this itself; what counts is what the gateway says.
    unchecked = Config(parameter_validation=False, retries={"max_attempts": 0})
    client = platform.client(config=unchecked)
    request = {
        "FunctionName": "refused",
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Role": ROLE,
        "Code": {"ZipFile": REFUSED},
    }
    with pytest.raises(ClientError) as refused:
        client.create_function(**(request | change))
    error = refused.value.response["Error"]
    assert (error["Code"], text in error["Message"]) == (code, True), error
    functions = platform.call(platform.resources.list(Function))
    secrets = platform.call(platform.resources.list(Secret))
    assert not any(function.function_name == "refused" for function in functions)
    assert not any(secret.metadata.name.startswith("refused") for secret in secrets)
    assert hashlib.sha256(REFUSED).hexdigest() not in platform.artifacts.held


def test_a_taken_name_is_refused(platform: GatewayHarness) -> None:
    platform.create("taken", source())
    with pytest.raises(ClientError) as refused:
        platform.create("taken", source())
    assert refused.value.response["Error"]["Code"] == "ResourceConflictException"
    assert "Function already exist: taken" in str(refused.value)


def test_a_zip_of_more_than_50_mb_is_refused(platform: GatewayHarness) -> None:
    large = b"\0" * (52_428_800 + 1)
    with pytest.raises(ClientError) as refused:
        platform.create("large", source(), Code={"ZipFile": large})
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413


def test_a_zip_that_unpacks_beyond_250_mb_is_refused(platform: GatewayHarness) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("zeros", b"\0" * (262_144_000 + 1))
    with pytest.raises(ClientError) as refused:
        platform.create("bomb", source(), Code={"ZipFile": content.getvalue()})
    assert refused.value.response["Error"]["Code"] == PARAMETER
    assert "262144000" in str(refused.value)


def test_last_modified_moves_with_code_and_configuration(platform: GatewayHarness) -> None:
    """In the answer to the change itself, to the millisecond, and the same once it is served."""
    platform.create("dated", "def handler(event, context):\n    return 1\n")
    client = platform.client()
    seen = [client.get_function_configuration(FunctionName="dated")["LastModified"]]
    changes: list[tuple[str, dict[str, Any]]] = [
        ("update_function_configuration", {"Timeout": 9}),
        ("update_function_configuration", {"Description": "words"}),
        ("update_function_code", {"ZipFile": package({"index.py": "handler = print"})}),
    ]
    for operation, members in changes:
        answered = getattr(client, operation)(FunctionName="dated", **members)["LastModified"]
        wait_for(client, "function_updated_v2", FunctionName="dated")
        assert client.get_function_configuration(FunctionName="dated")["LastModified"] == answered
        seen.append(answered)
    assert len(set(seen)) == len(seen)
    assert seen[1:] == sorted(seen[1:])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000", seen[-1])


def test_what_is_no_update_moves_neither_date_nor_status(platform: GatewayHarness) -> None:
    """Tags, policies and concurrency are set beside code and configuration, and conflict with none.

    RevisionIds move with them, as on Lambda.
    """
    platform.create("beside", source())
    client = platform.client()
    before = client.get_function_configuration(FunctionName="beside")
    client.tag_resource(Resource=before["FunctionArn"], Tags={"team": "a"})
    client.add_permission(
        FunctionName="beside", StatementId="s", Action="lambda:InvokeFunction", Principal="*"
    )
    client.put_function_concurrency(FunctionName="beside", ReservedConcurrentExecutions=5)
    client.put_function_event_invoke_config(FunctionName="beside", MaximumRetryAttempts=1)
    after = client.get_function_configuration(FunctionName="beside")
    assert after["RevisionId"] != before["RevisionId"]
    for said in (before, after):
        del said["RevisionId"], said["ResponseMetadata"]
    assert after == before
    client.update_function_configuration(FunctionName="beside", Timeout=9)
    wait_for(client, "function_updated_v2", FunctionName="beside")
    moved = client.get_function_configuration(FunctionName="beside")["LastModified"]
    assert moved > after["LastModified"]
    client.untag_resource(Resource=after["FunctionArn"], TagKeys=["team"])
    assert client.get_function_configuration(FunctionName="beside")["LastModified"] == moved


def test_a_revision_id_moves_with_each_step(platform: GatewayHarness) -> None:
    """Made, active, being updated, updated, published: another each time, and then it stays."""
    client = platform.client()
    seen = [platform.create("stepping", source())["RevisionId"]]

    def look() -> None:
        seen.append(client.get_function_configuration(FunctionName="stepping")["RevisionId"])

    look()
    updated = client.update_function_configuration(FunctionName="stepping", Timeout=9)
    seen.append(updated["RevisionId"])
    wait_for(client, "function_updated_v2", FunctionName="stepping")
    look()
    version = client.publish_version(FunctionName="stepping")
    look()
    assert len({*seen, version["RevisionId"]}) == len(seen) + 1
    client.publish_version(FunctionName="stepping")  # nothing new
    look()
    assert seen[-1] == seen[-2]
    whole = client.get_function(FunctionName="stepping", Qualifier="1")["Configuration"]
    assert whole["RevisionId"] == version["RevisionId"]


def test_an_environment_that_was_given_comes_back(platform: GatewayHarness) -> None:
    """An empty one too, of the function and of its versions; one that was not is not there."""
    client = platform.client()
    assert "Environment" not in platform.create("no-environment", source())
    assert platform.create("empty", source(), Environment={})["Environment"] == {"Variables": {}}
    assert client.publish_version(FunctionName="empty")["Environment"] == {"Variables": {}}
    changed = client.update_function_configuration(
        FunctionName="empty", Environment={"Variables": {"AA": "b"}}
    )
    assert changed["Environment"] == {"Variables": {"AA": "b"}}
    wait_for(client, "function_updated_v2", FunctionName="empty")
    cleared = client.update_function_configuration(FunctionName="empty", Environment={})
    assert cleared["Environment"] == {"Variables": {}}


def test_levels_come_and_go_with_json(platform: GatewayHarness) -> None:
    """Lambda's defaults where the format becomes JSON; the group stays through all of it."""
    client = platform.client()
    platform.create("levels", source(), LoggingConfig={"LogGroup": "/own/group"})

    def update(**given: str) -> dict[str, str]:
        wait_for(client, "function_updated_v2", FunctionName="levels")
        said = client.update_function_configuration(FunctionName="levels", LoggingConfig=given)
        found: dict[str, str] = said["LoggingConfig"]
        return found

    info = {"ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO"}
    group = {"LogGroup": "/own/group"}
    assert update(LogFormat="JSON") == {"LogFormat": "JSON"} | group | info
    debug = {"ApplicationLogLevel": "DEBUG", "SystemLogLevel": "INFO"}
    assert update(ApplicationLogLevel="DEBUG") == {"LogFormat": "JSON"} | group | debug
    assert update(LogFormat="Text") == {"LogFormat": "Text"} | group
    with pytest.raises(ClientError, match='LogLevel is not supported when LogFormat is set to "Te'):
        update(SystemLogLevel="WARN")
