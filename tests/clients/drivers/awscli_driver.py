"""The AWS CLI: command lines, with documents as JSON and bytes as files; what it prints is read.

Version 1 is run in this process, as its `aws` does. Version 2 is the program that is the argument.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from .lines import asked, say

FAILED = re.compile(
    r"An error occurred \((?P<error>\w+)\) when calling [^:]*: (?P<message>.*)", re.DOTALL
)
WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def answer(line: dict[str, Any]) -> dict[str, Any]:
    """Run the command line that does what a line asks for."""
    os.environ["AWS_ACCESS_KEY_ID"] = line["key"]
    command = kebab(line["operation"])
    with tempfile.TemporaryDirectory() as folder:
        words = ["lambda", "wait", command] if line["do"] == "wait" else ["lambda", command]
        words += options(line["input"], Path(folder))
        out = Path(folder, "out")
        if command == "invoke":
            words.append(str(out))
        status, printed, said = run(line["key"], words)
        if status:
            return failure(line["operation"], said)
        output = json.loads(printed) if printed.strip() else {}
        if out.exists():
            output["Payload"] = out.read_bytes()
    return {"output": [output] if line["do"] == "pages" else output}


def options(given: dict[str, Any], folder: Path) -> list[str]:
    """Return the options of a command; bytes are put into a folder."""
    words: list[str] = []
    for name, value in given.items():
        option = "--" + {"PaginationConfig": "page-size"}.get(name, kebab(name))
        if name == "PaginationConfig":
            words += [option, str(value["PageSize"])]
        elif name == "InvokeArgs":  # the one option that is a file's name
            words += [option, in_file(folder, name, value).removeprefix("fileb://")]
        elif name == "Payload":
            words += [option, in_file(folder, name, value)]
        elif name in {"Code", "Content"} and "ZipFile" in value:
            words += ["--zip-file", in_file(folder, name, value["ZipFile"])]
        elif name == "ZipFile":
            words += [option, in_file(folder, name, value)]
        elif isinstance(value, bool):
            words.append(option if value else "--no-" + option.removeprefix("--"))
        else:
            words += [option, value if isinstance(value, str) else json.dumps(value)]
    return words


def in_file(folder: Path, name: str, content: str) -> str:
    """Put bytes into a file, and return how an option names it."""
    path = folder / name
    path.write_bytes(base64.b64decode(content))
    return f"fileb://{path}"


def kebab(name: str) -> str:
    """Return what the CLI calls an operation, a waiter or a member."""
    return WORD.sub("-", name).lower()


def run(key: str, words: list[str]) -> tuple[int, str, str]:
    """Run `aws …`; returns the exit status and what it printed."""
    if sys.argv[1:]:
        done = subprocess.run([sys.argv[1], *words], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr
    return run_here(key, words)


def run_here(key: str, words: list[str]) -> tuple[int, str, str]:
    printed, said = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(said):
        try:
            status = cli_of(key).main(words)
        except SystemExit as end:
            status = int(end.code or 0)
        printed.flush()
    return status, printed.buffer.getvalue().decode(), said.getvalue()


@functools.cache
def cli_of(key: str) -> Any:
    """Make the CLI that takes an account's key from the environment, and remembers it."""
    from awscli.clidriver import create_clidriver  # noqa: PLC0415  only version 1 is a package

    del key
    return create_clidriver()


def failure(operation: str, said: str) -> dict[str, Any]:
    """Return the error that was printed, or what this version does not know."""
    if found := FAILED.search(said):
        return {"error": found["error"], "message": found["message"].strip()}
    if "invalid choice" in said.lower() or "unknown options" in said.lower():
        return {"missing": f"it has no {kebab(operation)}, or not all of its options"}
    return {"error": "AwsCli", "message": said}


if __name__ == "__main__":
    for one in asked():
        say(answer(one))
