"""What Lambda says of a broken input, read from its model in other words than the gateway's own.

So that a mistake of the one is not the other's too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ON_DEMAND", "SERVICE_CHECKED", "broken_constraints", "failure", "is_match", "named"]

Shape = dict[str, Any]
Constraint = tuple[str, "Callable[[Any], bool]"]
ON_DEMAND = {"MemorySize": 10_240, "Timeout": 900}
"""Lambda's limits of functions on demand, where the model's are those of managed instances."""
SERVICE_CHECKED = {"Runtime"}
"""Shapes whose enum is the service's to check, with another error."""


def named(path: tuple[str | int, ...]) -> str:
    """Write where a member is, as messages do."""
    said = ""
    for step in path:
        said += f".{step + 1}.member" if isinstance(step, int) else f".{step[0].lower()}{step[1:]}"
    return said[1:]


def failure(shapes: dict[str, Shape], name: str, value: Any, at: str, constraint: str) -> str:
    """Say that a value breaks a constraint; what is sensitive is not shown."""
    shown = "" if shapes[name].get("sensitive") else f" '{_java(shapes, name, value)}'"
    return f"Value{shown} at '{at}' failed to satisfy constraint: {constraint}"


def broken_constraints(shapes: dict[str, Shape], name: str, value: Any) -> list[str]:
    """Return what the model says against a value, a list or a map of simple ones."""
    shape = shapes[name]
    broken = [text for text, holds in _constraints(name, shape) if not holds(value)]
    parts: list[tuple[str, str, Any]] = []
    if shape["type"] == "list" and shapes[shape["member"]]["type"] != "structure":
        parts = [("Member", shape["member"], value)]
    if shape["type"] == "map":
        parts = [("Map keys", shape["key"], value), ("Map value", shape["value"], value.values())]
    for what, part, items in parts:
        if any(broken_constraints(shapes, part, item) for item in items):
            broken.append(f"{what} must satisfy constraint: {_all(shapes, part)}")
    return broken


def is_match(pattern: str, text: str) -> bool:
    """Whether a text matches a pattern of Java's, whose digits are ASCII's alone."""
    pattern = pattern.replace(r"\p{L}\p{Z}\p{N}", r"\w \u00a0\u2028").replace(r"\d", "[0-9]")
    return re.fullmatch(pattern, text) is not None


def _all(shapes: dict[str, Shape], name: str) -> str:
    said = [text for text, _ in _constraints(name, shapes[name])]
    if shapes[name]["type"] == "list":
        said.append(f"Member must satisfy constraint: {_all(shapes, shapes[name]['member'])}")
    return f"[{', '.join([*said, 'Member must not be null'])}]"


def _constraints(name: str, shape: Shape) -> list[Constraint]:
    bounds = {"less": ON_DEMAND.get(name, shape.get("max")), "greater": shape.get("min")}
    found: list[Constraint] = []
    is_long = shape["type"] in {"string", "list", "map"}
    for side, bound in bounds.items():
        if bound is not None:
            shown = float(bound) if shape["type"] == "double" else bound
            text = f"Member must have {'length' if is_long else 'value'} {side} than or equal to"
            found.append((f"{text} {shown}", _within(side, bound, is_long=is_long)))
    if "pattern" in shape:
        text = f"Member must satisfy regular expression pattern: {shape['pattern']}"
        found.append((text, lambda value: is_match(shape["pattern"], value)))
    if "enum" in shape and name not in SERVICE_CHECKED:
        text = f"Member must satisfy enum value set: [{', '.join(shape['enum'])}]"
        found.append((text, lambda value: value in shape["enum"]))
    return found


def _within(side: str, bound: float, *, is_long: bool) -> Callable[[Any], bool]:
    def within(value: Any) -> bool:
        size = len(value) if is_long else value
        return bool(size <= bound if side == "less" else size >= bound)

    return within


def _java(shapes: dict[str, Shape], name: str, value: Any) -> str:
    """Print a value as Java's toString does."""
    shape = shapes[name]
    if isinstance(value, list):
        return "[" + ", ".join(_java(shapes, shape["member"], item) for item in value) + "]"
    if isinstance(value, dict) and shape["type"] == "map":
        pairs = [f"{key}={_java(shapes, shape['value'], value[key])}" for key in value]
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, dict):
        kinds = {key: shape["members"][key]["shape"] for key in value}
        pairs = [f"{named((key,))}={_java(shapes, kinds[key], value[key])}" for key in value]
        return f"{name}({', '.join(pairs)})"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(float(value)) if shape["type"] == "double" else str(value)
