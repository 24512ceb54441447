"""Reads a manifest into a resource, or says which field is wrong, what came and what was expected.

Used where manifests come in without Kubernetes before them: `POST /-/apply` and the command line.
The Lambda API builds specs through `parse_model` too, so both doors say the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from .errors import InvalidResourceError
from .resources import Model
from .resources.registry import CUSTOM_KINDS
from .suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails

    from .resources import Resource

__all__ = ["KINDS", "parse_manifest", "parse_model"]

M = TypeVar("M", bound=Model)

KINDS = {name: kind for name, kind in CUSTOM_KINDS.items() if kind.in_manifests}
"""What may be applied, by kind."""

_WRITABLE_METADATA = {"name", "namespace", "labels", "annotations"}


def parse_manifest(document: Any) -> Resource:
    """Parse one manifest; raises InvalidResourceError naming the field."""
    if not isinstance(document, dict):
        raise InvalidResourceError(f"a mapping is expected, {_shown(document)} came")
    kind = KINDS.get(str(document.get("kind")))
    if kind is None:
        came, near = _shown(document.get("kind")), did_you_mean(str(document.get("kind")), KINDS)
        raise InvalidResourceError(
            f"kind: {came} came, one of {', '.join(KINDS)} is expected{near}", field="kind"
        )
    version = kind.model_fields["api_version"].default
    if document.get("apiVersion") != version:
        raise InvalidResourceError(
            f"apiVersion: {_shown(document.get('apiVersion'))} came, {version} is expected",
            field="apiVersion",
        )
    _check_metadata(document.get("metadata"))
    resource = parse_model(kind, {**document, "status": {}} if "status" in document else document)
    if (problem := resource.problem()) is not None:
        raise InvalidResourceError(problem, field="spec")
    return resource


def parse_model(model: type[M], value: Mapping[str, Any], *, path: str = "") -> M:
    """Parse a part of a resource; raises InvalidResourceError naming the first wrong field."""
    try:
        return model.model_validate(value, by_name=False)
    except ValidationError as error:
        details = error.errors(include_url=False)
        message = "; ".join(_describe(detail, path) for detail in details)
        raise InvalidResourceError(message, field=_path(details[0], path)) from error


def _check_metadata(metadata: Any) -> None:
    if not isinstance(metadata, dict) or not metadata.get("name"):
        raise InvalidResourceError("metadata.name: a name is expected", field="metadata.name")
    if unknown := sorted(metadata.keys() - _WRITABLE_METADATA):
        raise InvalidResourceError(
            f"metadata.{unknown[0]}: this field is not known here; "
            f"{', '.join(sorted(_WRITABLE_METADATA))} are",
            field=f"metadata.{unknown[0]}",
        )


def _describe(detail: ErrorDetails, path: str) -> str:
    where = _path(detail, path)
    match detail["type"]:
        case "extra_forbidden":
            return f"{where}: this field is not known"
        case "missing":
            return f"{where}: this field is required"
        case "value_error":
            reason = str(detail["ctx"]["error"]) if "ctx" in detail else detail["msg"]
            return f"{where}: {reason}" if where else reason
        case _:
            reason = detail["msg"].removeprefix("Input ").removeprefix("String ")
            return f"{where}: {_shown(detail['input'])} came, it {reason}{_quoting(detail)}"


def _quoting(detail: ErrorDetails) -> str:
    """Say how a text is written that YAML reads as a number, a truth or a date."""
    value, expected = detail["input"], str(detail.get("ctx", {}).get("expected", ""))
    is_text = detail["type"] == "string_type" or repr(str(value)) in expected
    if isinstance(value, str | dict | list) or value is None or not is_text:
        return ""
    return f': quote it, "{value}"' if not isinstance(value, bool) else ": quote it"


def _path(detail: ErrorDetails, path: str) -> str:
    parts = [path] if path else []
    return ".".join(parts + [str(part) for part in detail["loc"]])


def _shown(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 100 else f"{text[:100]}…"  # noqa: PLR2004  enough to recognise it
