"""Checks an input against an API's model and says what is wrong in AWS's words.

Constraint failures are `ValidationException`s that count themselves; a body of the wrong JSON type
is a `SerializationException`. Rules of a service itself are in its operations. The words, and how
values are printed, are those that AWS's services answer with (public issues quote hundreds).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pilotlight_gateway.errors import SerializationError, ValidationError

__all__ = ["member_path", "validate"]

Shape = Mapping[str, Any]
Shapes = Mapping[str, Shape]
"""An API's shapes by name, condensed from botocore's model."""

ON_DEMAND_LIMITS = {"MemorySize": 10_240, "Timeout": 900}
"""The model's limits are those of managed instances; functions on demand have lower ones."""
DYNAMODB_LOCAL = (":ddblocal:", ":us-east-1:")
"""DynamoDB local has its streams in a region that no pattern knows, and a user's table is there."""
SERVICE_CHECKED = frozenset({"Runtime"})
"""Shapes whose enum the service checks itself, with an error of its own."""
LONGEST_MATCHED = 10_000
"""Characters of a text that is held against a pattern: a longer one is too long for each."""
_NOT_NULL = "Member must not be null"
_SEPARATORS = r" \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_JAVA = {r"\p{L}": r"\w", r"\p{N}": r"\d", r"\p{Z}": _SEPARATORS}
"""What stands in classes of the models' patterns, as Python writes it."""


def validate(shapes: Shapes, shape: str, value: Mapping[str, Any]) -> None:
    """Raise ValidationError or SerializationError unless the value fits the shape."""
    failures = list(_check(shapes, shape, value, ""))
    if failures:
        count = len(failures)
        noun = "error" if count == 1 else "errors"
        raise ValidationError(f"{count} validation {noun} detected: {'; '.join(failures)}")


def member_path(path: str, member: str) -> str:
    """Return how a message names a member of what is at a path, such as `vpcConfig.subnetIds`."""
    name = member[:1].lower() + member[1:]
    return f"{path}.{name}" if path else name


def _check(shapes: Shapes, name: str, value: Any, path: str) -> Iterator[str]:
    """Tell the failures of a member and of all that is in it."""
    shape = shapes[name]
    _check_type(shapes, shape, value, path)
    for broken in _broken(shapes, name, value):
        shown = "" if shape.get("sensitive") else f" '{_printed(shapes, name, value)}'"
        yield f"Value{shown} at '{path}' failed to satisfy constraint: {broken}"
    match shape["type"]:
        case "structure":
            yield from _members(shapes, shape, value, path)
        case "list" if shapes[shape["member"]]["type"] == "structure":
            for at, item in _items(value, path):
                yield from _check(shapes, shape["member"], item, at)


def _members(shapes: Shapes, shape: Shape, value: Any, path: str) -> Iterator[str]:
    for required in shape.get("required", ()):
        if value.get(required) is None:
            at = member_path(path, required)
            yield f"Value null at '{at}' failed to satisfy constraint: {_NOT_NULL}"
    for name, target in shape.get("members", {}).items():
        if value.get(name) is not None:
            yield from _check(shapes, target["shape"], value[name], member_path(path, name))


_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str, "integer": int, "long": int, "boolean": bool, "float": (int, float),
    "double": (int, float), "structure": Mapping, "map": Mapping, "list": list,
    "blob": (bytes, str), "timestamp": (str, int, float),
}  # fmt: skip


def _check_type(shapes: Shapes, shape: Shape, value: Any, path: str) -> None:
    """Raise SerializationError where a value, or a simple one in it, is of another JSON type."""
    wanted: Any = _TYPES[shape["type"]]
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        raise SerializationError(
            f"{path or 'the body'}: {shape['type']} expected, "
            f"{type(value).__name__} {str(value)[:80]!r} came"
        )
    if shape["type"] in {"list", "map"}:
        part = shapes[shape["member" if shape["type"] == "list" else "value"]]
        for at, item in _items(value, path):
            if item is not None or part["type"] == "structure":
                _check_type(shapes, part, item, at)


def _items(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Tell what is in a list or a map, and where."""
    if isinstance(value, list):
        return ((f"{path}.{number}.member", item) for number, item in enumerate(value, 1))
    return ((f"{path}.{key}", item) for key, item in value.items())


def _broken(shapes: Shapes, name: str, value: Any) -> Iterator[str]:
    """Tell which constraints a value breaks, each in words; what is in a list breaks the list's."""
    shape = shapes[name]
    for constraint, holds in _own(name, shape, value):
        if not holds:
            yield constraint
    match shape["type"]:
        case "list" if any(_is_bad(shapes, shape["member"], item) for item in value):
            yield f"Member must satisfy constraint: [{_said(shapes, shape['member'])}]"
        case "map":
            if any(_is_bad(shapes, shape["key"], key) for key in value):
                yield f"Map keys must satisfy constraint: [{_said(shapes, shape['key'])}]"
            if any(_is_bad(shapes, shape["value"], item) for item in value.values()):
                yield f"Map value must satisfy constraint: [{_said(shapes, shape['value'])}]"


def _is_bad(shapes: Shapes, name: str, value: Any) -> bool:
    if shapes[name]["type"] == "structure":
        return False  # its members tell of themselves
    return value is None or any(_broken(shapes, name, value))


def _said(shapes: Shapes, name: str) -> str:
    """Say all constraints of what is in a list or a map, which are told together."""
    shape = shapes[name]
    said = [constraint for constraint, _ in _own(name, shape, None)]
    if shape["type"] == "list":
        said.append(f"Member must satisfy constraint: [{_said(shapes, shape['member'])}]")
    return ", ".join([*said, _NOT_NULL])


def _own(name: str, shape: Shape, value: Any) -> Iterator[tuple[str, bool]]:
    """Tell each constraint of a shape in AWS's order, and whether a value satisfies it.

    Without a value they are only told.
    """
    low, high = shape.get("min"), ON_DEMAND_LIMITS.get(name, shape.get("max"))
    is_number = shape["type"] in {"integer", "long", "double", "float"}
    what, measured = "value" if is_number else "length", value
    if shape["type"] in {"string", "list", "map"} and value is not None:
        measured = len(value)
    if high is not None:
        most = _number(shape, high)
        within = measured is None or measured <= high
        yield f"Member must have {what} less than or equal to {most}", within
    if low is not None:
        least = _number(shape, low)
        within = measured is None or measured >= low
        yield f"Member must have {what} greater than or equal to {least}", within
    if (pattern := shape.get("pattern")) is not None:
        fits = value is None or _fits(name, pattern, value)
        yield f"Member must satisfy regular expression pattern: {pattern}", fits
    if "enum" in shape and name not in SERVICE_CHECKED:
        wanted = ", ".join(shape["enum"])
        known = value is None or value in shape["enum"]
        yield f"Member must satisfy enum value set: [{wanted}]", known


def _fits(name: str, pattern: str, value: str) -> bool:
    if name == "Arn":
        value = value.replace(*DYNAMODB_LOCAL)
    return len(value) <= LONGEST_MATCHED and _compiled(pattern).fullmatch(value) is not None


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern of Java's, whose classes are ASCII's unless they say otherwise."""
    if r"\p{" in pattern:
        for ours, python in _JAVA.items():
            pattern = pattern.replace(ours, python)
        return re.compile(pattern)
    return re.compile(pattern, re.ASCII)


def _number(shape: Shape, value: Any) -> str:
    """Print a number, or whatever is its own text."""
    return str(float(value)) if shape["type"] in {"double", "float"} else str(value)


def _printed(shapes: Shapes, name: str, value: Any) -> str:
    """Print a value as Java does: `[a, b]`, `{key=value}`, `Name(member=value)`, `true`, `1.0`."""
    shape = shapes[name]
    match shape["type"]:
        case _ if value is None:
            return "null"
        case "list":
            return f"[{', '.join(_printed(shapes, shape['member'], item) for item in value)}]"
        case "map":
            pairs = (
                f"{key}={_printed(shapes, shape['value'], item)}" for key, item in value.items()
            )
            return f"{{{', '.join(pairs)}}}"
        case "structure":
            return f"{name}({', '.join(_printed_members(shapes, shape, value))})"
        case "boolean":
            return str(value).lower()
        case _:
            return _number(shape, value)


def _printed_members(shapes: Shapes, shape: Shape, value: Any) -> Iterator[str]:
    for name, target in shape.get("members", {}).items():
        if value.get(name) is not None:
            hidden = shapes[target["shape"]].get("sensitive")
            shown = "***" if hidden else _printed(shapes, target["shape"], value[name])
            yield f"{member_path('', name)}={shown}"
