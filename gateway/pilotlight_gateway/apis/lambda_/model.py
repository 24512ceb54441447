"""The Lambda API's own model, condensed from botocore's: operations, shapes, constraints.

`model.json` beside this file holds the facts; tests hold it to the installed botocore. Routes and
validation are driven by it, so an operation needs no route or validator of its own.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Model", "Operation", "Route", "load_model"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: its HTTP form and the shape of its input."""

    name: str
    method: str
    path: str
    status: int
    input: str | None
    pattern: re.Pattern[str] = field(repr=False)
    query: dict[str, str]
    """Query parameters that tell it from another operation of the same path."""


@dataclass(frozen=True, slots=True)
class Route:
    """An operation that was asked for, and the parameters of its path, decoded."""

    operation: Operation
    parameters: dict[str, str]


@dataclass(frozen=True, slots=True)
class Model:
    """All operations and input shapes."""

    operations: dict[str, Operation]
    shapes: dict[str, dict[str, Any]]

    def match(self, method: str, path: str, query: Mapping[str, str]) -> Route | None:
        """Find the operation of a request; `path` is raw, so that names may hold %2F."""
        for operation in self.operations.values():
            if operation.method != method:
                continue
            if any(query.get(name) != value for name, value in operation.query.items()):
                continue
            if found := operation.pattern.fullmatch(path):
                decoded = {key: unquote(value) for key, value in found.groupdict().items()}
                return Route(operation, decoded)
        return None


@functools.cache
def load_model() -> Model:
    """Read the model."""
    facts = json.loads(files(__package__).joinpath("model.json").read_text())
    operations = [_operation(name, entry) for name, entry in facts["operations"].items()]
    # An operation that a query parameter tells apart goes before the one without.
    operations.sort(key=lambda operation: (-len(operation.query), "{" in operation.path))
    return Model({operation.name: operation for operation in operations}, facts["shapes"])


def _operation(name: str, entry: dict[str, Any]) -> Operation:
    path, _, query = entry["path"].partition("?")
    pairs = dict(pair.split("=") for pair in query.split("&")) if query else {}
    return Operation(
        name, entry["method"], path, entry["status"], entry.get("input"), _pattern(path), pairs
    )


def _pattern(path: str) -> re.Pattern[str]:
    escaped = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(path.rstrip("/")))
    return re.compile(escaped + "/?")
