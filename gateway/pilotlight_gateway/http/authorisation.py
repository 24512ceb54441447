"""Whether a request may pass: what a site's `auth` asks for, checked.

What was found out about the caller goes into the event, as payload 2.0 says it.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from pilotlight_gateway.auth.caller import NOBODY, RequestHead
from pilotlight_gateway.auth.credentials import parse_authorization
from pilotlight_gateway.auth.permissions import identity_verdict
from pilotlight_gateway.errors import ApiError
from pilotlight_gateway.paths import split_target

from .authorizer import route_arn
from .errors import HttpError
from .tokens import check_token
from .url_policy import check_policy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiohttp.web_request import BaseRequest

    from pilotlight_gateway.auth.caller import Authenticator, Caller, Hashed, Verify
    from pilotlight_gateway.plain_request import PlainRequest

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
        if auth.type == "none" and match.site.style == "url":
            check_policy(match, NOBODY)
        return {}

    async def check_signed_head(
        self, request: BaseRequest | PlainRequest, match: Match
    ) -> Verify | None:
        """Check all of a signature but the body's part, where the site asks for one.

        Raises HttpError; None where it asks for none.
        """
        if match.site.auth.type != "iam":
            return None
        path, query = split_target(request.raw_path, request.headers.get("Host", ""))
        head = RequestHead(request.method, path, query, request.headers)
        with _refused(match):
            _check_service(request.headers.get("Authorization", ""))
            return await self.authenticator.check_head(head)

    def check_signature(self, match: Match, verify: Verify | None, body: Hashed) -> Findings:
        """Check the body's part, and what policies say of who signs; raises HttpError.

        A route is for its function's own account.
        """
        if verify is None:
            return {}
        with _refused(match):
            caller = verify(body)
        if match.site.style == "url":
            check_policy(match, caller)
        elif caller.account != match.account or not _may_call(match, caller):
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


def _may_call(match: Match, caller: Caller) -> bool:
    """Whether a caller's own policy, if its key has one, lets it call a route."""
    context = {"aws:sourceip": match.request.source_ip}
    arns = (route_arn(match),)
    return identity_verdict(caller, "execute-api:Invoke", arns, context) == "Allow"


@contextmanager
def _refused(match: Match) -> Iterator[None]:
    """Tell nobody but the log why a signature is refused."""
    try:
        yield
    except ApiError as error:
        log.info("http request refused", request_id=match.request.request_id, why=str(error))
        raise HttpError(403) from error


def _check_service(authorization: str) -> None:
    """Refuse who brings nothing, even where anything would do, and who signs for another."""
    credentials = parse_authorization(authorization)
    if not authorization or (credentials and credentials.service not in {"lambda", "execute-api"}):
        raise HttpError(403)
