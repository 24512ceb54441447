"""`pilotlight init`: the folder of a first function, which `dev` and `deploy` take as it is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click

from pilotlight.runtimes import FAMILIES, OWN_PYTHON, RUNTIMES, Sources, family_of
from pilotlight.suggestion import did_you_mean

from ..failures import USAGE, Failure
from ..options import output_option
from ..output import Format, emit_json, note, tick

__all__ = ["command"]

MANIFEST = """apiVersion: pilotlight.dev/v1alpha1
kind: Function
metadata:
  name: {name}
  annotations:
    pilotlight.dev/source: ./src
spec:
  runtime: {runtime}
  handler: {handler}
  memory: 128
  timeout: 10
"""
NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,46}[a-z0-9])?")
EXECUTABLE = 0o755


@click.command("init")
@click.argument("folder", metavar="NAME", type=click.Path(path_type=Path))
@click.option("--runtime", default=OWN_PYTHON, show_default=True, help="A Lambda runtime id.")
@output_option
def command(folder: Path, runtime: str, output: Format) -> None:
    """Make the folder NAME with a function, its manifest and an event to call it with."""
    files = _files(folder.name, runtime)
    if folder.exists() and any(folder.iterdir()):
        raise Failure(
            f"{folder}: the folder is there and not empty; another name is expected", USAGE
        )
    for name, text in files.items():
        _write(folder / name, text)
    if output == "json":
        emit_json({"folder": str(folder), "files": sorted(files)})
        return
    for name in files:
        click.echo(f"{tick()}{folder / name}")
    note(
        f"run it:  pilotlight dev {folder}\n"
        f"call it: pilotlight invoke {folder.name} --payload-file {folder / 'event.json'} --tail"
    )


def _files(name: str, runtime: str) -> dict[str, str]:
    if not NAME.fullmatch(name):
        raise Failure(
            f"{name!r}: lower-case letters, digits and dashes are expected, at most 48", USAGE
        )
    family = family_of(runtime)
    code = family.first_files() if runtime in family.supported else {}
    if not code:
        known = sorted(one for each in FAMILIES if each.first_files() for one in each.supported)
        raise Failure(
            f"--runtime {runtime!r}: no first function of it is here, one of {', '.join(known)} is "
            "expected" + did_you_mean(runtime, RUNTIMES.intersection(known)),
            USAGE,
        )
    found = family.find_handler(Sources({each: text.encode() for each, text in code.items()}))
    handler = found.handler if found else ""
    return {
        "function.yaml": MANIFEST.format(name=name, runtime=runtime, handler=handler),
        "event.json": json.dumps({"name": "Ada"}) + "\n",
    } | {f"src/{each}": text for each, text in code.items()}


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        if text.startswith("#!"):
            file.chmod(EXECUTABLE)
    except OSError as error:
        raise Failure(f"{file}: {error.strerror}", USAGE) from error
