"""Puts an operation's input together from path, query, headers and body, as its model says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pilotlight import resources
from pilotlight.errors import InvalidResourceError
from pilotlight.manifest import parse_model
from pilotlight_gateway.apis.validation import member_path, validate
from pilotlight_gateway.errors import (
    InvalidParameterValueError,
    SerializationError,
    ValidationError,
)
from pilotlight_gateway.exchange import parse_json, refuse_repeated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pilotlight_gateway.exchange import Query

    from .model import Model, Route

__all__ = ["assemble", "check_head", "parse_as"]

M = TypeVar("M", bound=resources.Model)


def parse_as(model: type[M], document: Mapping[str, Any]) -> M:
    """Check a part of a resource by its own rules; raises InvalidParameterValueError."""
    try:
        return parse_model(model, document)
    except InvalidResourceError as error:
        raise InvalidParameterValueError(str(error)) from error


def assemble(
    model: Model,
    route: Route,
    query: Query,
    headers: Mapping[str, str],
    body: bytes,
) -> dict[str, Any]:
    """Return the validated input of an operation; members that it does not have are left out."""
    shape = route.operation.input
    if shape is None:
        return {}
    members = model.shapes[shape].get("members", {})
    lists = [name for name, target in members.items() if _is_query_list(model, target)]
    refuse_repeated(query, allowed=frozenset(_sent_as(name, members[name]) for name in lists))
    document = _body(body)
    given = _head(model, shape, route.parameters, query, headers)
    for name, target in members.items():
        value = None if "location" in target else document.get(_sent_as(name, target))
        given |= {} if value is None else {name: value}
    validate(model.shapes, shape, given)
    return given


def check_head(
    model: Model,
    operation: str,
    parameters: Mapping[str, str],
    query: Query,
    headers: Mapping[str, str],
) -> None:
    """Raise ValidationError where what comes beside an operation's body breaks the model.

    For invocations, which are not put together by the model: they find out that something is wrong,
    and this says all that is.
    """
    shape = model.operations[operation].input or ""
    given = _head(model, shape, parameters, query, headers)
    members = model.shapes[shape].get("members", {})
    payload = {name: b"" for name, target in members.items() if "location" not in target}
    validate(model.shapes, shape, given | payload)


def _head(
    model: Model,
    shape: str,
    parameters: Mapping[str, str],
    query: Query,
    headers: Mapping[str, str],
) -> dict[str, Any]:
    """Return the members of an input that come in path, query and headers."""
    places = {"uri": parameters, "querystring": query, "header": headers}
    given: dict[str, Any] = {}
    for name, target in model.shapes[shape].get("members", {}).items():
        if (place := places.get(target.get("location"))) is None:
            continue
        sent_as = _sent_as(name, target)
        if _is_query_list(model, target):
            given |= {name: values} if (values := query.getall(sent_as, [])) else {}
        elif (value := place.get(sent_as)) is not None:
            given[name] = _typed(model, target["shape"], name, value)
    return given


def _sent_as(member: str, target: Mapping[str, Any]) -> str:
    """Return a member's name on the wire."""
    return str(target.get("locationName", member))


def _is_query_list(model: Model, target: Mapping[str, Any]) -> bool:
    """Whether a query parameter may come more than once, a value each time."""
    is_list = model.shapes[target["shape"]]["type"] == "list"
    return is_list and target.get("location") == "querystring"


def _body(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    document = parse_json(body)
    if not isinstance(document, dict):
        raise SerializationError(f"The body must be a JSON object, {type(document).__name__} came.")
    return document


def _typed(model: Model, shape: str, name: str, text: str) -> Any:
    kind = model.shapes[shape]["type"]
    try:
        match kind:
            case "integer" | "long":
                return int(text)
            case "boolean":
                return {"true": True, "false": False}[text]
            case _:
                return text
    except (ValueError, KeyError) as error:
        raise ValidationError(
            f"1 validation error detected: Value '{text}' at '{member_path('', name)}' "
            f"failed to satisfy constraint: Member must be of type {kind}"
        ) from error
