"""Requirements of Python projects: one flat list of what files, links and folders say.

A requirement may name a folder or a file, which is part of what is built from; and an editable one
(`-e ./lib`) would leave a package that points at this machine, so it is installed like any other.
Format: pip's documentation, "Requirements File Format".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from ..failures import USAGE, Failure
from .builder import read_text
from .tree import copy, digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Local", "Requirements", "read_requirements", "requirements_of"]

_COMMENT = re.compile(r"(^|\s+)#.*$")
_OPTION = re.compile(r"(--?[a-z-]+?)(?:\s*=\s*|\s+|(?<=^-[rcef]))(\S.*)")
_SHORT = {"-r": "--requirement", "-c": "--constraint", "-e": "--editable", "-f": "--find-links"}
_REQUIREMENT = re.compile(
    r"(?P<name>[\w.-]+\s*(?:\[[^\]]*\])?\s*@\s*)?(?P<where>[^\s;\[]+)(?P<rest>.*)"
)
_PACKAGES = (".whl", ".tar.gz", ".zip")


class Local(NamedTuple):
    """A line that names a folder or a file of this machine."""

    before: str
    path: Path
    after: str = ""

    def at(self, path: Path) -> str:
        """Return the line with another place: a path behind an option, else a URL."""
        place = str(path) if self.before.startswith("-") else path.as_uri()
        return f"{self.before}{place}{self.after}"


@dataclass(frozen=True, slots=True)
class Requirements:
    """Lines, of which some name what lies on this machine."""

    lines: tuple[str | Local, ...]

    def __bool__(self) -> bool:
        """Say whether anything is to be installed."""
        starts = [line.before if isinstance(line, Local) else line for line in self.lines]
        return not all(start.startswith("-") for start in starts)

    @property
    def key(self) -> tuple[str | bytes, ...]:
        """What is installed, on whosever machine: what lies there goes in by its content."""
        return tuple(part for line in self.lines for part in _key(line))

    def write(self, folder: Path) -> Path:
        """Write a file to install from, beside copies of what it names: builds litter."""
        file = folder / "requirements.txt"
        lines: list[str] = []
        for number, line in enumerate(self.lines):
            if isinstance(line, Local):
                to = folder / "local" / str(number) / line.path.name
                copy(line.path, to)
                lines.append(line.at(to))
            else:
                lines.append(line)
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return file


def read_requirements(file: Path) -> Requirements:
    """Read a file and what it includes; raises Failure with file and line."""
    return Requirements(tuple(_of_file(file, ())))


def requirements_of(text: str, file: Path) -> Requirements:
    """Read what a file says in another form; its mistakes bear that file's name."""
    return Requirements(tuple(_of_text(text, file, ())))


def _of_file(file: Path, above: tuple[Path, ...]) -> Iterator[str | Local]:
    yield from _of_text(read_text(file), file, (*above, file.resolve()))


def _of_text(text: str, file: Path, above: tuple[Path, ...]) -> Iterator[str | Local]:
    for number, line in _logical_lines(text):
        try:
            yield from _read(line, file, above)
        except ValueError as error:
            raise Failure(f"{file}:{number}: {error}", USAGE) from error


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Join what a backslash continues, and leave comments out; with the first one's number."""
    begun: list[str] = []
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        part = _COMMENT.sub("", line).strip()
        begun.append(part.removesuffix("\\").strip())
        if not part.endswith("\\"):
            whole = " ".join(filter(None, begun))
            if whole:
                yield number - len(begun) + 1, whole
            begun = []


def _read(line: str, file: Path, above: tuple[Path, ...]) -> Iterator[str | Local]:
    option = _OPTION.fullmatch(line) if line.startswith("-") else None
    if option is None:
        yield line if line.startswith("-") else _requirement(line, file.parent)
        return
    name, value = _SHORT.get(option[1], option[1]), option[2]
    if name == "--editable":
        yield _requirement(value, file.parent)
    elif "://" in value or name not in _SHORT.values():
        yield line
    elif name == "--requirement":
        yield from _of_file(_included(value, file, above), above)
    else:
        yield Local(f"{name} ", _existing(file.parent / value, value))


def _included(value: str, file: Path, above: tuple[Path, ...]) -> Path:
    included = file.parent / value
    if not included.is_file():
        raise ValueError(f"-r {value}: there is no such file")
    if included.resolve() in above:
        raise ValueError(f"-r {value}: that file includes this one")
    return included


def _requirement(line: str, folder: Path) -> str | Local:
    found = _REQUIREMENT.fullmatch(line)
    if found is None:
        return line
    where = found["where"]
    if where.startswith("file:"):
        where = unquote(where.removeprefix("file:").removeprefix("//"))
    elif "://" in where or not ("/" in where or where.startswith(".") or where.endswith(_PACKAGES)):
        return line
    path = _existing(folder / where, where)
    return Local(found["name"] or "", path, found["rest"])


def _existing(path: Path, said: str) -> Path:
    if not path.exists():
        raise ValueError(f"{said} is neither a file nor a folder")
    return path.resolve()


def _key(line: str | Local) -> tuple[str | bytes, ...]:
    if isinstance(line, str):
        return (line,)
    return line.before, line.path.name, digest(line.path), line.after
