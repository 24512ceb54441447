"""Warm Node.js beside its functions-framework: `python -m benchmarks.node [--write]`.

The local platform's whole way, and Google's framework called directly, with the same handler in
CommonJS; measured as `run` does.
"""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

from tests.support.node import node_of
from tests.support.npm import package_of

from .run import compare
from .targets import Target, free_port, pilotlight

RUNTIME = "nodejs24.x"
FRAMEWORK, VERSION = "@google-cloud/functions-framework", "5.0.5"
OURS = "exports.handler = async (event) => event;\n"
THEIRS = "exports.handler = async (request, response) => response.json(request.body);\n"


def ours() -> Target:
    """The local platform with a function of Node.js."""
    managed, _ = pilotlight(runtime=RUNTIME)
    folder = Path(managed.command[2]) / "noop"
    (folder / "src" / "index.js").write_text(OURS)
    return dataclasses.replace(managed, name="Pilotlight")


def framework() -> Target:
    """Google's functions-framework for Node.js, by the same Node.js."""
    folder, port = Path(tempfile.mkdtemp(prefix="framework-")), free_port()
    (folder / "index.js").write_text(THEIRS)
    package = package_of(FRAMEWORK, VERSION)
    program = package / "build" / "src" / "main.js"
    command = [
        *(node_of(RUNTIME), str(program), "--target", "handler"),
        *("--source", str(folder), "--port", str(port)),
    ]
    return Target("functions-framework for Node.js", command, port)


def targets() -> list[Target]:
    """Return what is measured."""
    return [ours(), framework()]


if __name__ == "__main__":
    compare("node", __doc__, targets)
