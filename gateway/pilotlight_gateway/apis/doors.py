"""Which service a request is for: the registry of the services that are served, and the search.

By path for the platform's own endpoints, else by the scope of the signature, in the Authorization
header or in a presigned query. A request without one can only be for Lambda.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight_gateway.auth.credentials import parse_authorization

from .lambda_.service import Lambda
from .logs.service import Logs
from .platform.service import CLIENTS, PREFIX
from .sts.service import Sts
from .unserved import Unserved

if TYPE_CHECKING:
    from .service import Request, Service

__all__ = ["SERVICES", "find_service"]

SERVICES: dict[str, Service] = {one.name: one for one in (Lambda(), Logs(), Sts())}
"""The AWS services that are served, by the name in signatures' scopes."""
_SCOPE_SERVICE = 3
"""Where a presigned query's X-Amz-Credential has the service: key/date/region/service/term."""


def find_service(request: Request, platform: Service = CLIENTS) -> Service:
    """Return the door that a request goes through; raises IncompleteSignatureError.

    `platform` is that of the platform's own endpoints.
    """
    if request.path.startswith(PREFIX):
        return platform
    name = _signed_for(request) or Lambda.name
    served = SERVICES.get(name)
    return Unserved(name) if served is None else served


def _signed_for(request: Request) -> str | None:
    credentials = parse_authorization(request.headers.get("Authorization", ""))
    if credentials is not None:
        return credentials.service
    presigned = request.query.get("X-Amz-Credential", "").split("/")[1:]
    return presigned[_SCOPE_SERVICE - 1] if len(presigned) > _SCOPE_SERVICE - 1 else None
