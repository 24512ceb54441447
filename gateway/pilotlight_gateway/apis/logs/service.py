"""The door of CloudWatch Logs: the operation is in the target header, the input in the body."""

from __future__ import annotations

import functools
import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from pilotlight_gateway.apis.protocols import error_in
from pilotlight_gateway.apis.service import Endpoint
from pilotlight_gateway.apis.validation import validate
from pilotlight_gateway.errors import NotSupportedError, SerializationError, UnknownOperationError
from pilotlight_gateway.exchange import parse_json

from .access import access_of
from .errors import in_words_of_logs
from .table import LOGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pilotlight_gateway.apis.service import Request
    from pilotlight_gateway.errors import ApiError
    from pilotlight_gateway.exchange import Query, Reply

__all__ = ["WITHOUT_EFFECT", "Logs", "load_model"]

LARGEST_BODY = 1 << 20
WITHOUT_EFFECT = {"FilterLogEvents": {"interleaved": "CloudWatch Logs ignores it since 2019, too."}}
"""Members that are taken and change nothing, with the reason."""
_TARGET = "Logs_20140328."


@functools.cache
def load_model() -> dict[str, Any]:
    """Read which operations there are, and the shapes of the inputs of those that are served."""
    model: dict[str, Any] = json.loads(files(__package__).joinpath("model.json").read_text())
    return model


class Logs:
    """CloudWatch Logs."""

    name = "logs"

    def find(self, request: Request) -> Endpoint:
        """Find an operation; raises UnknownOperationError or NotSupportedError."""
        target = request.headers.get("X-Amz-Target", "")
        operation = target.removeprefix(_TARGET)
        if operation == target or operation not in load_model()["operations"]:
            raise UnknownOperationError(f"{target[:80]!r} is no operation of CloudWatch Logs.")
        if operation not in LOGS:
            raise NotSupportedError(
                f"The operation {operation} of CloudWatch Logs is not supported; "
                "docs/unsupported.md lists what is not."
            )
        read = functools.partial(_read, load_model()["operations"][operation])
        handler = LOGS[operation]
        return Endpoint(operation, handler, {}, LARGEST_BODY, access=access_of, input=read)

    def error(self, request: Request, error: ApiError, request_id: str) -> Reply:
        """Say an error as CloudWatch Logs does."""
        del request  # it has one protocol
        return error_in("json-1.1", in_words_of_logs(error), request_id)


def _read(shape: str, query: Query, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    del query, headers  # all is in the body
    document = parse_json(body or b"{}")
    if not isinstance(document, dict):
        raise SerializationError("The body must be a JSON object.")
    shapes = load_model()["shapes"]
    members = shapes[shape].get("members", {})
    given = {name: document[name] for name in members if document.get(name) is not None}
    validate(shapes, shape, given)
    return given
