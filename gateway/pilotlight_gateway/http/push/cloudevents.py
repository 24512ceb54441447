"""CloudEvents over HTTP, from Knative Eventing, Argo Events, EventBridge and many others.

CloudEvents 1.0, "HTTP Protocol Binding": attributes in headers (binary) or in the document
(structured). The function gets EventBridge's shape, as of an event of a bus.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from pilotlight_gateway.http.errors import HttpError
from pilotlight_gateway.http.message import is_text

from .pushed import Pushed, malformed, read_object, time_of

if TYPE_CHECKING:
    from pilotlight_gateway.http.message import HttpRequest
    from pilotlight_gateway.http.site import Match

__all__ = ["events"]

_PREFIX = "ce-"
_STRUCTURED = "application/cloudevents+json"
_BATCH = "application/cloudevents-batch"
_REQUIRED = ("specversion", "id", "source", "type")
_MAPPED = frozenset({*_REQUIRED, "time", "subject"})


async def events(match: Match) -> list[Pushed]:
    """Return the event; raises HttpError where an attribute is missing, 415 for batches."""
    kind = match.request.header("content-type").partition(";")[0].strip().lower()
    if kind.startswith(_BATCH):
        raise HttpError(415, "batches of CloudEvents are not supported, send one event a request")
    if kind == _STRUCTURED:
        attributes, data = _structured(read_object(match, "a CloudEvent in JSON"))
    else:
        attributes, data = _binary(match.request)
    missing = [name for name in _REQUIRED if not _is_text(attributes.get(name))]
    if missing:
        raise malformed(f"a CloudEvent with {', '.join(missing)}")
    if attributes["specversion"] != "1.0":
        raise malformed("specversion 1.0")
    if not all(_is_text(attributes.get(name, "-")) for name in ("subject", "time")):
        raise malformed("a CloudEvent whose subject and time are texts, if there,")
    key = json.dumps([attributes["source"], attributes["id"]])
    return [Pushed(_event(attributes, data, match), key)]


def _event(attributes: dict[str, Any], data: Any, match: Match) -> dict[str, Any]:
    subject = attributes.get("subject")
    event = {
        "version": "0",
        "id": attributes["id"],
        "detail-type": attributes["type"],
        "source": attributes["source"],
        "account": match.account,
        "time": attributes.get("time") or time_of(match),
        "region": match.region,
        "resources": [subject] if subject else [],
        "detail": data if isinstance(data, dict) else {"data": data},
    }
    others = {name: value for name, value in attributes.items() if name not in _MAPPED}
    return event | ({"attributes": others} if others else {})


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _structured(document: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    data = document.pop("data", None)
    packed = document.pop("data_base64", None)
    if packed is None:
        return document, data
    try:
        content = base64.b64decode(packed, validate=True)
    except (TypeError, ValueError) as error:
        raise malformed("data_base64 in Base64") from error
    return document, _data(content, str(document.get("datacontenttype", "")))


def _binary(request: HttpRequest) -> tuple[dict[str, Any], Any]:
    attributes = {
        name.lower().removeprefix(_PREFIX): unquote(value)
        for name, value in request.headers
        if name.lower().startswith(_PREFIX)
    }
    kind = request.header("content-type")
    if kind and attributes:
        attributes["datacontenttype"] = kind
    return attributes, _data(request.body, kind)


def _data(content: bytes, kind: str) -> Any:
    """Read data by its type: JSON, text, or else Base64 under CloudEvents' own name."""
    if not content:
        return None
    plain = kind.partition(";")[0].strip().lower()
    try:
        if plain == "application/json" or plain.endswith("+json"):
            return json.loads(content)
        if is_text(kind):
            return content.decode()
    except (ValueError, RecursionError) as error:
        raise malformed(f"data of {kind}") from error
    return {"data_base64": base64.b64encode(content).decode()}
