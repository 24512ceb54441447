"""Names, ARNs, qualifiers and markers as strangers send them; updates that know no better.

Whatever they are, the answer is an error of Lambda's, and never one of the platform's own.
"""

from __future__ import annotations

import base64
import threading
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from pilotlight_gateway.apis.lambda_.model import load_model
from pilotlight_gateway.apis.lambda_.table import LAMBDA
from tests.support.gateway import ACCOUNT, package, wait_for

from .model_cases import Cases, request_of
from .test_model_fuzz import Connection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.gateway import GatewayHarness

ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:there"
NAMES = (
    "arn:aws:lambda:us-east-1:000000000000:function", "arn:aws:lambda:::function:there",
    "arn:aws:s3:::there", f"{ARN}:", f"{ARN}:1:2", f"{ARN}:$LATEST:$LATEST", f"{ARN}:*", f"{ARN}*",
    "arn:aws:lambda:us-east-1:111111111111:function:there",
    "arn:aws:lambda:eu-west-1:000000000000:function:there",
    "arn:aws-cn:lambda:cn-north-1:000000000000:function:there",
    "arn:aws:lambda:us-east-1:000000000000:layer:there:1", "000000000000:function:there:none",
    "00000000000:function:there", "function:other", "there:$latest", "there:$LATEST.PUBLISHED",
    "there:0", "there:-1", f"there:{'9' * 128}", f"there:{'9' * 129}", "there:there", ":there",
    "there::", "::", "*", "?", "%", "'", '"', "\\", "<script>", "{}", "${x}", "there there",
    "Üñï", "\u0663", "a" * 64, "a" * 65, "a" * 140, "a" * 257, "-", "_", ".", "there.", ".there",
    "there\u200b", "t\uff48ere", "null", "None", "../there", "there/../there", "there%00",
)  # fmt: skip
QUALIFIERS = (
    "", "0", "00", "01", "-1", "1.5", "1e3", "9" * 128, "9" * 129, "$latest", "$LATEST", "$LATES",
    "$LATEST.PUBLISHED", "$PUBLISHED", "$", "*", "live*", "live:1", "a" * 128, "a" * 129, " ",
    "\u0661", "é", "'", "%2e", "..", "live/1", "\u202elive", "null", "true", "[]", "{}", "live",
)  # fmt: skip
MARKERS = (
    "", "a", "====", "!!!!", "AAAA", "é", "0", "-1", "9" * 5_000, "../..", "{}", "null",
    base64.b64encode(b"\xff\xfe").decode(), base64.b64encode(b"\x00").decode(),
    base64.b64encode(b"ListNothing there").decode(), base64.b64encode(b"there").decode(),
)  # fmt: skip
REFUSALS = {
    "ValidationException", "InvalidParameterValueException", "ResourceNotFoundException",
    "AccessDeniedException", "ProvisionedConcurrencyConfigNotFoundException",
    "CodeSigningConfigNotFoundException", "ResourceConflictException", "NotImplementedException",
    "UnknownOperationException", "InvalidRequestContentException", "RequestUriTooLongException",
    "PreconditionFailedException",
}  # fmt: skip


@pytest.fixture(scope="module")
def connection(platform: GatewayHarness) -> Iterator[Connection]:
    """A connection to a gateway that has a function of that name, and an alias of it."""
    platform.create("there", "def handler(event, context):\n    return event\n", Publish=True)
    platform.client().create_alias(FunctionName="there", Name="live", FunctionVersion="1")
    connection = Connection(platform.port)
    yield connection
    connection.close()


def of_function(member: str) -> list[str]:
    """Return the operations that have a member, but for those that would take the function away."""
    model = load_model()
    return [
        name
        for name in sorted(LAMBDA)
        if member in model.shapes[model.operations[name].input or "Arn"].get("members", {})
        and name not in {"CreateFunction", "DeleteFunction", "DeleteAlias"}
    ]


@pytest.mark.parametrize("operation", of_function("FunctionName"))
def test_hostile_names_are_refused(connection: Connection, operation: str) -> None:
    """Each by an error of Lambda's, or as the function that it names indeed."""
    cases = Cases(1)
    for name in NAMES:
        sent = request_of(cases.model, operation, cases.good(operation) | {"FunctionName": name})
        status, error, said = connection.exchange(sent)
        assert status < 500 or error == "NotImplementedException", (sent, said)
        assert status < 400 or error in REFUSALS, (sent, error, said)


@pytest.mark.parametrize("operation", of_function("Qualifier"))
def test_hostile_qualifiers_are_refused(connection: Connection, operation: str) -> None:
    """None is taken for another that is there."""
    cases = Cases(1)
    for qualifier in QUALIFIERS:
        given = cases.good(operation) | {"FunctionName": "there", "Qualifier": qualifier}
        given.pop("ClientContext", None)
        sent = request_of(cases.model, operation, given)
        status, error, said = connection.exchange(sent)
        assert status < 500 or error == "NotImplementedException", (sent, said)
        assert status < 400 or error in REFUSALS, (sent, error, said)
        if operation.startswith("Invoke"):
            assert (status < 300) == (qualifier in {"$LATEST", "live"}), (sent, status, said)


@pytest.mark.parametrize("operation", of_function("Marker"))
def test_markers_that_an_operation_never_gave_are_refused(
    connection: Connection, operation: str
) -> None:
    """Rubbish, another operation's, and each part of a good one; an empty one is none."""
    cases = Cases(1)
    good = cases.good("ListVersionsByFunction") | {"FunctionName": "there", "MaxItems": 1}
    del good["Marker"]
    marker = connection.answer(request_of(cases.model, "ListVersionsByFunction", good))[
        "NextMarker"
    ]
    parts = [marker[:length] for length in range(1, len(marker))]
    foreign = parts if operation == "ListVersionsByFunction" else [marker]
    no_text = f"{operation} ".encode() + b"\xff"
    foreign.append(base64.urlsafe_b64encode(zlib.crc32(no_text).to_bytes(4) + no_text).decode())
    for text in (*MARKERS, *foreign):
        given = cases.good(operation) | {"Marker": text}
        given.pop("MasterRegion", None)
        given |= {"FunctionName": "there"} if "FunctionName" in given else {}
        sent = request_of(cases.model, operation, given)
        status, error, said = connection.exchange(sent)
        if status != 404:
            assert (status == 200) == (text == ""), (sent, status, error, said)
            assert error in {"", "InvalidParameterValueException"}, (sent, said)


UPDATES: list[tuple[str, dict[str, Any]]] = [
    ("update_function_code", {"ZipFile": package({"index.py": "handler = print"})}),
    ("update_function_configuration", {"Timeout": 9}),
    ("publish_version", {}),
    ("update_alias", {"Name": "live", "Description": "other words"}),
    ("add_permission", {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "*"}),
]


@pytest.mark.parametrize(("operation", "members"), UPDATES, ids=[name for name, _ in UPDATES])
@pytest.mark.usefixtures("connection")
def test_a_stale_revision_id_changes_nothing(
    platform: GatewayHarness, operation: str, members: dict[str, Any]
) -> None:
    """Of whatever form it is."""
    client = platform.client()
    before = client.get_function(FunctionName="there")["Configuration"]
    for stale in (before["RevisionId"][:-1] + "x", before["RevisionId"].upper(), "0", "a" * 5_000):
        with pytest.raises(ClientError) as refused:
            getattr(client, operation)(FunctionName="there", RevisionId=stale, **members)
        assert refused.value.response["Error"]["Code"] == "PreconditionFailedException"
    assert client.get_function(FunctionName="there")["Configuration"] == before


@pytest.mark.usefixtures("connection")
def test_of_updates_at_once_one_is_made_and_the_others_conflict(platform: GatewayHarness) -> None:
    """Every answer is one or the other, and what was made is one of what was asked for."""
    client = platform.client()
    wait_for(client, "function_updated_v2", FunctionName="there")
    begun, answers = threading.Barrier(8), []

    def update(number: int) -> None:
        begun.wait()
        try:
            client.update_function_configuration(FunctionName="there", Timeout=10 + number)
            answers.append(str(10 + number))
        except ClientError as error:
            answers.append(error.response["Error"]["Code"])

    threads = [threading.Thread(target=update, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made = [one for one in answers if one.isdigit()]
    assert made
    assert {one for one in answers if not one.isdigit()} == {"ResourceConflictException"}
    wait_for(client, "function_updated_v2", FunctionName="there")
    assert str(client.get_function_configuration(FunctionName="there")["Timeout"]) in made
