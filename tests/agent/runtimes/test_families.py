"""A runtime's family says how it is started, and what its functions find."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilotlight_agent.places import Places
from pilotlight_agent.runtimes import family_of
from pilotlight_agent.runtimes.bootstrap import Bootstrap
from pilotlight_agent.runtimes.java import Java
from pilotlight_agent.runtimes.node import Node
from pilotlight_agent.runtimes.python import Python
from pilotlight_agent.runtimes.ruby import Ruby
from pilotlight_agent.runtimes.variables import build, inherited
from pilotlight_wire.specialisation import (
    CodeSource,
    FunctionFacts,
    ImageProcess,
    Specialisation,
)

PLACES = Places(Path("/var/task"), Path("/tmp"), Path("/opt"), Path("/var/lang/bin/python"))


@pytest.mark.parametrize(
    ("runtime", "family"),
    [
        ("python3.13", Python),
        ("provided.al2023", Bootstrap),
        ("nodejs24.x", Node),
        ("java21", Java),
        ("ruby3.4", Ruby),
        ("dotnet8", Bootstrap),
        ("", Bootstrap),
    ],
)
def test_an_id_has_a_family(runtime: str, family: type) -> None:
    assert isinstance(family_of(runtime), family)


def variables(runtime: str, **own: str) -> dict[str, str]:
    """Return what a function of the runtime finds that sets variables of its own."""
    specialisation = Specialisation(
        revision="r",
        function=FunctionFacts(name="f", arn="arn", runtime=runtime),
        code=CodeSource(sha256="0" * 64, url=""),
        environment=own,
    )
    return build(
        specialisation,
        family_of(runtime),
        PLACES,
        temporary=Path("/tmp"),
        log_stream="stream",
        runtime_api="127.0.0.1:1",
        metadata_token="token",
    )


def test_managed_runtimes_are_named() -> None:
    """Lambda reserves the name: a function cannot have another one."""
    found = variables("python3.13", AWS_EXECUTION_ENV="own", PYTHONPATH="own")
    assert found["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.13"
    assert found["PYTHONPATH"] == "own"
    assert variables("python3.13")["PYTHONPATH"] == "/var/runtime"


def test_custom_runtimes_are_not() -> None:
    assert {"AWS_EXECUTION_ENV", "PYTHONPATH"} & variables("provided.al2023").keys() == set()


def test_an_image_has_its_own_variables() -> None:
    """But for the agent's, the kubelet's and those that the pod made empty for the agent."""
    environ = {
        "PATH": "/own", "LANG": "C", "LD_PRELOAD": "", "KUBERNETES_SERVICE_HOST": "10.0.0.1",
        "PILOTLIGHT_AGENT_LISTEN": "0.0.0.0:1", "EMPTY": "",
    }  # fmt: skip
    image = ImageProcess(entry_point=["/x"], environment={"LD_PRELOAD": "jemalloc.so"})
    found = inherited(image, Path("/tmp"), environ)
    own = {name: value for name, value in found.items() if "XRAY" not in name}
    assert own == {
        "PATH": "/own", "LANG": "C", "EMPTY": "", "TZ": ":UTC", "LD_PRELOAD": "jemalloc.so",
    }  # fmt: skip


def test_a_log_group_has_lambdas_name_unless_another_is_given() -> None:
    assert variables("python3.13")["AWS_LAMBDA_LOG_GROUP_NAME"] == "/aws/lambda/f"


def test_only_a_managed_pod_is_a_program_of_its_own() -> None:
    assert family_of("").pod_program(PLACES) is None
    program = family_of("python3.13").pod_program(PLACES)
    assert program is not None
    command, found = program
    assert (command[0], command[-1]) == ("/var/lang/bin/python", "--pod")
    assert found["AWS_LAMBDA_LOG_STREAM_NAME"] == "-" * 128
