"""The door of STS, which tools ask first whether their credentials are any good.

Its protocol is "query": the action is a form field of the body, or a parameter of the query.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from pilotlight_gateway.access import open_to_all
from pilotlight_gateway.apis.protocols import error_in
from pilotlight_gateway.apis.service import Endpoint
from pilotlight_gateway.errors import NotSupportedError
from pilotlight_gateway.exchange import Reply, parse_query

if TYPE_CHECKING:
    from pilotlight_gateway.apis.service import Request
    from pilotlight_gateway.auth.caller import Caller
    from pilotlight_gateway.errors import ApiError
    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.services import Services

__all__ = ["IDENTITY", "Sts"]

IDENTITY = "GetCallerIdentity"
LARGEST_BODY = 64 * 1024
_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


class Sts:
    """AWS Security Token Service."""

    name = "sts"

    def find(self, request: Request) -> Endpoint:
        """Find what answers; which action is asked for, the body says."""
        del request  # the body says what is asked for
        return Endpoint(IDENTITY, _answer, {}, LARGEST_BODY, access=open_to_all)

    def error(self, request: Request, error: ApiError, request_id: str) -> Reply:
        """Say an error as STS does."""
        del request  # it has one protocol
        return error_in("query", error, request_id)


async def _answer(services: Services, call: Call) -> Reply:
    del services  # who calls, the signature has said
    form = parse_query(call.body.decode(errors="replace"))
    action = str(form.get("Action") or call.query.get("Action", ""))
    if action != IDENTITY:
        raise NotSupportedError(
            f"The action {action[:80]!r} of STS is not supported by Pilotlight, {IDENTITY} is."
        )
    return Reply(200, _identity(call.caller, call.request_id).encode(), content_type="text/xml")


def _identity(caller: Caller, request_id: str) -> str:
    return (
        f'<GetCallerIdentityResponse xmlns="{_NAMESPACE}"><GetCallerIdentityResult>'
        f"<Arn>{escape(caller.arn)}</Arn><UserId>{escape(caller.principal)}</UserId>"
        f"<Account>{caller.account}</Account></GetCallerIdentityResult><ResponseMetadata>"
        f"<RequestId>{request_id}</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
    )
