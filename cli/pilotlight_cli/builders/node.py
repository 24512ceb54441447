"""Node.js projects: the packages of `package.json`, as npm installs them for the platform.

npm works on a copy of what says what is wanted, at the same place below another root, so that
packages of the project's own (`file:../lib`) are found where they were.
"""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pilotlight.runtimes import family_of
from pilotlight.runtimes.node import NEWEST

from ..failures import USAGE, Failure
from ..output import note
from ..package import Built
from .builder import NO_NETWORK, read_text
from .tool import AS_IT_IS, Advice
from .tree import copy, digest, pack
from .workshop import key_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..archive import Entry
    from .target import Target
    from .workshop import Workshop

__all__ = ["NodeBuilder"]

MANIFEST, MODULES = "package.json", "node_modules"
ASKED = ("dependencies", "optionalDependencies")
"""What is installed where the function runs."""
LOCKS = ("npm-shrinkwrap.json", "package-lock.json")
"""In the order in which npm looks for them."""
OTHERS = {"pnpm-lock.yaml": "pnpm", "yarn.lock": "Yarn", "bun.lock": "Bun", "bun.lockb": "Bun"}
"""Locks that npm does not read."""
REGISTRIES = ".npmrc"
SCRIPTS = ("preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare",
           "postprepare")  # fmt: skip
"""What npm runs of the project's own when it installs; each may read any of its files.

Source: npm's documentation, "scripts", "Life Cycle Operation Order".
"""
_ADVICE = (
    NO_NETWORK,
    Advice(r"EUSAGE|in sync", f"{MANIFEST} and the lock differ: run `npm install`"),
    Advice(r"E401|E403|ENEEDAUTH", f"the registry wants credentials: {REGISTRIES} names them"),
    Advice(r"E404|ETARGET|ENOVERSIONS", f"a name or a version is not there: look at {MANIFEST}"),
    Advice(
        r"\bcode 127\b",
        f"a script of {MANIFEST} calls what is not installed, as devDependencies are not: let it "
        f"do without (`husky || true`), or {AS_IT_IS}",
    ),
    Advice(r"gyp ERR|node-gyp", "a package is compiled from source and fails: see its log above"),
)
_EXTENSION = re.compile(r"(?:^|/)build/(?:Release|Debug)/[^/]+\.node$")
"""What was compiled here; of what comes compiled packages have files of several machines."""
_NOT_PACKED = re.compile(r"(?:^|/)(?:\.bin/|\.package-lock\.json$)|^\.cache/")


class NodeBuilder:
    """Builds Node.js projects."""

    prefix = "nodejs"
    handler: str | None = None

    def manifest(self, folder: Path) -> str | None:
        """Name `package.json` where it asks for packages."""
        asks = [_asked(folder, kind) for kind in ASKED]
        return MANIFEST if any(asks) or _document(folder / MANIFEST).get("workspaces") else None

    def runtime(self, folder: Path) -> str:
        """Choose what `.nvmrc` or `.node-version` says, else the newest with an image."""
        said = read_text(folder / ".nvmrc") or read_text(folder / ".node-version")
        major = re.match(r"\s*v?(\d+)", said)
        wanted = f"nodejs{major[1]}.x" if major else ""
        return wanted if wanted in family_of(wanted).supported else NEWEST

    def build(self, folder: Path, target: Target, workshop: Workshop) -> Built:
        """Install what is not for development alone."""
        npm = workshop.tools.find("npm", folder / MANIFEST, "install Node.js (nodejs.org)")
        lock = _lock(folder)
        parts = _parts(folder, lock)
        contents = (
            part
            for name, path in parts.items()
            for part in (name, digest(path, without=_installed(parts)))
        )
        key = key_of("npm", *target, *contents)

        def install(work: Path) -> Mapping[str, Entry]:
            return _install(npm, folder, parts, lock, target, work, workshop)

        return Built(workshop.kept(key, install), frozenset({MODULES, REGISTRIES}))


def _document(file: Path) -> dict[str, Any]:
    text = read_text(file)
    try:
        document = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise Failure(f"{file}: no JSON: {error}", USAGE) from error
    if not isinstance(document, dict):
        raise Failure(f"{file}: a JSON object is expected", USAGE)
    return document


def _asked(folder: Path, kind: str) -> dict[str, Any]:
    """Return what `package.json` asks for, by name."""
    asked = _document(folder / MANIFEST).get(kind) or {}
    if not isinstance(asked, dict):
        raise Failure(f"{folder / MANIFEST}: {kind}: an object is expected, {asked!r} came", USAGE)
    return asked


def _lock(folder: Path) -> str | None:
    """Name the project's lock; raises Failure where it is another tool's alone."""
    found = next((name for name in LOCKS if (folder / name).is_file()), None)
    other = next((name for name in OTHERS if (folder / name).is_file()), None)
    if found is None and other is not None:
        raise Failure(
            f"{folder / other} is {OTHERS[other]}'s, and npm builds here: `npm install "
            f"--package-lock-only` makes its lock; or install with {OTHERS[other]}: {AS_IT_IS}",
            USAGE,
        )
    if found is None:
        note(f"{folder}: no lock: versions are chosen anew (`npm install` makes {LOCKS[-1]})")
    return found


def _parts(folder: Path, lock: str | None) -> dict[str, Path]:
    """Find what npm is given, by its place below the folder: all of it where scripts may ask."""
    local = dict(_local(folder, lock))
    scripts = _document(folder / MANIFEST).get("scripts")
    if isinstance(scripts, dict) and not scripts.keys().isdisjoint(SCRIPTS):
        return {".": folder, **local}
    parts = {name: folder / name for name in (MANIFEST, lock or "", REGISTRIES) if name}
    return {name: path for name, path in parts.items() if path.is_file()} | local


def _installed(parts: Mapping[str, Path]) -> set[str]:
    """Name the folders of what was installed before: that of the folder, those of its packages."""
    return {MODULES, *(f"{name.removeprefix('./')}/{MODULES}" for name in parts)}


def _local(folder: Path, lock: str | None) -> Iterator[tuple[str, Path]]:
    """Find packages of the project's own, by the places that it says they are at."""
    named = [
        place.removeprefix("file:")
        for kind in ASKED
        for place in _asked(folder, kind).values()
        if isinstance(place, str) and place.startswith(("file:", "./", "../"))
    ]
    named += _workspaces(folder, _document(folder / MANIFEST))
    if lock is not None:
        places = _document(folder / lock).get("packages") or {}
        named += [place for place in places if place and MODULES not in place.split("/")]
    for place in sorted(set(named)):
        if Path(place).is_absolute():
            raise Failure(
                f"{folder / MANIFEST}: {place} is a path of this machine alone: one that begins at "
                f"the folder is expected, such as file:../{Path(place).name}",
                USAGE,
            )
        if not (folder / place).exists():
            raise Failure(f"{folder / MANIFEST}: {place} is neither a file nor a folder", USAGE)
        yield place, folder / place


def _workspaces(folder: Path, document: Mapping[str, Any]) -> Iterator[str]:
    said = document.get("workspaces") or ()
    patterns = said.get("packages", ()) if isinstance(said, dict) else said
    for pattern in patterns:
        for found in folder.glob(str(pattern).removeprefix("./")):
            if (found / MANIFEST).is_file():
                yield found.relative_to(folder).as_posix()


def _install(  # noqa: PLR0913, PLR0917  private: what `build` has found
    npm: str,
    folder: Path,
    parts: Mapping[str, Path],
    lock: str | None,
    target: Target,
    work: Path,
    workshop: Workshop,
) -> Mapping[str, Entry]:
    project = work / folder.relative_to(folder.anchor)
    project.mkdir(parents=True)
    for name, path in parts.items():
        copy(path, project / name, without=_installed(parts))
    processor = "arm64" if target.architecture == "arm64" else "x64"
    command = [
        npm, "ci" if lock else "install", "--omit=dev", "--no-audit", "--no-fund", "--no-progress",
        "--os=linux", f"--cpu={processor}", "--libc=glibc",
    ]  # fmt: skip
    note(f"npm installs for {target.runtime} on {target.architecture}")
    workshop.tools.run(command, project, advice=_ADVICE)
    return pack(project / MODULES, f"{MODULES}/", change=partial(_packed, target))


def _packed(target: Target, name: str, content: bytes) -> bytes | None:
    if _EXTENSION.search(name):
        target.check(f"{MODULES}/{name}", content)
    return None if _NOT_PACKED.search(name) else content
