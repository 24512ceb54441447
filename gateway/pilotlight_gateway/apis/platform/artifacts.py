"""`/-/artifacts/<sha256>`: packages go in with credentials and come out with a ticket.

The same GET serves agents on the internal port and GetFunction's `Code.Location` on the public one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pilotlight.tickets import ticket_opens
from pilotlight_gateway.apis.lambda_.function_code import check_package, one_piece
from pilotlight_gateway.errors import AccessDeniedError, InvalidParameterValueError
from pilotlight_gateway.exchange import Reply, json_reply

if TYPE_CHECKING:
    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.services import Services

__all__ = ["get_artifact", "put_artifact"]


async def put_artifact(services: Services, call: Call) -> Reply:
    """Check and keep a package; its bytes must have the sha256 of the path."""
    sha256 = call.parameters["sha256"]
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise InvalidParameterValueError(
            f"{sha256[:80]!r} is no sha256: 64 lower-case hex digits are expected"
        )
    await check_package(call.body)
    size = await services.artifacts.put(sha256, one_piece(call.body))
    await services.artifacts.note_owner(sha256, call.caller.namespace)
    return json_reply({"sha256": sha256, "size": size}, 201)


async def get_artifact(services: Services, call: Call) -> Reply:
    """Stream a package to whoever holds a ticket for it."""
    sha256, headers = call.parameters["sha256"], call.headers
    ticket = call.query.get("ticket") or headers.get("Authorization", "").removeprefix("Bearer ")
    if not ticket_opens(services.settings.platform_key, ticket, sha256):
        raise AccessDeniedError("the ticket does not open this artifact, or it has expired")
    artifact = await services.artifacts.read(sha256)
    return Reply(200, artifact.content, length=artifact.size, content_type="application/zip")
