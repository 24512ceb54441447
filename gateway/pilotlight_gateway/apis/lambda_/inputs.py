"""Puts an operation's input together from path, query, headers and body, as its model says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pilotlight import resources
from pilotlight.errors import InvalidResourceError
from pilotlight.manifest import parse_model
from pilotlight_gateway.apis.validation import validate
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

__all__ = ["assemble", "parse_as"]

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
    lists = {name: target for name, target in members.items() if _is_query_list(model, target)}
    refuse_repeated(query, allowed=frozenset(map(_sent_as, lists.keys(), lists.values())))
    document = _body(body)
    places = {"uri": route.parameters, "querystring": query, "header": headers, None: document}
    given: dict[str, Any] = {}
    for name, target in members.items():
        place, sent_as = places[target.get("location")], _sent_as(name, target)
        if name in lists:
            given |= {name: values} if (values := query.getall(sent_as, [])) else {}
        elif (value := place.get(sent_as)) is not None:
            typed = place is not document
            given[name] = _typed(model, target["shape"], name, value) if typed else value
    validate(model.shapes, shape, given)
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
            f"1 validation error detected: Value '{text}' at '{name[:1].lower() + name[1:]}' "
            f"failed to satisfy constraint: Member must be of type {kind}"
        ) from error
