"""What agent and platform must agree on is said once, in wire; here both ends are held to it."""

from __future__ import annotations

import json
import re
from dataclasses import MISSING, fields
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

import pilotlight.agent
import pilotlight_agent
import pilotlight_gateway.invocation
import pilotlight_node
import pilotlight_python
from pilotlight.agent.invoke import _USUAL
from pilotlight_agent.gateway_api import _reply
from pilotlight_agent.http.server import Connection
from pilotlight_agent.invocations.failure import Status
from pilotlight_agent.invocations.invocation import Answer, Result
from pilotlight_agent.invocations.report import Report
from pilotlight_agent.journal import Journal, Source
from pilotlight_wire import frames, specialisation
from pilotlight_wire.events import Event, EventType
from pilotlight_wire.message import InvalidMessageError, Message
from pilotlight_wire.protocol import Header, State
from pilotlight_wire.protocol import Path as Operation

if TYPE_CHECKING:
    import asyncio

BOTH_ENDS = (pilotlight.agent, pilotlight_gateway.invocation, pilotlight_agent)
FUNCTION = specialisation.FunctionFacts(
    name="f", version="7", arn="arn:aws:lambda:us-east-1:000000000001:function:f:7",
    account="000000000001", region="eu-west-1", runtime="python3.13", handler="index.handler",
    memory=256, timeout=4, ephemeral_storage=1024, log_group="/own", log_format="JSON",
    application_log_level="DEBUG", system_log_level="WARN", initialization_type="provisioned",
    calls_per_environment=4, lifetime=60, tenant_id="t",
)  # fmt: skip
CODE = specialisation.CodeSource(sha256="a" * 64, url="http://gateway/x", ticket="t")
ROLE = specialisation.CredentialsSource(url="http://gateway/role", ticket="t")
IMAGE = specialisation.ImageProcess(
    entry_point=["/entry"], command=["handler"], working_directory="/srv", environment={"LD": "x"}
)
ENVIRONMENT = specialisation.EnvironmentState(
    id="e", state="idle", initialised=True, epoch=3, holder="gateway-1"
)
MESSAGES: list[Message] = [
    FUNCTION,
    CODE,
    ROLE,
    IMAGE,
    ENVIRONMENT,
    specialisation.Specialisation(
        revision="0" * 16,
        function=FUNCTION,
        object_name="f",
        environment={"A_B": "c"},
        credentials={"AWS_ACCESS_KEY_ID": "k"},
        role=ROLE,
        code=CODE,
        image=IMAGE,
        environments=2,
    ),
    specialisation.MoreEnvironments(count=3),
    specialisation.Fence(epoch=4),
    specialisation.Specialised(
        environments=[ENVIRONMENT], fetch_milliseconds=1.5, unpack_milliseconds=2, processors=4
    ),
    specialisation.PodState(
        state="specialised",
        draining=True,
        revision="r",
        object_name="f",
        environments=[ENVIRONMENT],
    ),
]
NAMES = [type(message).__name__ for message in MESSAGES]


def test_every_document_is_here() -> None:
    kinds = {kind for kind in vars(specialisation).values() if isinstance(kind, type)}
    assert {kind.__name__ for kind in kinds if issubclass(kind, Message)} - {"Message"} == {*NAMES}


@pytest.mark.parametrize("message", MESSAGES, ids=NAMES)
def test_every_field_arrives_as_it_was_sent(message: Message) -> None:
    """No field of the examples has its default, so that none can be lost without being missed."""
    assert [f.name for f in _fields(message) if getattr(message, f.name) == f.default] == []
    assert type(message).from_json(message.to_json()) == message


@pytest.mark.parametrize("message", MESSAGES, ids=NAMES)
def test_what_is_not_said_has_its_default(message: Message) -> None:
    """And what has none is asked for by its name."""
    required = {f.name for f in _fields(message) if f.default is f.default_factory is MISSING}
    document = message.to_json()
    for field in _fields(message):
        name = re.sub("_(.)", lambda found: found[1].upper(), field.name)
        rest = {key: value for key, value in document.items() if key != name}
        if field.name in required:
            with pytest.raises(InvalidMessageError, match=name):
                type(message).from_json(rest)
        else:
            default = field.default_factory() if callable(field.default_factory) else field.default
            assert getattr(type(message).from_json(rest), field.name) == default


def test_neither_end_has_names_of_its_own() -> None:
    """Headers and paths are written in wire alone."""
    sources = [path for end in BOTH_ENDS for path in Path(end.__path__[0]).rglob("*.py")]
    own = {
        (path.name, name)
        for path in sources
        for name in re.findall(r"""["'](?:pilotlight-[a-z-]+|/v1/\w+)""", path.read_text().lower())
    }
    assert len(sources) > 40
    assert own == set()


def test_both_ends_know_every_header_and_operation() -> None:
    agents, platforms = (
        "".join(path.read_text() for end in ends for path in Path(end.__path__[0]).rglob("*.py"))
        for ends in (BOTH_ENDS[-1:], BOTH_ENDS[:-1])
    )
    names = [f"Header.{one.name}" for one in Header] + [f"Path.{one.name}" for one in Operation]
    assert [name for name in names if name not in agents] == []
    # The kubelet asks for LIVE; a pod is drained by its SIGTERM; nobody has an identity yet.
    unused = {"Path.LIVE", "Path.DRAIN", "Header.COGNITO_IDENTITY"}
    assert {name for name in names if name not in platforms} == unused


async def test_the_journal_writes_events_as_they_are_read() -> None:
    journal = Journal()
    source = Source(journal, "e", "2026/11/28/[7]e")
    source.tell_line(EventType.LOG, "r", 'a "line"')
    source.tell_state("idle")
    source.tell_exit("r", -9)
    journal.append(EventType.ZYGOTE, '"state":"failed","reason":"why"')
    journal.flush()
    told: list[dict[str, Any]] = [json.loads(line.text) for line in journal.since(0)[0]]
    assert [event["type"] for event in told] == ["log", "state", "exit", "zygote"]
    assert {name for event in told for name in event} == Event.__annotations__.keys() - {
        "count",
        "bytes",
    }


async def test_agents_answer_in_the_form_that_is_read_in_one_step() -> None:
    """Any other would be read as well, and take longer, and nobody would see it."""
    written: list[bytes] = []
    connection = Connection(lambda *_: None, 1)
    connection.transport = cast("asyncio.Transport", SimpleNamespace(write=written.append))
    report = Report("r", 1.5, 128, 30, 200.25, Status.SUCCESS)
    result = Result(b"{}", "application/json; charset=utf-8")
    _reply(connection, Answer(result, report, None, State.IDLE))
    assert _USUAL.fullmatch(written[0].partition(b"\r\n\r\n")[0])


def test_the_python_runtime_has_the_frames_names() -> None:
    """It keeps its own, since it is alone with the function in its interpreter.

    Its answers are whole, as on Lambda, it takes one event at a time, and lives on after errors.
    """
    channel = Path(pilotlight_python.__path__[0], "channel.py").read_text()
    assert f'Struct("{frames.LENGTHS.format}")' in channel
    others = {frames.Type.CHUNK, frames.Type.TAKEN, frames.Field.LAST}
    names = {*_constants(frames.Type), *_constants(frames.Field)} - others
    assert {name for name in names if f'"{name}"' not in channel} == set()


def test_the_node_runtime_has_the_frames_names() -> None:
    """As fields of its headers, wherever it reads or writes one."""
    folder = Path(pilotlight_node.__path__[0])
    source = "".join(path.read_text() for path in folder.glob("*.mjs"))
    kinds = {name for name in _constants(frames.Type) if f'type: "{name}"' not in source}
    assert kinds == set()
    assert {name for name in _constants(frames.Word) if f'type === "{name}"' not in source} == set()
    names = {name for name in _constants(frames.Field) if not re.search(rf"\b{name}\b", source)}
    assert names == set()


def _constants(kind: type) -> set[str]:
    return {value for name, value in vars(kind).items() if name.isupper()}


def _fields(message: Any) -> Any:
    return fields(message)
