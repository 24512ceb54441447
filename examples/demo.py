"""`make demo`: a local platform, every example invoked with boto3 on real input, cold and warm.

Shows what was sent and what came back, then where asynchronous events end; the exit status is 0
only if every call ended as it should.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tests.support.dev_process import DevProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["main"]

SHOWN = 300
"""Characters of an event or an answer that are printed."""
ACCEPTED = 202
END_SECONDS = 10.0
"""How long an event may take to its end."""
DEAD = "event is dead"
"""What the platform says of an event that became a dead letter."""


@dataclass(frozen=True, slots=True)
class Example:
    """A function of the examples, and an event for it."""

    function: str
    event: dict[str, Any]
    fails: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """An asynchronous event for a function of the examples, and the line that says how it ended."""

    function: str
    event: dict[str, Any]
    ends_with: str


@dataclass(frozen=True, slots=True)
class Result:
    """What one call gave."""

    payload: bytes
    failed: bool
    log: list[str]
    milliseconds: float


def purchase() -> dict[str, Any]:
    """Return what a buyer in Germany bought."""
    items = [{"name": "Lampe", "price": 39.9}, {"name": "Kabel", "price": 4.05}]
    return {"locale": "de-DE", "currency": "EUR", "day": "2026-11-28", "items": items}


def published(payment: dict[str, Any]) -> dict[str, Any]:
    """Return a payment as a topic's reader would bring it."""
    return {"records": {"payments-0": [{"offset": 0, "value": encoded(payment)}]}}


def encoded(document: object) -> str:
    """Return a document as streams and brokers carry it."""
    return base64.b64encode(json.dumps(document).encode()).decode()


def queued(order: dict[str, Any]) -> dict[str, Any]:
    """Return an order as a queue's poller would bring it."""
    attributes = {"ApproximateReceiveCount": "1"}
    record = {"messageId": "m-1", "body": json.dumps(order), "attributes": attributes}
    return {"Records": [record]}


def examples(folder: Path) -> Iterator[Example]:
    """Return every example with real input."""
    data = folder / "data"
    yield Example("hello", {"name": "Ada"})
    yield Example("wordcount", {"text": (data / "text.txt").read_text(), "most": 3})
    yield Example("report", {"csv": (data / "sales.csv").read_text()})
    yield Example("settings", {"any": "thing"})
    yield Example("failing", {"amount": "a lot"}, fails=True)
    yield Example("presigned", {"bucket": "photos", "key": "2026/harbour.jpg"})
    yield Example("shell", {"text": "a runtime in fifteen lines"})
    yield Example("receipt", purchase())
    yield Example("page", {"queryStringParameters": {"name": "Ada"}, "cookies": ["visits=2"]})
    yield Example("pets", {"pathParameters": {"id": "2"}})
    yield Example("nightly", {"time": "2026-11-23T01:30:00Z", "task": "tidy up"})
    yield Example("jobs", queued({"id": 7, "items": [{"price": 39, "count": 2}]}))
    yield Example("payments", published({"account": "ada", "amount": 40}))
    yield Example("clicks", {"Records": [{"kinesis": {"data": encoded({"page": "/"})}}]})
    yield Example("letters", {"rmqMessagesByQueue": {"letters::/": [{"data": encoded("hi")}]}})
    yield Example("carts", {"Records": [{"fields": {"cart": "7", "item": "lamp"}}]})
    yield Example("sensors", {"Records": [{"subject": "oven", "data": encoded(93.5)}]})
    yield Example("fanout", {"Records": []})
    yield Example("sales", {"Records": []})
    yield Example("orders", {"order": 6, "items": {"lamp": 39, "bulb": 4}})
    yield Example("notify", _record({"order": 6}, {"total": 43}))
    yield Example("intake", {"weight": "12 kg"})


def sent() -> Iterator[Sent]:
    """Return events whose ends are shown: two at a destination, one in the dead-letter store."""
    yield Sent("orders", {"order": 7, "items": {"lamp": 39}}, "order 7: Success, 39")
    yield Sent("orders", {"order": 8, "items": {}}, "order 8: RetriesExhausted")
    yield Sent("intake", {"weight": "heavy"}, DEAD)


def _record(event: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """Return what a destination gets of an event."""
    context = {"condition": "Success"}
    return {"requestContext": context, "requestPayload": event, "responsePayload": answer}


def main(folder: Path = Path("examples")) -> int:
    """Run the demo; gives the exit status."""
    started = time.monotonic()
    click.echo(f"Starting `pilotlight dev {folder}` …")
    with (
        tempfile.TemporaryDirectory(prefix="pilotlight-demo-") as state,
        DevProcess(folder, "--no-watch", state=Path(state)) as platform,
    ):
        click.echo(f"Serving at {platform.endpoint} after {time.monotonic() - started:.1f} s\n")
        with closing(_client(platform.endpoint)) as client:
            wrong = [one.function for one in examples(folder) if not _show(client, one)]
            wrong += [one.function for one in sent() if not _follow(client, platform, one)]
        wrong += _show_dead_letters(platform.endpoint, "intake")
        status = platform.stop()
    if wrong or status:
        click.echo(f"Not as it should be: {', '.join(wrong) or f'exit status {status}'}", err=True)
        return 1
    click.echo(f"All examples answered; {time.monotonic() - started:.1f} s in all.")
    return 0


def _client(endpoint: str) -> Any:
    # A development dependency: the platform itself needs no AWS library.
    import boto3  # noqa: PLC0415

    return boto3.client(
        "lambda",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106  local mode believes everybody
    )


def _show(client: Any, example: Example) -> bool:
    """Call an example cold and warm and print both; say whether it ended as it should."""
    click.secho(f"── {example.function} ", bold=True)
    click.echo(f"sent  {_short(json.dumps(example.event, ensure_ascii=False))}")
    cold, warm = _invoke(client, example), _invoke(client, example)
    click.echo(f"got   {_short(warm.payload.decode())}")
    for line in warm.log:
        click.echo(f"log   {line}")
    click.echo(f"took  cold {cold.milliseconds:.0f} ms, warm {warm.milliseconds:.1f} ms\n")
    return cold.failed == warm.failed == example.fails


def _invoke(client: Any, example: Example) -> Result:
    started = time.perf_counter()
    answer = client.invoke(
        FunctionName=example.function, Payload=json.dumps(example.event), LogType="Tail"
    )
    payload = answer["Payload"].read()
    milliseconds = (time.perf_counter() - started) * 1000
    log = base64.b64decode(answer.get("LogResult", "")).decode(errors="replace")
    lines = log.replace("\r", "\n").splitlines()
    return Result(payload, "FunctionError" in answer, lines, milliseconds)


def _follow(client: Any, platform: DevProcess, sent: Sent) -> bool:
    """Send an event, wait for its end and print both; say whether it ended as it should."""
    click.secho(f"── {sent.function}, asynchronously ", bold=True)
    click.echo(f"sent  {json.dumps(sent.event)}")
    printed = len(platform.lines)
    answer = client.invoke(
        FunctionName=sent.function, InvocationType="Event", Payload=json.dumps(sent.event)
    )
    request_id = answer["ResponseMetadata"]["RequestId"]
    click.echo(f"got   {answer['StatusCode']}, accepted as {request_id}")
    try:
        line = platform.wait_for(sent.ends_with, after=printed, seconds=END_SECONDS)
    except RuntimeError:
        click.echo(f"then  nothing that says {sent.ends_with!r}\n")
        return False
    click.echo(f"then  {click.unstyle(line).strip()}\n")
    return bool(answer["StatusCode"] == ACCEPTED)


def _show_dead_letters(endpoint: str, function: str) -> list[str]:
    """Show what `pilotlight dlq list` says; gives the function if it says nothing of it."""
    command = ["-m", "pilotlight_cli", "dlq", "list", function]
    click.secho(f"── pilotlight dlq list {function} ", bold=True)
    listed = subprocess.run(  # noqa: S603  our own command
        [sys.executable, *command],
        env=os.environ | {"AWS_ENDPOINT_URL": endpoint},
        stdout=subprocess.PIPE,
        check=False,
        text=True,
    )
    click.echo(listed.stdout)
    return [] if "RetriesExhausted" in listed.stdout else [function]


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}… ({len(text)} characters)"


if __name__ == "__main__":
    sys.exit(main())
