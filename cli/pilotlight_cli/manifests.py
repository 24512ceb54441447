"""Manifests: YAML or JSON files of resources, checked here so that a mistake names its place.

A function whose code is a folder beside its manifest says so by the annotation
`pilotlight.dev/source` and leaves `spec.code` out; loading zips the folder and fills it in. What
was loaded goes through the gateway's `POST /-/apply` (`platform`).
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from pilotlight.access_key_secret import check_access_key
from pilotlight.errors import InvalidResourceError
from pilotlight.manifest import parse_manifest, parse_model
from pilotlight.resources import Function, Secret
from pilotlight.resources.registry import KINDS

from .builders import Packager, Target
from .failures import USAGE, Failure
from .files import files_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pilotlight.resources import Resource

    from .package import Package

__all__ = ["BUILD_ANNOTATION", "SOURCE_ANNOTATION", "Manifest", "load"]

SOURCE_ANNOTATION = "pilotlight.dev/source"
BUILD_ANNOTATION = "pilotlight.dev/build"
"""`"false"` where a source is packed as it is, whatever it asks for."""
ORDER = list(KINDS)
"""Kinds: what others refer to is applied first."""
STANDARD_INPUT = Path("-")
"""By this name; a file that is called so needs a folder before it."""
SUFFIXES = (".yaml", ".yml", ".json")
_OTHERS_FOLDERS = {"node_modules"}
"""What lies there is other people's, thousands of files of it, and no manifest of this project."""
Document = dict[str, Any]
_UNKNOWN = "0" * 64
"""What stands for a package's sha256 while the rest of its manifest is checked."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """One resource of a file, and its package where its code is a folder."""

    file: Path
    document: Document
    """What is sent: as it was written, the package's sha256 filled in."""
    resource: Resource
    source: Path | None = None
    package: Package | None = None


class StrictLoader(yaml.SafeLoader):
    """Refuses a key that comes twice, as Kubernetes' strict reading does."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002  PyYAML's signature
        """Make a mapping; raises a ConstructorError that has the line."""
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} comes twice", key_node.start_mark
                )
            if isinstance(key, Hashable):
                seen.add(key)
        return super().construct_mapping(node, deep)


def load(
    paths: Iterable[Path], *, lenient: bool = False, packager: Packager | None = None
) -> list[Manifest]:
    """Load files and folders of manifests, in the order to apply them in.

    In a folder, files that are no manifests are passed over; where `lenient`, named ones are too.
    `packager` builds, and remembers what was compressed before.
    Raises one Failure that names every mistake with its file, line and field.
    """
    manifests: list[Manifest] = []
    mistakes: list[str] = []
    for file, named in _files(paths):
        for document, node in _documents(file):
            if not _is_manifest(document) and (lenient or not named):
                continue
            try:
                manifests.append(_manifest(file, document))
            except InvalidResourceError as error:
                mistakes.append(f"{file}:{_line(node, error.field)}: {error}")
    if mistakes:
        raise Failure("\n".join(mistakes), USAGE)
    packager = packager or Packager()
    packed = [_packed(one, packager) for one in manifests]
    return sorted(packed, key=lambda one: ORDER.index(one.resource.kind))


def _files(paths: Iterable[Path]) -> Iterator[tuple[Path, bool]]:
    """Return each file, and whether it was named itself."""
    for path in paths:
        if path.is_dir():
            found = files_of(path, skipped=_OTHERS_FOLDERS).kept.values()
            files = (Path(file.path) for file in found)
            yield from ((file, False) for file in files if file.suffix in SUFFIXES)
        elif path == STANDARD_INPUT or path.exists():
            yield path, True
        else:
            raise Failure(f"{path}: no such file or folder", USAGE)


def _documents(file: Path) -> list[tuple[Any, yaml.Node]]:
    """Return each document, and its nodes, which know their lines."""
    try:
        text = sys.stdin.buffer.read() if file == STANDARD_INPUT else file.read_bytes()
    except FileNotFoundError:
        return []  # it went while we looked
    except OSError as error:
        raise Failure(f"{file}: {error.strerror}", USAGE) from error
    loaded: list[tuple[Any, yaml.Node]] = []
    try:
        loader = StrictLoader(text)
        while loader.check_node():
            node = loader.get_node()
            document = None if node is None else loader.construct_document(node)
            if node is not None and document is not None:
                loaded.append((document, node))
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise Failure(f"{file}{line}: no YAML: {error}", USAGE) from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise Failure(f"{file}: no YAML: {error}", USAGE) from error
    return loaded


def _line(node: yaml.Node, field: str) -> int:
    """Return the line of a field such as `spec.memory`, or of what it is missing in."""
    line = node.start_mark.line
    for part in field.split("."):
        if not isinstance(node, yaml.MappingNode):
            break
        found = [(key, value) for key, value in node.value if key.value == part]
        if not found:
            break
        line, node = found[0][0].start_mark.line, found[0][1]
    return line + 1


def _is_manifest(document: object) -> bool:
    return isinstance(document, dict) and {"apiVersion", "kind"} <= document.keys()


def _manifest(file: Path, document: Any) -> Manifest:
    """Check one document; the package of what has a source is yet to come."""
    if isinstance(document, dict) and document.get("kind") == Secret.kind_name:
        document = _decoded(document)
        secret = parse_model(Secret, document)
        check_access_key(secret)
        return Manifest(file, document, secret)
    source = _source(file, document)
    if source is None:
        return Manifest(file, document, parse_manifest(document))
    return Manifest(file, document, parse_manifest(_with_code(document, _UNKNOWN)), source)


def _packed(one: Manifest, packager: Packager) -> Manifest:
    """Build and pack what a manifest's source is."""
    if one.source is None or not isinstance(one.resource, Function):
        return one
    spec = one.resource.spec
    target = Target(spec.runtime or "", spec.architecture)
    build = one.resource.metadata.annotations.get(BUILD_ANNOTATION) != "false"
    without = [one.file.resolve()]
    try:
        package = packager.package_of(one.source, target, without=without, build=build)
    except Failure as error:
        raise Failure(f"{one.file}: {error.message}", error.exit_code) from error
    document = _with_code(one.document, package.sha256)
    return Manifest(one.file, document, parse_manifest(document), one.source, package)


def _with_code(document: Any, sha256: str) -> Any:
    return document | {"spec": {**document["spec"], "code": {"zip": sha256}}}


def _source(file: Path, document: Any) -> Path | None:
    """Find the folder or file that a function's code is in, where the manifest says so."""
    try:
        wanted, spec = document["metadata"]["annotations"][SOURCE_ANNOTATION], document["spec"]
    except (KeyError, TypeError):
        return None  # what else is wrong with the document, its parsing says
    if not isinstance(spec, dict):
        return None
    if "code" in spec:
        raise InvalidResourceError(
            f"spec.code: leave it out, since annotation {SOURCE_ANNOTATION} says where the code is"
        )
    source = Path(file.parent, str(wanted)).resolve()
    if not source.exists():
        raise InvalidResourceError(
            f"metadata.annotations.{SOURCE_ANNOTATION}: {source} is neither a file nor a folder"
        )
    return source


def _decoded(document: Document) -> Document:
    """Take Kubernetes' base64 `data` of a Secret as `stringData`, which is what is stored."""
    plain = {name: part for name, part in document.items() if name not in {"data", "type"}}
    try:
        data = {
            name: base64.b64decode(text, validate=True).decode()
            for name, text in (document.get("data") or {}).items()
        }
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidResourceError(f"data: base64 of UTF-8 text is expected: {error}") from error
    return plain | {"stringData": data | (document.get("stringData") or {})}
