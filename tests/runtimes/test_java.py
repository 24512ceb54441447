"""What Java alone has: jars, an archive of classes, entries that come after an error's answer."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.runtimes.languages import LANGUAGES, Java
from tests.support.agent import Agent, pack, waiting

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

JAVAS = [one for one in LANGUAGES if isinstance(one, Java)]
pytestmark = pytest.mark.skipif(not JAVAS, reason="PILOTLIGHT_RUNTIMES names no Java")
WRAPPER = '#!/bin/sh\nexport WRAPPED=yes\nexec "$@"\n'


def children(agent: Agent) -> list[int]:
    """Return the ids of the processes that an agent has started."""
    pid = agent.process.pid
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_jars_of_the_package_are_found(tmp_path: Path) -> None:
    """In lib, beside classes at its root."""
    java = JAVAS[0]
    shared = java.layer()["java/lib/shared.jar"]
    with Agent(tmp_path, python=java.interpreter) as agent:
        files = {**java.files("layer"), "lib/shared.jar": shared}
        agent.specialise(files, runtime=java.runtime, handler=java.handler("layer"), timeout=10)
        assert agent.invoke({}).json == "from a layer"


def test_classes_come_from_the_archive(tmp_path: Path) -> None:
    """What the agent says of the class path is what the archive was made for."""
    with JAVAS[0].running(tmp_path, "hello") as agent:
        assert agent.invoke({"name": "Ada"}).status == 200
        maps = Path(f"/proc/{children(agent)[-1]}/maps").read_text()
    assert "/classes.jsa" in maps


@contextmanager
def waited(
    folder: Path, case: str, more: Mapping[str, bytes] | None = None, **variables: str
) -> Iterator[Agent]:
    """Run an agent whose process waited, as it does in pods: with /tmp."""
    java = JAVAS[0]
    options = (*waiting(java.runtime), "--temporary", "/tmp")
    with Agent(folder, *options, python=java.interpreter) as agent:
        agent.wait_until_prepared()
        (pid,) = children(agent)
        files, handler = {**java.files(case), **(more or {})}, java.handler(case)
        agent.specialise(
            files, runtime=java.runtime, handler=handler, timeout=10, environment=variables
        )
        yield agent
        assert children(agent) == [pid]


def test_none_waits_where_environments_have_folders_for_temporary_files(tmp_path: Path) -> None:
    """As in local mode: it could become nobody's."""
    java = JAVAS[0]
    with Agent(tmp_path, *waiting(java.runtime), python=java.interpreter) as agent:
        agent.wait_until_prepared()
        assert children(agent) == []


def test_native_code_finds_the_variables_of_a_function_that_was_waited_for(tmp_path: Path) -> None:
    """Where the kernel shows them, and nothing of what stood there before."""
    with waited(tmp_path, "environment", GREETING="häl=lo", LONG="x" * 4_000) as agent:
        told = agent.invoke({}).json["variables"]
        variables = Path(f"/proc/{children(agent)[-1]}/environ").read_bytes().split(b"\0")
        assert told["GREETING"] == "häl=lo"
    shown = dict(entry.decode().split("=", 1) for entry in variables if entry)
    assert shown == told


def test_a_serializer_of_the_functions_own_is_used(tmp_path: Path) -> None:
    """Also where a process has waited for it, and has read and written JSON by then."""
    service = "META-INF/services/com.amazonaws.services.lambda.runtime.CustomPojoSerializer"
    with waited(tmp_path, "serializer", {service: b"serializer.Main$Own\n"}) as agent:
        assert agent.invoke({"a": 1}).json == ["{own=yes}"]


def test_children_inherit_the_variables_of_a_function_that_was_waited_for(tmp_path: Path) -> None:
    """These alone, and no descriptors."""
    with waited(tmp_path, "inherited", GREETING="hello") as agent:
        told = agent.invoke({}).json
    assert "GREETING=hello" in told["variables"]
    assert not [entry for entry in told["variables"] if "=" not in entry]
    assert told["input"] == "/dev/null"
    assert told["temporary"] == ["/tmp", "/tmp"]


def test_a_wrapper_starts_it(tmp_path: Path) -> None:
    """As `AWS_LAMBDA_EXEC_WRAPPER` says."""
    java = JAVAS[0]
    with Agent(tmp_path, python=java.interpreter) as agent:
        files = {**java.files("environment"), "bootstrap": WRAPPER.encode()}
        handler = java.handler("environment")
        agent.specialise(
            files, runtime=java.runtime, handler=handler, timeout=10,
            environment={"AWS_LAMBDA_EXEC_WRAPPER": f"{tmp_path}/task/bootstrap"},
        )  # fmt: skip
        assert agent.invoke({}).json["variables"]["WRAPPED"] == "yes"


def test_each_environment_has_a_folder_for_temporary_files(tmp_path: Path) -> None:
    """Where several share a pod; the client leaves nothing in it."""
    java = JAVAS[0]
    with Agent(tmp_path, python=java.interpreter) as agent:
        files = java.files("temporary")
        reply = agent.specialise(
            files, runtime=java.runtime, handler=java.handler("temporary"), timeout=10,
            environments=2,
        )  # fmt: skip
        told = [agent.invoke({}, environment=one["id"]).json for one in reply.json["environments"]]
        kept = [path.name for path in agent.temporary.glob("*/*")]
    assert (told, kept) == ([1, 1], ["kept", "kept"])


def test_without_the_client_it_says_so(tmp_path: Path) -> None:
    """An interpreter that is only a Java starts nothing."""
    java = JAVAS[0]
    plain = str(Path(java.interpreter).resolve())
    with Agent(tmp_path, python=plain) as agent:
        agent.specialise({"a": pack({"b": "c"})}, runtime=java.runtime, handler="a.B")
        assert "not installed" in agent.invoke({}).json["errorMessage"]
