"""How a Node.js process is started: Lambda's options and search path, unless the function's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pilotlight_agent.places import Places
from pilotlight_agent.runtimes.node import _options, _with_search_path
from tests.support.agent import Agent

PLACES = Places(Path("/var/task"), Path("/tmp"), Path("/opt"), Path("/var/lang/bin/node"))


def variables_of(runtime: str, options: str = "") -> dict[str, str]:
    return {"AWS_EXECUTION_ENV": f"AWS_Lambda_{runtime}", "NODE_OPTIONS": options}


@pytest.mark.parametrize(
    ("runtime", "options", "expected"),
    [
        ("nodejs24.x", "", "--max-semi-space-size=50 --max-old-space-size=900"),
        ("nodejs24.x", "--max_old_space_size=10", ""),
        ("nodejs24.x", "--max-semi-space-size=1", ""),
        (
            "nodejs22.x",
            "--max-old-space-size=1",
            "--no-experimental-require-module --no-experimental-detect-module",
        ),
        (
            "nodejs22.x",
            "--max-old-space-size=1 --experimental-require-module",
            "--no-experimental-detect-module",
        ),
    ],
)
def test_options_are_lambdas_but_for_what_the_function_says(
    runtime: str, options: str, expected: str
) -> None:
    """Heap by memory, and what Node.js calls experimental stays off until it is asked for."""
    assert _options(1000, variables_of(runtime, options)) == expected.split()


def test_modules_are_looked_for_in_layers() -> None:
    """Those of the version first; a function may say otherwise."""
    found = _with_search_path(variables_of("nodejs22.x"), PLACES)["NODE_PATH"]
    assert found == (
        "/opt/nodejs/node22/node_modules:/opt/nodejs/node_modules:"
        "/var/runtime/node_modules:/var/runtime:/var/task"
    )
    own = {**variables_of("nodejs22.x"), "NODE_PATH": "/own"}
    assert _with_search_path(own, PLACES)["NODE_PATH"] == "/own"


def invoke(folder: Path, interpreter: str, **choices: Any) -> Any:
    """Start a function by an interpreter that may be none."""
    with Agent(folder, python=interpreter) as agent:
        agent.specialise({"index.js": ""}, runtime="nodejs24.x", handler="index.handler", **choices)
        return agent.invoke({}).json


def test_no_interpreter_is_a_clear_error(tmp_path: Path) -> None:
    told = invoke(tmp_path, "/nowhere/node")
    assert told["errorType"] == "Runtime.InvalidEntrypoint"
    assert "/nowhere/node" in told["errorMessage"]


def test_a_wrapper_gets_the_whole_command(tmp_path: Path) -> None:
    """AWS_LAMBDA_EXEC_WRAPPER starts what it is given, as Lambda has it."""
    wrapper, seen = tmp_path / "wrapper", tmp_path / "seen"
    wrapper.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {seen}\nexit 3\n')
    wrapper.chmod(0o755)
    own = {"AWS_LAMBDA_EXEC_WRAPPER": str(wrapper)}
    told = invoke(tmp_path, "/nowhere/node", environment=own)
    assert "exit status 3" in json.dumps(told)
    command = seen.read_text().split()
    assert command[:2] == ["/nowhere/node", "--max-semi-space-size=12"]
    assert command[-2].endswith("pilotlight_node/index.mjs")
