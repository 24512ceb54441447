"""Between Pilotlight's models and the JSON of the Kubernetes API: shapes and paths, no requests.

Custom resources have the same shape on both sides; of Kubernetes' own kinds only what the models
know is read, and what they do not know stays as it was. `resources` sends the results.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from pilotlight.errors import InvalidResourceError
from pilotlight.resources import Key, Namespace, Resource, Secret

if TYPE_CHECKING:
    from .api import Json

__all__ = ["collection_path", "from_wire", "object_path", "to_wire"]

R = TypeVar("R", bound=Resource)


def collection_path(kind: type[Resource], namespace: str = "") -> str:
    """Return the path under which resources of a kind are; a cluster-scoped kind has one."""
    api_version = kind.model_fields["api_version"].default
    root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    scope = "" if kind.cluster_scoped else f"/namespaces/{namespace}"
    return f"{root}{scope}/{kind.plural}"


def object_path(kind: type[Resource], key: Key) -> str:
    """Return the path of one resource."""
    return f"{collection_path(kind, key.namespace)}/{key.name}"


def from_wire(kind: type[R], item: Json) -> R:
    """Read a resource; raises InvalidResourceError where it is not what its model says."""
    try:
        return kind.model_validate(_known(kind, item))
    except ValidationError as error:
        name = item.get("metadata", {}).get("name", "")
        raise InvalidResourceError(f"{kind.kind_name} {name!r}: {error}") from error


def to_wire(resource: Resource, stored: Json | None = None) -> Json:
    """Return a resource's JSON, with what `stored` has and the model does not know."""
    body = {**(stored or {}), **resource.to_json()}
    body["metadata"] = {name: value for name, value in body["metadata"].items() if value}
    body.pop("status", None)
    if isinstance(resource, Secret):
        del body["stringData"]
        body["data"] = _encoded(resource.string_data) | _binary(stored or {})
    return body


def _known(kind: type[Resource], item: Json) -> Json:
    metadata = {name: part for name, part in item["metadata"].items() if name != _BULKY}
    if kind is Namespace:
        return {"metadata": metadata}
    if kind is Secret:
        return {"metadata": metadata, "stringData": _texts(item)}
    return {name: item[name] for name in ("spec", "status") if name in item} | {
        "metadata": metadata
    }


_BULKY = "managedFields"
"""Larger than the resource; the API server keeps it where a write leaves it out."""


def _texts(secret: Json) -> dict[str, str]:
    texts = {name: _text(value) for name, value in (secret.get("data") or {}).items()}
    return {name: text for name, text in texts.items() if text is not None}


def _binary(secret: Json) -> dict[str, str]:
    """Return a Secret's values that are no text: no model holds them, no write loses them."""
    held = secret.get("data") or {}
    return {name: value for name, value in held.items() if _text(value) is None}


def _text(value: str) -> str | None:
    try:
        return base64.b64decode(value, validate=True).decode()
    except (UnicodeDecodeError, binascii.Error):
        return None


def _encoded(texts: dict[str, str]) -> dict[str, str]:
    return {name: base64.b64encode(text.encode()).decode() for name, text in texts.items()}
