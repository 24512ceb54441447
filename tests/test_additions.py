"""Adding something touches what docs/architecture.md says, and no more: a toy of each kind."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from prometheus_client import CollectorRegistry, Counter

from pilotlight import runtimes
from pilotlight.claims import Lease, RevisionKey
from pilotlight.keep_alive import RULES, KeepAlive, KeepAliveSpec
from pilotlight.resources import AsyncConfig, ObjectMeta, Route, RouteSpec, destination_kind
from pilotlight.resources.asynchronous import ADDRESSES
from pilotlight.resources.event_source_kinds import SOURCE_KINDS
from pilotlight.settings import setting, settings_of
from pilotlight_agent import runtimes as agents_runtimes
from pilotlight_cli import builders
from pilotlight_cli.archive import entry_of
from pilotlight_cli.builders import Packager, Target, Workshop
from pilotlight_cli.package import Built
from pilotlight_gateway.access import open_to_all
from pilotlight_gateway.apis.doors import SERVICES
from pilotlight_gateway.apis.lambda_.table import LAMBDA
from pilotlight_gateway.apis.protocols import error_in
from pilotlight_gateway.apis.service import Endpoint
from pilotlight_gateway.event_sources import SOURCES
from pilotlight_gateway.events.attempt import Ran
from pilotlight_gateway.exchange import json_reply
from pilotlight_gateway.http.errors import HttpError
from pilotlight_gateway.invocation.cold_starts import ColdStarts
from pilotlight_gateway.invocation.dispatch.dispatcher import Dispatcher
from pilotlight_gateway.invocation.dispatch.environment import Environment
from pilotlight_gateway.metrics import Metrics
from tests.support.gateway import ACCOUNT, REGION, GatewayHarness
from tests.support.http_client import fetch
from tests.support.packed import read_package

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pilotlight.claims import Claims
    from pilotlight.keep_alive import IdleTimes
    from pilotlight_gateway.apis.service import Request
    from pilotlight_gateway.errors import ApiError
    from pilotlight_gateway.event_sources.source import HeldShard, PolledMapping
    from pilotlight_gateway.events.delivery import Destination
    from pilotlight_gateway.events.record import InvocationRecord
    from pilotlight_gateway.exchange import Call, Reply
    from pilotlight_gateway.http.push import Pushed
    from pilotlight_gateway.http.site import Match
    from pilotlight_gateway.invocation.dispatch.log_sink import LogSink
    from pilotlight_gateway.services import Services

ROOT = Path(__file__).parents[1]


def test_the_table_names_what_is_there() -> None:
    """At most two things to touch for each, and every place exists."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    section = page.partition("## To add")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| ")]
    assert [row[0].strip() for row in rows[2:]] == [
        "an operation of Lambda", "an AWS service", "an event source",
        "a sender of events over HTTP", "a destination",
        "a runtime family", "a kind of project to build", "a kind of resource",
        "a metric", "a keep-alive rule", "a setting",
    ]  # fmt: skip
    for row in rows[2:]:
        assert len(row[1].split(";")) <= 2, row
        for path in re.findall(r"`([a-z-]+/[^`]*)`", "".join(row)):
            assert (ROOT / path).exists(), path


class Toy:
    """A service that answers everything; `asked` is who did."""

    name = "toy"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def find(self, request: Request) -> Endpoint:
        return Endpoint("Play", self._play, {"path": request.path}, limit=10, access=open_to_all)

    def error(self, request: Request, error: ApiError, request_id: str) -> Reply:
        del request
        return error_in("json-1.1", error, request_id)

    async def _play(self, services: Services, call: Call) -> Reply:
        del services
        self.asked.append(call.caller.account)
        return json_reply({"operation": call.operation})


class Mailman:
    """A source that invokes its function once, and says what came back."""

    def __init__(self, polled: PolledMapping, answered: list[bytes]) -> None:
        self._polled = polled
        self._answered = answered

    async def check(self) -> None:
        return

    async def run(self, shard: HeldShard) -> None:
        outcome = await self._polled.invoke(b'"from the source"')
        assert isinstance(outcome, Ran)
        shard.report("OK")
        self._answered.append(outcome.payload)
        await shard.stopping.wait()


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayHarness]:
    """A platform of its own: what is added here must not be seen by others."""
    harness = GatewayHarness(tmp_path_factory.mktemp("added"))
    harness.create("added", "def handler(event, context):\n    return event\n")
    yield harness
    harness.close()


def test_an_operation(platform: GatewayHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its model is there already; a line in the table makes it answer, and know its name."""

    async def get_policy(services: Services, call: Call) -> Reply:
        del services
        return json_reply({"Policy": json.dumps([call.operation, call.input["FunctionName"]])})

    monkeypatch.setitem(LAMBDA, "GetPolicy", get_policy)
    answer = platform.client().get_policy(FunctionName="added")
    assert json.loads(answer["Policy"]) == ["GetPolicy", "added"]


def test_an_aws_service(platform: GatewayHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found by the signature's scope; its errors are its own."""
    toy = Toy()
    monkeypatch.setitem(SERVICES, "toy", toy)
    signed = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={ACCOUNT}/20261128/{REGION}/toy/"
        "aws4_request, SignedHeaders=host, Signature=0"
    }
    status, _, body = platform.post("/", b"", signed)
    assert (status, json.loads(body)) == (200, {"operation": "Play"})
    assert toy.asked == [ACCOUNT]
    status, headers, body = platform.post("/", b"more than ten bytes", signed)
    assert (status, headers["Content-Type"]) == (413, "application/x-amz-json-1.1")
    assert json.loads(body)["__type"] == "RequestEntityTooLargeException"


def test_an_event_source(monkeypatch: pytest.MonkeyPatch, platform: GatewayHarness) -> None:
    """A row that says what it allows and a line in the table: a mapping of it is polled."""
    answered: list[bytes] = []
    kind = dataclasses.replace(
        SOURCE_KINDS["mq"], name="toy", address=re.compile("arn:aws:toy:us-east-1:[0-9]{12}:t")
    )
    monkeypatch.setitem(SOURCE_KINDS, "toy", kind)
    monkeypatch.setitem(SOURCES, "toy", lambda polled: Mailman(polled, answered))
    manifest = {
        "apiVersion": "pilotlight.dev/v1alpha1", "kind": "EventSourceMapping",
        "metadata": {"name": "toy"},
        "spec": {"function": "added", "eventSourceArn": f"arn:aws:toy:us-east-1:{ACCOUNT}:t"},
    }  # fmt: skip
    assert platform.post("/-/apply", json.dumps(manifest).encode())[0] == 200
    wait_until(lambda: answered == [b'"from the source"'])


class Mailbox:
    """A destination that keeps what it gets."""

    def __init__(self) -> None:
        self.kept: list[str] = []

    async def deliver(self, record: InvocationRecord, destination: Destination) -> None:
        del record
        self.kept.append(destination.address)

    async def close(self) -> None:
        self.kept.clear()


def test_a_sender_of_events(platform: GatewayHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """A route of its format meets it, in the place of the one that has the name here."""

    class Sender:
        async def events(self, match: Match) -> list[Pushed]:
            raise HttpError(418, match.request.body.decode())

    endpoint = platform.gateway._clients._http
    monkeypatch.setitem(endpoint._pushes, "s3", Sender())
    spec = RouteSpec(host="toy.example.com", path="/", function="f", payload_format="s3")
    route = Route(metadata=ObjectMeta(name="toy", namespace="default"), spec=spec)
    platform.call(platform.resources.create(route))
    while not endpoint.sites.serves("toy.example.com", "/"):
        time.sleep(0.005)
    answer = fetch(platform.port, "/", method="POST", host="toy.example.com", body=b"toy")
    assert (answer.status, answer.json()) == (418, {"message": "toy"})
    platform.call(platform.resources.delete(Route, route.key))


def test_a_destination(monkeypatch: pytest.MonkeyPatch, platform: GatewayHarness) -> None:
    """An address of its form is accepted wherever destinations are, and leads there."""
    with pytest.raises(ValueError, match="is expected"):
        AsyncConfig(on_success="arn:aws:mailbox:us-east-1:000000000000:toy")
    monkeypatch.setitem(
        ADDRESSES, "mailbox", re.compile(r"arn:aws:mailbox:[a-z0-9-]+:\d{12}:[a-z]+")
    )
    config = AsyncConfig(on_success="arn:aws:mailbox:us-east-1:000000000000:toy")
    assert destination_kind(config.on_success or "") == "mailbox"
    mailbox, events = Mailbox(), platform.gateway._asynchronous
    monkeypatch.setitem(events._destinations.of_kind, "mailbox", mailbox)
    platform.create("tells", "def handler(event, context):\n    return 1\n")
    client = platform.client()
    client.put_function_event_invoke_config(
        FunctionName="tells",
        DestinationConfig={
            "OnSuccess": {"Destination": "arn:aws:mailbox:us-east-1:000000000000:toy"}
        },
    )
    client.invoke(FunctionName="tells", InvocationType="Event")
    wait_until(lambda: mailbox.kept == ["arn:aws:mailbox:us-east-1:000000000000:toy"])


class ToyBuilder:
    """Makes a toy's code of its plan."""

    prefix = "python"
    handler: str | None = None

    def manifest(self, folder: Path) -> str | None:
        return "toy.plan" if (folder / "toy.plan").exists() else None

    def runtime(self, folder: Path) -> str:
        del folder
        return "python3.13"

    def build(self, folder: Path, target: Target, workshop: Workshop) -> Built:
        del workshop
        made = (folder / "toy.plan").read_bytes() + target.runtime.encode()
        return Built({"toy.py": entry_of("toy.py", made, 0o644)})


def test_a_kind_of_project_to_build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its manifest makes a folder one, of which it makes what is packed."""
    monkeypatch.setattr(builders, "BUILDERS", (*builders.BUILDERS, ToyBuilder()))
    (tmp_path / "toy.plan").write_text("# for ")
    made = Packager(Workshop(tmp_path / "cache")).package_of(
        tmp_path, Target("python3.13", "x86_64")
    )
    assert read_package(made)["toy.py"] == "# for python3.13"


def test_a_runtime_family(monkeypatch: pytest.MonkeyPatch) -> None:
    """One object on each side; both are found by the runtime's id."""
    toy = runtimes.Family(prefix="toy", supported=frozenset({"toy1"}), suffix=".toy")
    monkeypatch.setattr(runtimes, "FAMILIES", (toy, *runtimes.FAMILIES))
    assert runtimes.family_of("toy1").source_file("index.handler") == "index.toy"

    class ToyRuntime(agents_runtimes.FAMILIES[-1].__class__):  # type: ignore[misc]  # found at run time
        prefix = "toy"

    monkeypatch.setattr(agents_runtimes, "FAMILIES", (ToyRuntime(), *agents_runtimes.FAMILIES))
    assert isinstance(agents_runtimes.family_of("toy1"), ToyRuntime)


KIND = """
import json, sys
from typing import ClassVar, Literal
from pilotlight.resources import Model, Resource, registry

class Gear(Model):
    "What it is."
    teeth: int

class Gadget(Resource):
    "A toy."
    kind_name: ClassVar[str] = "Gadget"
    plural: ClassVar[str] = "gadgets"
    short_names: ClassVar[tuple[str, ...]] = ("gd",)
    listed: ClassVar[bool] = True
    kind: Literal["Gadget"] = "Gadget"
    spec: Gear

registry.KINDS["Gadget"] = registry.CUSTOM_KINDS["Gadget"] = Gadget  # as its line would

import pathlib
from pilotlight.resources.crd import crds
from tests.support.gateway import GatewayHarness

if __name__ == "__main__":
    names = [one["spec"]["names"]["plural"] for one in crds()]
    manifest = {
        "apiVersion": "pilotlight.dev/v1alpha1", "kind": "Gadget",
        "metadata": {"name": "one"}, "spec": {"teeth": 12},
    }
    harness = GatewayHarness(pathlib.Path(sys.argv[1]))
    applied = harness.post("/-/apply", json.dumps(manifest).encode())[0]
    listed = json.loads(harness.get("/-/gadgets")[2])["items"]
    harness.close()
    print(json.dumps([names[-1], applied, [one["spec"] for one in listed]]))
"""


def test_a_kind_of_resource(tmp_path: Path) -> None:
    """A CRD is made of it, and it is applied, cached and listed under `/-/gadgets`."""
    script = tmp_path / "gadget.py"
    script.write_text(KIND)
    ran = subprocess.run(
        [sys.executable, script, tmp_path / "pods"],
        capture_output=True, text=True, check=False, timeout=60, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout.splitlines()[-1]) == ["gadgets", 200, [{"teeth": 12}]]


def test_a_metric() -> None:
    """A part that makes one in the registry is shown with the others."""
    metrics = Metrics()
    Counter("pilotlight_toys", "Toys.", registry=metrics.registry).inc()
    assert b"pilotlight_toys_total 1.0" in metrics.render()


async def test_a_keep_alive_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line of `RULES`: the dispatcher goes by the one that the gateway's setting names."""

    def impatient(history: IdleTimes | None, spec: KeepAliveSpec, *, others: int = 0) -> KeepAlive:
        del history, spec, others
        return KeepAlive(0.0, 1.0)

    monkeypatch.setitem(RULES, "impatient", impatient)
    revision = RevisionKey("default", "f", "0" * 16)
    lease = Lease("l", revision, "e", "default/p", "127.0.0.1", 1, 1)
    now = asyncio.get_running_loop().time()
    for rule, overdue in (("impatient", 1), ("hybrid", 0)):
        dispatcher = Dispatcher(
            cast("Claims", None), b"key", cast("LogSink", None), ColdStarts(CollectorRegistry()),
            gateway="g", keep_alive=rule,
        )  # fmt: skip
        queue = dispatcher._queue(revision)
        queue.add(Environment.of(lease, b"key", "g"))
        assert len([*dispatcher._idling.overdue(revision, queue, now + 5)]) == overdue


def test_a_setting() -> None:
    """A field is an option and a variable at once."""
    toy = dataclasses.make_dataclass(
        "Toys", [("most_toys", "int", setting("How many.", default=3))], kw_only=True
    )
    (found,) = settings_of(toy)
    assert (found.option, found.variable, found.default) == (
        "--most-toys", "PILOTLIGHT_MOST_TOYS", 3,
    )  # fmt: skip


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)
