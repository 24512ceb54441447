"""`pilotlight init`: the folder of a first function, which `dev` and `deploy` take as it is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click

from pilotlight.runtimes import FAMILIES, OWN_PYTHON, RUNTIMES, Sources, family_of
from pilotlight.runtimes.bootstrap import NEWEST as PROVIDED
from pilotlight.runtimes.bootstrap import Bootstrap
from pilotlight.suggestion import did_you_mean

from ..builders.program import BOOTSTRAP
from ..failures import USAGE, Failure
from ..options import output_option
from ..output import Format, emit_json, note, tick

__all__ = ["command"]

MANIFEST = """apiVersion: pilotlight.dev/v1alpha1
kind: Function
metadata:
  name: {name}
  annotations:
    pilotlight.dev/source: {source}
spec:
  runtime: {runtime}
  handler: {handler}
  memory: 128
  timeout: 10
"""
FIRST = Path(__file__).parents[1] / "first"
"""First functions that need more than one file's text: a folder each."""
LANGUAGES = ("go", "rust", "php")
PROJECTS = {"pom.xml", "go.mod", "Cargo.toml"}
NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,46}[a-z0-9])?")
EXECUTABLE = 0o755


@click.command("init")
@click.argument("folder", metavar="NAME", type=click.Path(path_type=Path))
@click.option("--runtime", help=f"A Lambda runtime id; {OWN_PYTHON} if left out.")
@click.option(
    "--language",
    type=click.Choice(["shell", *LANGUAGES]),
    help="Of a function that brings its runtime; --runtime is provided.al2023 then.",
)
@output_option
def command(folder: Path, runtime: str | None, language: str | None, output: Format) -> None:
    """Make the folder NAME with a function, its manifest and an event to call it with."""
    runtime = runtime or (PROVIDED if language else OWN_PYTHON)
    if language and not runtime.startswith(Bootstrap().prefix):
        raise click.UsageError(f"--language {language} is of {PROVIDED}, not of {runtime}")
    files = _files(folder.name, runtime, language)
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


def _files(name: str, runtime: str, language: str | None) -> dict[str, str]:
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
    if language in LANGUAGES:
        code = _program(language)
    found = family.find_handler(Sources({each: text.encode() for each, text in code.items()}))
    handler = found.handler if found else BOOTSTRAP
    # What is compiled is a project as its language's people have them: it is the folder itself.
    source = "." if PROJECTS & code.keys() else "./src"
    manifest = MANIFEST.format(name=name, source=source, runtime=runtime, handler=handler)
    return {
        "function.yaml": manifest,
        "event.json": json.dumps({"name": "Ada"}) + "\n",
    } | {Path(source, each).as_posix(): text for each, text in code.items()}


def _program(language: str) -> dict[str, str]:
    """Read the first function of a language whose runtime is in the package."""
    folder = FIRST / language
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file.read_text() for file in files}


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        if text.startswith("#!"):
            file.chmod(EXECUTABLE)
    except OSError as error:
        raise Failure(f"{file}: {error.strerror}", USAGE) from error
