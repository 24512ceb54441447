"""Documents of the protocol as dataclasses: JSON objects, their fields in camelCase.

What a reader does not know it passes over, and what a writer does not say has its default, so that
platform and agent may be of neighbouring versions. A field is a string, a whole number, a number,
a flag, a map of strings, another document or a list of those; None is not written.
"""

import json
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from types import GenericAlias, UnionType
from typing import Any, Self, get_args, get_origin

Json = dict[str, Any]


class InvalidMessageError(Exception):
    """A document does not hold what it must; the message names the field."""


class Message:
    """What the protocol's documents have in common; each is a dataclass."""

    __slots__ = ()

    def to_json(self) -> Json:
        """Return the document; a field that is None is not there."""
        values = ((field.name, getattr(self, field.name)) for field in _fields(type(self)))
        return {_camel(name): _dump(value) for name, value in values if value is not None}

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read a JSON text; raises InvalidMessageError."""
        try:
            document = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise InvalidMessageError(f"the body is not JSON: {error}") from error
        return cls.from_json(document)

    @classmethod
    def from_json(cls, document: object, place: str = "the body") -> Self:
        """Read a document, which is `place` of a larger one; raises InvalidMessageError."""
        if not isinstance(document, dict):
            raise InvalidMessageError(f"{place} is not a JSON object")
        given = {field.name: document.get(_camel(field.name)) for field in _fields(cls)}
        return cls(**{
            field.name: _load(field.type, given[field.name], _camel(field.name))
            for field in _fields(cls)
            if given[field.name] is not None or _is_required(field)
        })  # fmt: skip


def _fields(kind: type[Any]) -> tuple["Field[Any]", ...]:
    return fields(kind)


def _is_required(field: "Field[Any]") -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def _dump(value: object) -> object:
    if isinstance(value, Message):
        return value.to_json()
    if isinstance(value, list):
        return [_dump(each) for each in value]
    return dict(value) if isinstance(value, Mapping) else value


def _load(kind: Any, value: object, name: str) -> object:
    """Check a value against a field's type."""
    if isinstance(kind, UnionType):  # … | None, and None was passed over
        kind = get_args(kind)[0]
    if isinstance(kind, GenericAlias):
        return _load_many(kind, value, name)
    if issubclass(kind, Message):
        return kind.from_json(value, name)
    if kind is float and isinstance(value, int):
        value = float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise InvalidMessageError(f"{name} must be of type {kind.__name__}")
    return value


def _load_many(kind: GenericAlias, value: object, name: str) -> object:
    if get_origin(kind) is list and isinstance(value, list):
        return [_load(get_args(kind)[0], each, name) for each in value]
    if get_origin(kind) is dict and isinstance(value, dict):
        return {key: _load(str, each, f"{name}.{key}") for key, each in value.items()}
    raise InvalidMessageError(f"{name} must be of type {get_origin(kind).__name__}")
