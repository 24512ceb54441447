"""`pilotlight deploy`: a folder or a file becomes a function, or its next revision.

What is the same already is not sent again. Speaks Lambda's API only, so that it works against AWS
as well.
"""

from __future__ import annotations

import base64
import os
import re
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..builders import ARCHITECTURES, Packager, Target, Workshop
from ..failures import USAGE, Failure
from ..functions import FUNCTIONS, Functions
from ..handlers import find_handler, find_runtime
from ..options import output_option, with_client
from ..output import Format, emit_json, note, size, tick

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..client import Client
    from ..package import Package

__all__ = ["command"]

LARGEST_PACKAGE = 50 << 20
"""Bytes of a zip in a request (AWS Lambda Developer Guide, "Lambda quotas")."""
DEFAULT_ACCOUNT = "000000000000"
Configuration = dict[str, Any]


@click.command("deploy")
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.option("--name", help="The function's name; the folder's or file's if left out.")
@click.option("--runtime", help="A Lambda runtime id, such as python3.13.")
@click.option("--handler", help="file.function; looked for in the code if left out.")
@click.option("--memory", type=int, help="Megabytes.")
@click.option("--timeout", type=int, help="Seconds.")
@click.option("--env", "variables", multiple=True, metavar="KEY=VALUE", help="A variable; repeat.")
@click.option("--role", help="ARN of the execution role.")
@click.option("--architecture", type=click.Choice(ARCHITECTURES), help="x86_64 if left out.")
@click.option(
    "--build/--no-build", default=True, help="Install or compile what the folder asks for."
)
@click.option("--no-cache", is_flag=True, help="Build anew what was built before.")
@output_option
@with_client
def command(  # noqa: PLR0913  one parameter an option
    client: Client,
    source: Path,
    *,
    name: str | None,
    runtime: str | None,
    handler: str | None,
    memory: int | None,
    timeout: int | None,
    variables: tuple[str, ...],
    role: str | None,
    architecture: str | None,
    build: bool,
    no_cache: bool,
    output: Format,
) -> None:
    """Create a function from SOURCE, or update what differs, and wait until it is called."""
    started = time.monotonic()
    wanted = {
        "Runtime": runtime,
        "Handler": handler,
        "MemorySize": memory,
        "Timeout": timeout,
        "Environment": _environment(variables),
        "Role": role,
        "Architectures": [architecture] if architecture else None,
    }
    packager = Packager(Workshop(fresh=no_cache))
    pack = partial(packager.package_of, source, build=build)
    given = {key: value for key, value in wanted.items() if value is not None}
    result = _deploy(Functions(client), name or _name_of(source), source, given, pack)
    if output == "json":
        emit_json(result)
        return
    _tell(client, result, time.monotonic() - started)


def _deploy(
    functions: Functions,
    name: str,
    source: Path,
    given: Configuration,
    pack: Callable[[Target], Package],
) -> dict[str, Any]:
    before = functions.find(name)
    if before is not None and before.get("PackageType") == "Image":
        raise Failure(
            f"{name} is a container image, which takes no code of {source}: give it another image "
            "(UpdateFunctionCode with ImageUri), or deploy under another --name",
            USAGE,
        )
    configuration = _new(name, source, given) if before is None else before | given
    target = Target(configuration["Runtime"], configuration["Architectures"][0])
    package = pack(target)
    note(f"{name}: {size(len(package.content))}, sha256 {package.sha256[:12]}…")
    for entry, why in package.left_out.items():
        note(f"{source}: {entry} is left out: {why}")
    _check_size(name, len(package.content))
    if before is None:
        found = functions.create(package.content, configuration)
        changed = ["created"]
    else:
        found, changed = _update(functions, name, package, before, given)
    return {
        "functionName": name,
        "functionArn": found["FunctionArn"],
        "codeSha256": found["CodeSha256"],
        "codeSize": found["CodeSize"],
        "changed": changed,
    }


def _check_size(name: str, count: int) -> None:
    """Refuse what no request can hold, before it is sent: the connection would just break."""
    if count > LARGEST_PACKAGE:
        raise Failure(
            f"{name}: its package has {size(count)}, and a request takes {size(LARGEST_PACKAGE)}: "
            "require less, or put some of it into a layer",
            USAGE,
        )


def _new(name: str, source: Path, given: Configuration) -> Configuration:
    """Fill in what a new function needs and was not said."""
    runtime = given.get("Runtime") or find_runtime(source)
    handler = given.get("Handler") or find_handler(source, runtime).handler
    account = os.environ.get("AWS_ACCESS_KEY_ID", "")
    if not re.fullmatch(r"\d{12}", account):
        account = DEFAULT_ACCOUNT
    role = f"arn:aws:iam::{account}:role/pilotlight"
    said = {"FunctionName": name, "Runtime": runtime, "Handler": handler}
    return {"Role": role, "Architectures": [ARCHITECTURES[0]], **given, **said}


def _update(
    functions: Functions, name: str, package: Package, before: Configuration, given: Configuration
) -> tuple[Configuration, list[str]]:
    found, changed = before, []
    differs = {key: value for key, value in given.items() if before.get(key) != value}
    architectures = differs.pop("Architectures", None)  # belong to the code
    if differs:
        found = functions.update_configuration(name, differs)
        changed += [_lower_first(key) for key in differs]
    if architectures or base64.b64decode(before["CodeSha256"]).hex() != package.sha256:
        found = functions.update_code(name, package.content, architectures)
        changed.append("code")
    return found, changed


def _tell(client: Client, result: dict[str, Any], seconds: float) -> None:
    changed = ", ".join(result["changed"]) or "unchanged"
    click.echo(f"{tick()}{result['functionName']}: {changed}; active after {seconds:.1f} s")
    click.echo(f"{client.connection.endpoint}{FUNCTIONS}/{result['functionName']}/invocations")


def _environment(pairs: tuple[str, ...]) -> dict[str, dict[str, str]] | None:
    if not pairs:
        return None
    for pair in pairs:
        if "=" not in pair:
            raise Failure(f"--env {pair!r}: KEY=VALUE is expected", USAGE)
    return {"Variables": dict(pair.split("=", 1) for pair in pairs)}


def _name_of(source: Path) -> str:
    return re.sub(r"[^a-zA-Z0-9-_]", "-", source.resolve().stem)


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
