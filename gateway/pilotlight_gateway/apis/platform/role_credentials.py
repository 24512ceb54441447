"""`/-/role-credentials`: what an agent asks for, for its function, with the grant that it has.

On the pods' port alone; never in a log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight import role_grants
from pilotlight.aws.client import AwsError
from pilotlight.errors import InvalidCredentialsError
from pilotlight_gateway.errors import AccessDeniedError
from pilotlight_gateway.exchange import json_reply

if TYPE_CHECKING:
    from pilotlight_gateway.exchange import Call, Reply
    from pilotlight_gateway.services import Services

__all__ = ["get_role_credentials"]


async def get_role_credentials(services: Services, call: Call) -> Reply:
    """Return credentials of the role that a grant names."""
    text = call.headers.get("Authorization", "").removeprefix("Bearer ")
    try:
        grant = role_grants.read(services.settings.platform_key, text)
    except InvalidCredentialsError as error:
        raise AccessDeniedError(str(error)) from error
    try:
        credentials = await services.roles.of(grant)
    except AwsError as error:
        code = f"{error.service_code}: " if error.service_code else ""
        raise AccessDeniedError(
            f"{grant.role}, the role of function {grant.function}, cannot be assumed: {code}{error}"
        ) from error
    return json_reply(credentials.document())
