"""The door of every AWS service that is not served: an error that its users' tools can print.

A tool that gets JSON where it expects XML reports an internal error of its own; so each service is
answered in its own protocol. `protocols.json` has them, condensed from botocore by `make model`.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, NoReturn

from pilotlight_gateway.errors import NotSupportedError

from .protocols import error_in, protocol_of

if TYPE_CHECKING:
    from pilotlight_gateway.errors import ApiError
    from pilotlight_gateway.exchange import Reply

    from .service import Request

__all__ = ["Unserved", "load_protocols"]


@functools.cache
def load_protocols() -> dict[str, str]:
    """Read which protocol each service speaks, by the name in signatures' scopes."""
    known: dict[str, str] = json.loads(files(__package__).joinpath("protocols.json").read_text())
    return known


@dataclass(frozen=True, slots=True)
class Unserved:
    """A service by its name."""

    name: str

    def find(self, request: Request) -> NoReturn:
        """Raise NotSupportedError, which names the service."""
        del request  # none of its requests is served
        raise NotSupportedError(
            f"The service '{self.name[:80]}' is not served by Pilotlight, Lambda, CloudWatch Logs "
            "and STS are. Give its clients an endpoint of their own (AWS_ENDPOINT_URL_<SERVICE>)."
        )

    def error(self, request: Request, error: ApiError, request_id: str) -> Reply:
        """Say an error in the protocol of the request, else of the service."""
        known = load_protocols().get(self.name, "rest-json")
        return error_in(protocol_of(request, known), error, request_id)
