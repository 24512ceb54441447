"""How AWS's protocols say an error: query, ec2, JSON 1.0 and 1.1, REST with JSON or XML, CBOR.

The Smithy documentation ("AWS protocols") and botocore's parsers have the shapes. A service may
speak several: what a request's headers say goes before what is known of the service.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from pilotlight_gateway.exchange import Reply

if TYPE_CHECKING:
    from pilotlight_gateway.errors import ApiError

    from .service import Request

__all__ = ["error_in", "protocol_of"]

_LONG_TEXT = 24
"""Up to this length a CBOR text's head is one byte (RFC 8949, section 3)."""


def protocol_of(request: Request, known: str) -> str:
    """Return the protocol of a request; `known` is the service's."""
    if request.headers.get("Smithy-Protocol", "") == "rpc-v2-cbor":
        return "rpc-v2-cbor"
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind.startswith("application/x-amz-json-"):
        return f"json-{kind.removeprefix('application/x-amz-json-')}"
    if kind == "application/x-www-form-urlencoded" and known not in {"query", "ec2"}:
        return "query"
    return known


def error_in(protocol: str, error: ApiError, request_id: str) -> Reply:
    """Say an error in a protocol."""
    match protocol:
        case "query" | "rest-xml":
            return _xml(error, _error_response(error, request_id))
        case "ec2":
            return _xml(error, _ec2(error, request_id))
        case "s3":
            return _xml(error, _s3(error, request_id))
        case "rpc-v2-cbor":
            return _cbor(error)
        case "json-1.0" | "json-1.1":
            return _json(error, f"application/x-amz-{protocol}")
        case _:
            return _rest_json(error)


def _rest_json(error: ApiError) -> Reply:
    headers = {"x-amzn-ErrorType": error.type} | error.headers
    return Reply(error.status, _document(error.body()), headers=headers)


def _json(error: ApiError, content_type: str) -> Reply:
    document = {"__type": error.type, "message": error.message} | error.members
    headers = {"x-amzn-ErrorType": error.type} | error.headers
    return Reply(error.status, _document(document), headers=headers, content_type=content_type)


def _document(members: dict[str, str]) -> bytes:
    return _encoded(json.dumps(members, ensure_ascii=False))


def _encoded(text: str) -> bytes:
    """Encode a text that may quote what came, and so bytes that were no text."""
    return text.encode(errors="replace")


def _xml(error: ApiError, body: str) -> Reply:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'
    return Reply(error.status, _encoded(text), headers=error.headers, content_type="text/xml")


def _code_and_message(error: ApiError) -> str:
    return f"<Code>{error.type}</Code><Message>{escape(_printable(error.message))}</Message>"


def _error_response(error: ApiError, request_id: str) -> str:
    fault = "Receiver" if error.fault == "Service" else "Sender"
    return (
        f"<ErrorResponse><Error><Type>{fault}</Type>{_code_and_message(error)}</Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    )


def _ec2(error: ApiError, request_id: str) -> str:
    return (
        f"<Response><Errors><Error>{_code_and_message(error)}</Error></Errors>"
        f"<RequestID>{request_id}</RequestID></Response>"
    )


def _s3(error: ApiError, request_id: str) -> str:
    return f"<Error>{_code_and_message(error)}<RequestId>{request_id}</RequestId></Error>"


def _printable(text: str) -> str:
    """Leave out what no XML document may hold."""
    return "".join(max(character, " ") for character in text)


def _cbor(error: ApiError) -> Reply:
    members = (("__type", error.type), ("message", error.message))
    body = bytes([0xA0 | len(members)])  # a map of two
    for name, value in members:
        body += _cbor_text(name) + _cbor_text(value)
    headers = {"Smithy-Protocol": "rpc-v2-cbor"} | error.headers
    return Reply(error.status, body, headers=headers, content_type="application/cbor")


def _cbor_text(text: str) -> bytes:
    content = _encoded(text)
    length = len(content)
    if length < _LONG_TEXT:
        return bytes([0x60 | length]) + content
    return b"\x79" + min(length, 0xFFFF).to_bytes(2) + content[:0xFFFF]
