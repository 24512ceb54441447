"""Checks an input against an API's model and says what is wrong in AWS's words.

Constraint failures are `ValidationException`s that count themselves; a body of the wrong JSON type
is a `SerializationException`. Rules of a service itself are in its operations.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pilotlight_gateway.errors import SerializationError, ValidationError

__all__ = ["validate"]

Shape = Mapping[str, Any]
Shapes = Mapping[str, Shape]
"""An API's shapes by name, condensed from botocore's model."""

ON_DEMAND_LIMITS = {"MemorySize": 10_240, "Timeout": 900}
"""The model's limits are those of managed instances; functions on demand have lower ones."""
DYNAMODB_LOCAL = (":ddblocal:", ":us-east-1:")
"""DynamoDB local has its streams in a region that no pattern knows, and a user's table is there."""
SERVICE_CHECKED = frozenset({"Runtime"})
"""Shapes whose enum the service checks itself, with an error of its own."""


def validate(shapes: Shapes, shape: str, value: Mapping[str, Any]) -> None:
    """Raise ValidationError or SerializationError unless the value fits the shape."""
    failures = list(_check(shapes, shape, value, ""))
    if failures:
        count = len(failures)
        noun = "error" if count == 1 else "errors"
        raise ValidationError(f"{count} validation {noun} detected: {'; '.join(failures)}")


def _check(shapes: Shapes, name: str, value: object, path: str) -> Iterator[str]:
    shape = shapes[name]
    _check_type(shape, value, path)
    yield from _constraints(name, shape, value, path)
    match shape["type"]:
        case "structure":
            yield from _members(shapes, shape, value, path)
        case "list":
            for number, item in enumerate(value, 1):  # type: ignore[arg-type, var-annotated]  # _check_type
                yield from _check(shapes, shape["member"], item, f"{path}.{number}.member")
        case "map":
            for key, item in value.items():  # type: ignore[attr-defined]  # _check_type
                yield from _check(shapes, shape["key"], key, f"{path}.key")
                yield from _check(shapes, shape["value"], item, f"{path}.{key}")


def _members(shapes: Shapes, shape: Shape, value: Any, path: str) -> Iterator[str]:
    for required in shape.get("required", ()):
        if value.get(required) is None:
            yield _failure(None, _join(path, required), "Member must not be null")
    for name, target in shape.get("members", {}).items():
        if value.get(name) is not None:
            yield from _check(shapes, target["shape"], value[name], _join(path, name))


_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str, "integer": int, "long": int, "boolean": bool, "float": (int, float),
    "double": (int, float), "structure": Mapping, "map": Mapping, "list": list,
    "blob": (bytes, str), "timestamp": (str, int, float),
}  # fmt: skip


def _check_type(shape: Shape, value: object, path: str) -> None:
    wanted = _TYPES[shape["type"]]
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is int):
        raise SerializationError(
            f"{path or 'the body'}: {shape['type']} expected, "
            f"{type(value).__name__} {str(value)[:80]!r} came"
        )


def _constraints(name: str, shape: Shape, value: Any, path: str) -> Iterator[str]:
    kind = shape["type"]
    if kind in {"integer", "long", "double", "float"}:
        high = ON_DEMAND_LIMITS.get(name, shape.get("max"))
        low = shape.get("min")
        if low is not None and value < low:
            yield _failure(value, path, f"Member must have value greater than or equal to {low}")
        if high is not None and value > high:
            yield _failure(value, path, f"Member must have value less than or equal to {high}")
    elif kind in {"string", "list", "map"}:
        yield from _lengths(shape, value, path)
    if kind == "string":
        yield from _texts(name, shape, value, path)


def _lengths(shape: Shape, value: Any, path: str) -> Iterator[str]:
    low, high = shape.get("min"), shape.get("max")
    if low is not None and len(value) < low:
        yield _failure(value, path, f"Member must have length greater than or equal to {low}")
    if high is not None and len(value) > high:
        yield _failure(value, path, f"Member must have length less than or equal to {high}")


def _texts(name: str, shape: Shape, value: str, path: str) -> Iterator[str]:
    if "enum" in shape and name not in SERVICE_CHECKED and value not in shape["enum"]:
        wanted = ", ".join(shape["enum"])
        yield _failure(value, path, f"Member must satisfy enum value set: [{wanted}]")
    pattern = shape.get("pattern")
    if name == "Arn":
        value = value.replace(*DYNAMODB_LOCAL)
    if pattern and not re.fullmatch(_python(pattern), value):
        yield _failure(value, path, f"Member must satisfy regular expression pattern: {pattern}")


def _python(pattern: str) -> str:
    return pattern.replace(r"\p{L}", r"\w").replace(r"\p{N}", r"\d").replace(r"\p{Z}", r"\s")


def _failure(value: object, path: str, constraint: str) -> str:
    shown = "null" if value is None else str(value)
    return f"Value '{shown}' at '{path}' failed to satisfy constraint: {constraint}"


def _join(path: str, member: str) -> str:
    name = member[:1].lower() + member[1:]
    return f"{path}.{name}" if path else name
