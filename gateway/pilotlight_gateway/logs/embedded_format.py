"""Reads CloudWatch's embedded metric format: what a log line measures, if it measures anything.

Source: Amazon CloudWatch User Guide, "Specification: Embedded metric format". Bounds that it has
are kept; that dimensions are text, too. Pure; `embedded_metrics` counts what is read here.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["EmbeddedFormatError", "Measurement", "read"]

MOST_METRICS = 100
"""Of a line, each with each set of its dimensions."""
MOST_VALUES = 100
"""Of a metric in a line."""
MOST_DIMENSIONS = 30
MOST_CHARACTERS = 1024
"""Of a name, or of a dimension's value."""
MOST_LABEL_CHARACTERS = 2048
"""Of all names and values of a series together."""
_OF_CONSOLE = re.compile(r"[-\d]{10}T[:.\d]{8,15}Z\t[^\t]*\t[A-Z]+\t")
"""What Node.js' `console` puts before a text; metrics are read behind it, as on AWS."""
_NOT_OF_LABELS = re.compile(r"[^a-zA-Z0-9_]")


class EmbeddedFormatError(ValueError):
    """A line says that it measures something, and not in a way that can be read."""


class Measurement(NamedTuple):
    """Values of one metric with one set of dimensions."""

    metric_namespace: str
    metric: str
    unit: str
    dimensions: tuple[tuple[str, str], ...]
    """By the names of Prometheus' labels, in order."""
    values: list[float]


def read(line: str) -> list[Measurement]:
    """Return what a line measures, nothing of most lines; raises EmbeddedFormatError."""
    if '"CloudWatchMetrics"' not in line:
        return []
    if not line.startswith("{"):
        line = _OF_CONSOLE.sub("", line, count=1)
    try:
        document = orjson.loads(line) if line.startswith("{") else {}
    except orjson.JSONDecodeError:
        return []  # a line that looks like it, and a log line all the same
    metadata = document.get("_aws")
    if not isinstance(metadata, dict) or "CloudWatchMetrics" not in metadata:
        return []
    found: list[Measurement] = []
    for directive in _list(metadata["CloudWatchMetrics"], "_aws.CloudWatchMetrics"):
        for one in _measurements(_object(directive, "a metric directive"), document):
            found.append(one)
            _expect(len(found) <= MOST_METRICS, f"more than {MOST_METRICS} metrics")
    return found


def _measurements(directive: dict[str, Any], root: dict[str, Any]) -> Iterator[Measurement]:
    namespace = _text(directive.get("Namespace"), "Namespace")
    names = _list(directive.get("Dimensions", []), "Dimensions") or [[]]
    sets = [_dimensions(_list(one, "a set of dimensions"), root) for one in names]
    for definition in _list(directive.get("Metrics", []), "Metrics"):
        metric = _object(definition, "a metric")
        name = _text(metric.get("Name"), "a metric's Name")
        unit = _text(metric.get("Unit", "None"), "a metric's Unit")
        values = _values(root.get(name), name)
        for dimensions in sets:
            size = sum(len(label) + len(value) for label, value in dimensions)
            total = size + len(namespace) + len(name) + len(unit)
            _expect(total <= MOST_LABEL_CHARACTERS, f"the labels of {name!r} are too long")
            yield Measurement(namespace, name, unit, dimensions, values)


def _dimensions(names: list[Any], root: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    _expect(len(names) <= MOST_DIMENSIONS, f"more than {MOST_DIMENSIONS} dimensions")
    labels: dict[str, str] = {}
    for one in names:
        name = _text(one, "a dimension's name")
        label = "dimension_" + _NOT_OF_LABELS.sub("_", name)
        _expect(label not in labels, f"two dimensions are {label} as labels")
        labels[label] = _text(root.get(name), f"the dimension {name!r}")
    return tuple(sorted(labels.items()))


def _values(value: Any, name: str) -> list[float]:
    values = value if isinstance(value, list) else [value]
    _expect(0 < len(values) <= MOST_VALUES, f"{name!r} must have 1 to {MOST_VALUES} values")
    for one in values:
        number = isinstance(one, int | float) and not isinstance(one, bool)
        _expect(number and math.isfinite(one), f"{name!r} must be a number")
    return values


def _text(value: Any, what: str) -> str:
    fits = isinstance(value, str) and 0 < len(value) <= MOST_CHARACTERS
    _expect(fits, f"{what} must be text of 1 to {MOST_CHARACTERS} characters")
    return str(value)


def _list(value: Any, what: str) -> list[Any]:
    _expect(isinstance(value, list), f"{what} must be a list")
    return list(value)


def _object(value: Any, what: str) -> dict[str, Any]:
    _expect(isinstance(value, dict), f"{what} must be an object")
    return dict(value)


def _expect(holds: object, text: str) -> None:
    if not holds:
        raise EmbeddedFormatError(text)
