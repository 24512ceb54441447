"""Finds a new function's runtime and handler in its code, so that `deploy FOLDER` is enough.

Each runtime family says what is certain to be its own (`pilotlight.runtimes`).
"""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from pilotlight.runtimes import FAMILIES, Handler, Sources, family_of

from .builders import builder_of
from .failures import USAGE, Failure
from .package import ARCHIVES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pilotlight.runtimes import Family

__all__ = ["find_handler", "find_runtime"]


def find_handler(source: Path, runtime: str | None = None) -> Handler:
    """Look into a folder, a file or a zip; raises Failure that says which option is missing.

    Where the runtime is known, only its own language is looked for.
    """
    sources, families = _sources(source), (family_of(runtime),) if runtime else FAMILIES
    found = _found(sources, families) or _built(source, runtime)
    if found is not None:
        return found._replace(runtime=runtime) if runtime else found
    looked_for = [*filter(None, (family.looks_for(sources.only) for family in families))]
    wanted = f" (looked for {', and for '.join(looked_for)})" if looked_for else ""
    options = "--handler" if runtime else "--runtime and --handler"
    raise Failure(f"{source}: no handler found; give {options}{wanted}", USAGE)


def find_runtime(source: Path) -> str:
    """Find a new function's runtime, by its code or by what says what it is built from."""
    found = _found(_sources(source), FAMILIES)
    builder = builder_of(source, found.runtime if found else None)
    if builder is not None:
        return builder.runtime(source)
    return found.runtime if found else find_handler(source).runtime


def _found(sources: Sources, families: Iterable[Family]) -> Handler | None:
    candidates = (family.find_handler(sources) for family in families)
    return next(filter(None, candidates), None)


def _built(source: Path, runtime: str | None) -> Handler | None:
    """Name what a program is called that is yet to be compiled."""
    builder = builder_of(source, runtime)
    if builder is None or builder.handler is None:
        return None
    return Handler(builder.runtime(source), builder.handler)


def _sources(source: Path) -> Sources:
    """Read the files on the first level, and those of Java, which are never there."""
    if source.suffix in ARCHIVES:
        with zipfile.ZipFile(source) as package:
            names = [name for name in package.namelist() if "/" not in name]
            return Sources({name: package.read(name) for name in names})
    if source.is_file():
        return Sources({source.name: source.read_bytes()}, source.name)
    files = [*source.iterdir(), *source.glob("src/main/java/**/*.java")]
    named = {file.relative_to(source).as_posix(): file for file in files}
    return Sources({name: file.read_bytes() for name, file in named.items() if file.is_file()})
