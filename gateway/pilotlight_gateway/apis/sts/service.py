"""The door of STS, which tools ask first whether their credentials are any good.

Its protocol is "query": the action is a form field of the body, or a parameter of the query. What a
function's role is worth says `assume_role`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from pilotlight_gateway.apis.protocols import error_in
from pilotlight_gateway.apis.service import Endpoint
from pilotlight_gateway.errors import AccessDeniedError, NotSupportedError, ValidationError
from pilotlight_gateway.exchange import Reply, parse_query

from .assume_role import ACTION, access_of_role, assume_role

if TYPE_CHECKING:
    from pilotlight_gateway.access import Access
    from pilotlight_gateway.apis.service import Request
    from pilotlight_gateway.auth.caller import Caller
    from pilotlight_gateway.errors import ApiError
    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.services import Services

__all__ = ["ACTIONS", "Sts"]

IDENTITY = "GetCallerIdentity"
ACTIONS = (IDENTITY, ACTION)
LARGEST_BODY = 64 * 1024
_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


class Sts:
    """AWS Security Token Service."""

    name = "sts"

    def find(self, request: Request) -> Endpoint:
        """Find what answers; which action is asked for, the body says."""
        del request  # the body says what is asked for
        return Endpoint(IDENTITY, _answer, {}, LARGEST_BODY, access=_access)

    def error(self, request: Request, error: ApiError, request_id: str) -> Reply:
        """Say an error as STS does."""
        del request  # it has one protocol
        if isinstance(error, AccessDeniedError):
            error = _StsAccessDeniedError(error.message)
        elif isinstance(error, ValidationError):
            error = _StsValidationError(error.message)
        return error_in("query", error, request_id)


class _StsAccessDeniedError(AccessDeniedError):
    """As STS calls it."""

    type = "AccessDenied"


class _StsValidationError(ValidationError):
    """As STS calls it."""

    type = "ValidationError"


def _access(services: Services, call: Call) -> tuple[Access, ...]:
    """Say what the caller's own policy must allow: who it is, everybody may ask."""
    del services
    form = _form(call)
    return access_of_role(form) if form.get("Action") == ACTION else ()


async def _answer(services: Services, call: Call) -> Reply:
    form = _form(call)
    action = form.get("Action", "")
    if action in ACTIONS:
        call.operation = action  # for the log: only now it is known
    match action:
        case "GetCallerIdentity":
            result = _identity(call.caller)
        case "AssumeRole":
            result = assume_role(services, call, form)
        case _:
            known = " and ".join(ACTIONS)
            raise NotSupportedError(
                f"The action {action[:80]!r} of STS is not supported by Pilotlight, {known} are."
            )
    document = (
        f'<{action}Response xmlns="{_NAMESPACE}"><{action}Result>{result}</{action}Result>'
        f"<ResponseMetadata><RequestId>{call.request_id}</RequestId></ResponseMetadata>"
        f"</{action}Response>"
    )
    return Reply(200, document.encode(), content_type="text/xml")


def _form(call: Call) -> dict[str, str]:
    """Return the request's fields, of the body before those of the query."""
    form = parse_query(call.body.decode(errors="replace"))
    return {**dict(call.query.items()), **dict(form.items())}


def _identity(caller: Caller) -> str:
    return (
        f"<Arn>{escape(caller.arn)}</Arn><UserId>{escape(caller.principal)}</UserId>"
        f"<Account>{caller.account}</Account>"
    )
