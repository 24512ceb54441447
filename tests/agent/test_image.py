"""An agent beside what a function's image brings: it starts the image's own process."""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.agent import Agent, Reply, specification
from tests.support.images import CLIENT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def specialise(agent: Agent, choices: dict[str, Any] | None = None, /, **image: Any) -> Reply:
    """Give an agent a revision that is an image; `choices` as for `specification`."""
    named: dict[str, Any] = {"runtime": "container-image", "sha256": "0" * 64, "url": "none"}
    body = specification(agent.folder, **named, **(choices or {}))
    body |= {"code": None, "image": image}
    reply = agent.request("POST", "/v1/specialise", json.dumps(body).encode())
    if reply.status == 200:
        agent.environment = reply.json["environments"][0]["id"]
    return reply


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    with Agent(tmp_path) as agent:
        yield agent


def test_the_images_process_speaks_the_runtime_api(agent: Agent) -> None:
    """It begins where it is told to, with the image's variables and none of the agent's options."""
    place = agent.folder / "srv"
    place.mkdir()
    assert specialise(
        agent, entryPoint=[sys.executable, "-c", CLIENT], command=["app.handler"],
        workingDirectory=str(place), environment={"LD_PRELOAD": ""},
    ).status == 200  # fmt: skip
    folder, arguments, variables = agent.invoke().json
    assert (folder, arguments) == (str(place), ["app.handler"])
    assert variables["PATH"] == "/usr/bin:/bin"
    assert variables["AWS_LAMBDA_FUNCTION_NAME"] == "fn"
    assert variables["LD_PRELOAD"] == ""
    assert {"LD_LIBRARY_PATH", "LANG", "AWS_EXECUTION_ENV"} & variables.keys() == set()


@pytest.mark.parametrize(
    ("image", "kind", "says"),
    [
        ({"entryPoint": ["/not/there"]}, "Runtime.InvalidEntrypoint", "fork/exec /not/there: No"),
        (
            {"command": ["/bin/true"], "workingDirectory": "/not/there"},
            "Runtime.InvalidWorkingDir",
            "chdir to /not/there",
        ),
    ],
)
def test_what_cannot_be_started_is_said_as_lambda_does(
    agent: Agent, image: dict[str, Any], kind: str, says: str
) -> None:
    assert specialise(agent, **image).status == 200
    answer = agent.invoke()
    assert answer.json["errorType"] == kind
    assert says in answer.json["errorMessage"]


@pytest.mark.parametrize("image", [None, {}, {"entryPoint": ["/a\0b"]}])
def test_what_names_no_program_is_refused(agent: Agent, image: dict[str, Any] | None) -> None:
    body = specification(agent.folder, sha256="0" * 64, url="none") | {"code": None, "image": image}
    reply = agent.request("POST", "/v1/specialise", json.dumps(body).encode())
    assert reply.status == 400
    assert "image" in reply.json["message"]


def test_an_image_takes_several_calls(agent: Agent) -> None:
    """Where its client polls in parallel, as AWS's does."""
    (agent.folder / "main.py").write_text(
        "import os\n"
        "from multiprocessing import Barrier\n"
        "together = Barrier(3)\n"
        "def handler(event, context):\n"
        "    together.wait(10)\n"
        "    return os.environ['AWS_LAMBDA_MAX_CONCURRENCY']\n"
    )
    variables = {"PYTHONPATH": os.pathsep.join([str(agent.folder), *sys.path])}
    run = "import main, runpy; runpy.run_module('awslambdaric', run_name='__main__')"
    reply = specialise(
        agent, {"calls_per_environment": 3, "environments": 3},
        entryPoint=[sys.executable, "-c", run], command=["main.handler"], environment=variables,
    )  # fmt: skip
    places = [one["id"] for one in reply.json["environments"]]
    with ThreadPoolExecutor(3) as pool:
        replies = list(pool.map(lambda place: agent.invoke({}, environment=place), places))
    assert [reply.json for reply in replies] == ["3"] * 3
