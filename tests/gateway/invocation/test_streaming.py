"""Answers while their function writes them: the API's frames, function URLs, and who leaves."""

from __future__ import annotations

import http.client
import json
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from tests.support.gateway import GatewayHarness, package
from tests.support.http_client import fetch
from tests.support.streaming import BOOTSTRAP

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("writer")
PRELUDE = "application/vnd.awslambda.http-integration-response"
NULLS, BROKEN = "\0" * 8, b"Internal Server Error"
ERROR = {"errorType": "Broke", "errorMessage": "half way"}


@pytest.fixture(scope="module")
def writer(platform: GatewayHarness) -> str:
    """A function that writes what its event says."""
    return create(platform, "writer")


def create(platform: GatewayHarness, name: str) -> str:
    """Create such a function."""
    code = {"ZipFile": package({"bootstrap": BOOTSTRAP})}
    platform.create(name, "", Runtime="provided.al2023", Timeout=20, Code=code)
    return name


def stream(platform: GatewayHarness, event: object, name: str = "writer", **choices: Any) -> Any:
    """Ask for an answer piece by piece."""
    answer = platform.client().invoke_with_response_stream(
        FunctionName=name, Payload=json.dumps(event).encode(), **choices
    )
    return iter(answer["EventStream"])


def payloads(events: Any) -> bytes:
    """Join the pieces of a stream that ends without an error."""
    *chunks, last = events
    assert last == {"InvokeComplete": {}}
    return b"".join(event["PayloadChunk"]["Payload"] for event in chunks)


def test_a_piece_is_there_before_the_next_is_written(
    platform: GatewayHarness, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    events = stream(platform, {"pieces": ["a", None, "b"], "gate": str(gate)})
    assert next(events) == {"PayloadChunk": {"Payload": b"a"}}
    gate.touch()
    assert payloads(events) == b"b"


def test_the_same_function_answers_whole(platform: GatewayHarness) -> None:
    """To whoever asks by Invoke, and within the limit of that."""
    client = platform.client()
    event: dict[str, Any] = {"pieces": ["[1,", "2]"]}
    answer = client.invoke(FunctionName="writer", Payload=json.dumps(event).encode())
    assert answer["Payload"].read() == b"[1,2]"
    event = {"pieces": ["x" * 65_536], "times": 160}
    assert len(payloads(stream(platform, event))) == 160 * 65_536
    answer = client.invoke(FunctionName="writer", Payload=json.dumps(event).encode())
    assert json.loads(answer["Payload"].read())["errorType"] == "Function.ResponseSizeTooLarge"


def test_a_function_that_answers_whole(platform: GatewayHarness) -> None:
    """Is answered in the same frames, its errors in the last one."""
    platform.create("whole", "def handler(e, c):\n    return 1 / e['by']\n")
    client = platform.client()
    ask = client.invoke_with_response_stream
    well = ask(FunctionName="whole", Payload=b'{"by": 2}', LogType="Tail")
    piece, last = well["EventStream"]
    assert piece == {"PayloadChunk": {"Payload": b"0.5"}}
    assert set(last["InvokeComplete"]) == {"LogResult"}
    assert (well["StatusCode"], well["ExecutedVersion"]) == (200, "$LATEST")
    assert well["ResponseStreamContentType"] == "application/vnd.amazon.eventstream"
    (failed,) = ask(FunctionName="whole", Payload=b'{"by": 0}')["EventStream"]
    assert failed["InvokeComplete"]["ErrorCode"] == "Unhandled"
    assert json.loads(failed["InvokeComplete"]["ErrorDetails"])["errorType"] == "ZeroDivisionError"


@pytest.mark.parametrize(
    ("end", "told"),
    [
        ({"error": ERROR}, "Broke"),
        ({"exit": True}, "Runtime."),
    ],
)
def test_an_error_in_the_middle(platform: GatewayHarness, end: dict[str, Any], told: str) -> None:
    """Stands in the last frame, and the next call is served."""
    piece, last = stream(platform, {"pieces": ["a"]} | end, LogType="Tail")
    assert piece == {"PayloadChunk": {"Payload": b"a"}}
    assert last["InvokeComplete"]["ErrorCode"] == "Unhandled"
    assert json.loads(last["InvokeComplete"]["ErrorDetails"])["errorType"].startswith(told)
    assert last["InvokeComplete"]["LogResult"]
    assert payloads(stream(platform, {"pieces": ["b"]})) == b"b"


def test_what_is_checked_before(platform: GatewayHarness) -> None:
    dry = platform.client().invoke_with_response_stream(
        FunctionName="writer", InvocationType="DryRun"
    )
    assert dry["StatusCode"] == 204
    dry["EventStream"].close()  # else it goes in a cycle, and may do so after its socket
    with pytest.raises(ClientError, match="Member must satisfy enum value set"):
        stream(platform, {}, InvocationType="Event")
    with pytest.raises(ClientError, match="Could not parse request body into json"):
        platform.client().invoke_with_response_stream(FunctionName="writer", Payload=b"{")
    with pytest.raises(ClientError, match="Function not found"):
        platform.client().invoke_with_response_stream(FunctionName="nobody")


def test_a_client_that_leaves_ends_nothing(platform: GatewayHarness, tmp_path: Path) -> None:
    """The function writes on into the void, and its one environment serves the next call."""
    gate, name = tmp_path / "gate", create(platform, "leaver")
    platform.client().put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    answer = platform.client().invoke_with_response_stream(
        FunctionName=name,
        Payload=json.dumps(
            {"pieces": ["a" * 65_536, None], "gate": str(gate), "times": 40}
        ).encode(),
    )
    assert next(iter(answer["EventStream"]))
    answer["EventStream"].close()
    gate.touch()
    deadline = time.monotonic() + 10
    while True:
        try:
            assert payloads(stream(platform, {"pieces": ["b"]}, name)) == b"b"
        except ClientError:  # it is busy until it has written all
            assert time.monotonic() < deadline
        else:
            break


@pytest.fixture(scope="module")
def host(platform: GatewayHarness, writer: str) -> str:
    """The host of the function's URL."""
    made = platform.open_url(writer, InvokeMode="RESPONSE_STREAM")
    assert made["InvokeMode"] == "RESPONSE_STREAM"
    host = str(urlsplit(made["FunctionUrl"]).hostname)
    deadline = time.monotonic() + 10
    while fetch(platform.port, "/", host=host).body == b'{"Message":null}':
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return host


@contextmanager
def asking(
    platform: GatewayHarness, host: str, event: object, method: str = "POST"
) -> Iterator[http.client.HTTPResponse]:
    """Send an event to a function URL; the body is still to be read."""
    connection = http.client.HTTPConnection("127.0.0.1", platform.port, timeout=20)
    headers = {"Host": host, "Content-Type": "application/json"}
    with closing(connection):
        connection.request(method, "/", json.dumps(event), headers)
        yield connection.getresponse()


def read(platform: GatewayHarness, host: str, event: object) -> tuple[int, bytes]:
    """Return status and body."""
    with asking(platform, host, event) as answer:
        return answer.status, answer.read()


def test_an_address_that_streams(platform: GatewayHarness, host: str, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with asking(platform, host, {"pieces": ["a", None, "b"], "gate": str(gate)}) as answer:
        assert (answer.status, answer.getheader("Content-Type")) == (200, "text/plain")
        assert answer.read(1) == b"a"
        gate.touch()
        assert answer.read() == b"b"


def test_a_prelude_says_status_headers_and_cookies(platform: GatewayHarness, host: str) -> None:
    """However it is cut; what follows is the body."""
    prelude = json.dumps({
        "statusCode": 418, "headers": {"X-Own": "1", "Content-Type": "text/html"},
        "cookies": ["a=1", "b=2"],
    })  # fmt: skip
    pieces = [prelude[:9], prelude[9:], "\0\0\0", "\0\0\0\0\0<p>", "</p>"]
    with asking(platform, host, {"type": PRELUDE, "pieces": pieces}) as answer:
        assert (answer.status, answer.read()) == (418, b"<p></p>")
    told = answer.headers
    assert (told["Content-Type"], told["X-Own"]) == ("text/html", "1")
    assert told.get_all("Set-Cookie") == ["a=1", "b=2"]


@pytest.mark.parametrize(
    ("written", "status", "body"),
    [
        ("{}" + NULLS + "x", 200, b"x"),
        ('{"statusCode": 204}' + NULLS + "x", 204, b""),
        ("{}", 502, BROKEN),
        ("[]" + NULLS, 502, BROKEN),
        ('{"statusCode": "many"}' + NULLS, 502, BROKEN),
        ('{"headers": {"a": "\\r\\nb: c"}}' + NULLS, 502, BROKEN),
        ("x" * 140_000, 502, BROKEN),
    ],
    ids=["empty", "bodiless", "endless", "no object", "no status", "control", "large"],
)
def test_preludes_of_all_kinds(
    platform: GatewayHarness, host: str, written: str, status: int, body: bytes
) -> None:
    event = {"type": PRELUDE, "pieces": [written]}
    assert read(platform, host, event) == (status, body)


def test_what_fails_before_its_first_piece_is_a_502(platform: GatewayHarness, host: str) -> None:
    assert read(platform, host, {"pieces": [], "error": ERROR}) == (502, BROKEN)
    broken = {"type": PRELUDE, "pieces": ["{"], "exit": True}
    assert read(platform, host, broken) == (502, BROKEN)


def test_a_response_that_breaks_off_is_cut(platform: GatewayHarness, host: str) -> None:
    """So that nobody takes it for a whole one."""
    event = {"pieces": ["a"], "error": ERROR}
    with (
        asking(platform, host, event) as answer,
        pytest.raises((http.client.IncompleteRead, ConnectionResetError)),
    ):
        answer.read()


def test_a_head_has_no_body(platform: GatewayHarness, host: str) -> None:
    with asking(platform, host, {"pieces": ["a", "b"]}, "HEAD") as answer:
        assert (answer.status, answer.read()) == (200, b"")
