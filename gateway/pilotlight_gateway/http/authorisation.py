"""Whether a request may pass: what a site's `auth` asks for, checked.

What was found out about the caller goes into the event, as payload 2.0 says it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from pilotlight_gateway.auth.caller import RequestHead
from pilotlight_gateway.auth.credentials import parse_authorization
from pilotlight_gateway.errors import ApiError
from pilotlight_gateway.paths import split_target

from .errors import HttpError
from .tokens import check_token

if TYPE_CHECKING:
    from aiohttp.web_request import BaseRequest

    from pilotlight_gateway.auth.caller import Authenticator, Caller

    from .authorizer import Authorizer
    from .issuers import Issuers
    from .site import Findings, Match

__all__ = ["Authorisation"]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Authorisation:
    """Everything that a site may ask for."""

    authenticator: Authenticator
    issuers: Issuers
    authorizer: Authorizer

    async def check_head(self, match: Match) -> Findings:
        """Check what needs no body, before one is read; raises HttpError where it may not pass."""
        auth = match.site.auth
        if auth.jwt is not None:
            header = match.request.header("authorization")
            return await check_token(self.issuers, auth.jwt, header)
        if auth.authorizer is not None:
            return await self.authorizer.check(auth.authorizer, match)
        return {}

    async def check_signature(self, request: BaseRequest, match: Match) -> Findings:
        """Check the signature, which covers the body, where the site asks for one.

        Who signs must be of the function's account; raises HttpError.
        """
        if match.site.auth.type != "iam":
            return {}
        caller = await self._signer(request, match)
        if caller.account != match.account:
            raise HttpError(403)
        return {
            "iam": {
                "accessKey": caller.principal,
                "accountId": caller.account,
                "callerId": caller.principal,
                "cognitoIdentity": None,
                "principalOrgId": None,
                "userArn": caller.arn,
                "userId": caller.principal,
            }
        }

    async def _signer(self, request: BaseRequest, match: Match) -> Caller:
        path, query = split_target(request.raw_path, request.headers.get("Host", ""))
        head = RequestHead(request.method, path, query, request.headers)
        try:
            _check_service(request.headers.get("Authorization", ""))
            return await self.authenticator.authenticate(head, match.request.body)
        except ApiError as error:
            log.info("http request refused", request_id=match.request.request_id, why=str(error))
            raise HttpError(403) from error


def _check_service(authorization: str) -> None:
    """Refuse who brings nothing, even where anything would do, and who signs for another."""
    credentials = parse_authorization(authorization)
    if not authorization or (credentials and credentials.service not in {"lambda", "execute-api"}):
        raise HttpError(403)
