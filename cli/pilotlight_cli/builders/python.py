"""Python projects: what they require, in wheels for the runtime's version and platform.

`requirements.txt`, `uv.lock` or `pyproject.toml` says what; uv installs it, or pip where there is
no uv. A project with a build system is installed itself, too.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pilotlight.runtimes import OWN_PYTHON
from pilotlight_local.interpreters import find_interpreter

from ..failures import USAGE, Failure
from ..output import note
from ..package import Built
from .builder import NO_NETWORK, read_text, read_toml
from .requirements import Local, Requirements, read_requirements, requirements_of
from .tool import Advice
from .tree import pack
from .workshop import key_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ..archive import Entry
    from .target import Target
    from .workshop import Workshop

__all__ = ["PythonBuilder"]

REQUIREMENTS, PROJECT, LOCK = "requirements.txt", "pyproject.toml", "uv.lock"
SETTINGS = "uv.toml"
_VARIABLES = ("UV_", "PIP_")
"""How the names of variables begin that say what is installed, and from where."""
GLIBC = 34
"""The C library's minor version that wheels may ask for: 2.34 of Amazon Linux 2023, which the
images and the machines of local mode have at least."""
OLDEST_GLIBC = 17
"""That of manylinux2014, the oldest that wheels are made for today (PEP 599)."""
_EXTENSION = re.compile(r"\.(?:cpython-[^/]+|abi3)\.so$")
"""What was compiled as a module; of other libraries packages have those of several machines."""
_INSTALLERS = r"\.dist-info/(?:INSTALLER|REQUESTED|direct_url\.json|uv_cache\.json)"
_OF_INSTALLER = re.compile(f"{_INSTALLERS}$")
_RECORDS_INSTALLER = re.compile(rf"^(?:\.\./)*bin/|{_INSTALLERS},")


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a project is made of."""

    requirements: Requirements
    project: bool = False
    """Whether the project is installed itself."""
    with_dependencies: bool = False
    """Whether only its build system knows what it requires."""


class PythonBuilder:
    """Builds Python projects."""

    prefix = "python"
    handler: str | None = None

    def manifest(self, folder: Path) -> str | None:
        """Name what says what is required, if anything is."""
        if (folder / LOCK).is_file():
            return LOCK
        if _required_by_file(folder):
            return REQUIREMENTS
        project = _Project(folder / PROJECT)
        asks = project.dependencies or (project.packaged and project.named)
        return PROJECT if asks else None

    def runtime(self, folder: Path) -> str:
        """Choose what `.python-version` or `requires-python` says, else the platform's own."""
        pinned = re.match(r"\s*(?:cpython-)?(3\.\d+)", read_text(folder / ".python-version"))
        if pinned:
            return f"python{pinned[1]}"
        python = _Project(folder / PROJECT).python
        at_least = re.search(r"(?:>=|==|~=)\s*3\.(\d+)", python)
        own = int(OWN_PYTHON.partition(".")[2])
        return f"python3.{max(own, int(at_least[1]) if at_least else 0)}"

    def build(self, folder: Path, target: Target, workshop: Workshop) -> Built:
        """Install what is required; the project's own files lie beside it as they are."""
        wanted = _wanted(folder, target, workshop)
        installer = _Installer(folder, target, workshop)
        entries = dict(installer.install(wanted.requirements)) if wanted.requirements else {}
        if not wanted.project:
            return Built(entries)
        own = Requirements((Local("", folder.resolve()),))
        entries |= installer.install(own, *(() if wanted.with_dependencies else ("--no-deps",)))
        # Of a `src` layout the modules lie where they are imported from now.
        return Built(entries, frozenset({"src"} if (folder / "src").is_dir() else ()))


def _required_by_file(folder: Path) -> Requirements | None:
    file = folder / REQUIREMENTS
    return (read_requirements(file) or None) if file.is_file() else None


class _Project:
    """What `pyproject.toml` says (Python Packaging User Guide, "pyproject.toml specification")."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._document = read_toml(file)
        self._project = self._table(self._document, "project")
        self.dependencies = self._texts("dependencies")
        self.packaged = "build-system" in self._document
        """Whether there is a build system, which makes a package of it."""
        poetrys = "poetry" in self._table(self._document, "tool")
        self.named = bool(self._project) or (self.packaged and poetrys)
        """Whether it is a project at all, and no settings of tools alone."""
        self.told_by_build = not self._project or "dependencies" in self._texts("dynamic")
        """Whether only the build system knows what is required."""

    @property
    def python(self) -> str:
        """Return which Pythons it says that it runs with."""
        return str(self._project.get("requires-python", ""))

    @property
    def has_sources(self) -> bool:
        """Say whether uv is told to get something from elsewhere."""
        return "sources" in self.of_uv

    @property
    def of_uv(self) -> Mapping[str, Any]:
        """Return what uv is told."""
        return self._table(self._table(self._document, "tool"), "uv")

    def requirements(self) -> Requirements:
        """Return what it says that it requires."""
        return requirements_of("\n".join(self.dependencies), self.file)

    def _table(self, document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        found = document.get(name, {})
        if not isinstance(found, dict):
            raise Failure(f"{self.file}: {name}: a table is expected, {found!r} came", USAGE)
        return found

    def _texts(self, name: str) -> list[str]:
        found = self._project.get(name, [])
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise Failure(
                f"{self.file}: project.{name}: a list of strings is expected, {found!r} came", USAGE
            )
        return found


def _wanted(folder: Path, target: Target, workshop: Workshop) -> _Wanted:
    project = _Project(folder / PROJECT)
    if (folder / LOCK).is_file():
        return _Wanted(_of_lock(folder, target, workshop), project.packaged)
    if (required := _required_by_file(folder)) is not None:
        return _Wanted(required)
    if project.has_sources:
        raise Failure(f"{project.file}: tool.uv.sources needs a {LOCK}: run `uv lock`", USAGE)
    return _Wanted(project.requirements(), project.packaged, project.told_by_build)


def _of_lock(folder: Path, target: Target, workshop: Workshop) -> Requirements:
    uv = workshop.tools.find("uv", folder / LOCK, "`pip install uv` brings it")
    command = [
        uv, "export", "--locked", "--no-default-groups", "--no-emit-project", "--no-header",
        "--no-annotate", "--quiet", "--no-progress", "--no-python-downloads",
    ]  # fmt: skip
    said = workshop.tools.ask(command, folder, advice=_advice(target))
    return requirements_of(said, folder / LOCK)


@dataclass(frozen=True, slots=True)
class _Installer:
    """Installs requirements of a project for a target."""

    folder: Path
    target: Target
    workshop: Workshop

    def install(self, requirements: Requirements, *options: str) -> Mapping[str, Entry]:
        """Install once for the same requirements, options and target."""
        chosen = self._what_chooses()
        key = key_of("python", *self.target, *chosen, *options, *requirements.key)
        return self.workshop.kept(key, lambda work: self._make(requirements, options, work))

    def _what_chooses(self) -> tuple[str, ...]:
        """Return what an index and versions are chosen by, besides what is required.

        It holds passwords of indexes: of what is made of it, nothing but a hash may be kept.
        """
        installer = "uv" if self.workshop.tools.look_for("uv") else "pip"
        of_uv = json.dumps(_Project(self.folder / PROJECT).of_uv, sort_keys=True, default=str)
        variables = (f"{name}={value}" for name, value in sorted(os.environ.items())
                     if name.startswith(_VARIABLES))  # fmt: skip
        return installer, read_text(self.folder / SETTINGS), of_uv, "\0".join(variables)

    def _make(
        self, requirements: Requirements, options: Sequence[str], work: Path
    ) -> Mapping[str, Entry]:
        made, listed = work / "made", requirements.write(work)
        made.mkdir()
        command = [*self._installer(), *options, "--target", str(made), "-r", str(listed)]
        note(f"installing for {self.target.runtime} on {self.target.architecture}")
        self.workshop.tools.run(command, self.folder, advice=_advice(self.target))
        return pack(made, change=self._packed)

    def _packed(self, name: str, content: bytes) -> bytes | None:
        if _EXTENSION.search(name):
            self.target.check(name, content)
        return _without_this_machine(name, content)

    def _installer(self) -> list[str]:
        uv = self.workshop.tools.look_for("uv")
        return self._uv(uv) if uv else self._pip()

    def _uv(self, uv: str) -> list[str]:
        version = self.target.version
        python = find_interpreter(version)  # what has to be compiled needs the same one
        return [
            uv, "pip", "install", "--no-progress", "--no-python-downloads",
            "--no-installer-metadata", "--no-compile-bytecode", "--python-version", version,
            "--python-platform", f"{self.target.machine}-manylinux_2_{GLIBC}",
            *(("--python", str(python)) if python else ()),
        ]  # fmt: skip

    def _pip(self) -> list[str]:
        levels = range(GLIBC, OLDEST_GLIBC - 1, -1)
        names = [*(f"manylinux_2_{level}" for level in levels), "manylinux2014"]
        platforms = [f"--platform={name}_{self.target.machine}" for name in names]
        return [
            *_pip_of(self.workshop, self.folder), "install", "--progress-bar", "off",
            "--no-compile", "--disable-pip-version-check", "--only-binary=:all:",
            "--implementation", "cp", "--python-version", self.target.version, *platforms,
        ]  # fmt: skip


def _pip_of(workshop: Workshop, folder: Path) -> list[str]:
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    return [workshop.tools.find("pip", folder, "install uv, or python3-pip")]


def _advice(target: Target) -> tuple[Advice, ...]:
    runs = f"Python {target.version} on Linux {target.architecture}"
    return (
        NO_NETWORK,
        Advice(
            r"needs to be updated|is outdated", f"{LOCK} is not of this {PROJECT}: run `uv lock`"
        ),
        Advice(
            r"parse requirement|invalid requirement",
            f"that is no requirement: look for it in the folder's {REQUIREMENTS} or {PROJECT}",
        ),
        Advice(
            r"wheel|No matching distribution|Failed to build|platform tag|ABI tag",
            f"a package has no wheel for {runs}, or is built from source and fails: another "
            "version of it may have one, or another --runtime or --architecture",
        ),
        Advice(
            r"not found in the package registry|unsatisfiable|no version",
            "a name or a version is not there: look at what is required",
        ),
    )


def _without_this_machine(name: str, content: bytes) -> bytes | None:
    """Leave out what tells where and how it was installed: the same wheels give the same bytes."""
    script = name.startswith("bin/") and content.startswith(b"#!")  # names an interpreter of here
    if script or name == ".lock" or _OF_INSTALLER.search(name):
        return None
    if not name.endswith(".dist-info/RECORD"):
        return content
    lines = content.decode(errors="replace").splitlines(keepends=True)
    return "".join(line for line in lines if not _RECORDS_INSTALLER.search(line)).encode()
