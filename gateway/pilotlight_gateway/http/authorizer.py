"""Asks a route's authorizer function whether a request may pass, and keeps its answer for a while.

API Gateway Developer Guide, "Lambda authorizers for HTTP APIs": the simple answer
`{"isAuthorized": …, "context": …}` and the policy document are both understood.
"""

from __future__ import annotations

import fnmatch
import json
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import envelope, payload_v1, payload_v2
from .errors import HttpError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pilotlight.resources import AuthorizerAuth

    from .site import Findings, Match

    Invoke = Callable[[Match, str, bytes], Awaitable[bytes]]
    """Invokes a function of the match's account by its reference; raises HttpError."""

__all__ = ["Authorizer", "verdict"]

MOST_KEPT = 10_000


@dataclass(slots=True)
class Authorizer:
    """Decisions, and those that still count."""

    invoke: Invoke
    clock: Callable[[], float] = time.monotonic
    _kept: OrderedDict[tuple[str, str], tuple[float, dict[str, object] | None]] = field(
        default_factory=OrderedDict
    )

    async def check(self, wanted: AuthorizerAuth, match: Match) -> Findings:
        """Return the authorizer's context as payload 2.0 says it.

        Raises HttpError: 401 without an identity, 403 where it says no, 502 where it fails.
        """
        identity = match.request.header(wanted.identity_header)
        if not identity:
            raise HttpError(401)
        place = (match.site.id, f"{match.route_key} {identity}")
        expires, context = self._kept.get(place, (float("-inf"), None))
        if self.clock() >= expires:
            context = await self._ask(wanted, identity, match)
            self._keep(place, context, wanted.cache_seconds)
        if context is None:
            raise HttpError(403)
        return {"lambda": context}

    async def _ask(
        self, wanted: AuthorizerAuth, identity: str, match: Match
    ) -> dict[str, object] | None:
        arn = _route_arn(match)
        event = _event(arn, identity, match)
        answer = await self.invoke(match, wanted.function, json.dumps(event).encode())
        try:
            return verdict(envelope.load(answer), arn)
        except ValueError as error:
            raise HttpError(502) from error

    def _keep(
        self, place: tuple[str, str], context: dict[str, object] | None, seconds: int
    ) -> None:
        if seconds == 0:
            return
        self._kept[place] = (self.clock() + seconds, context)
        self._kept.move_to_end(place)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)


def verdict(answer: Any, arn: str) -> dict[str, object] | None:
    """Read an authorizer's answer: its context, or None for no; raises ValueError if malformed."""
    if not isinstance(answer, dict):
        raise ValueError("an authorizer answers an object")  # noqa: TRY004  bad content, not a bug
    context = answer.get("context") or {}
    if not isinstance(context, dict):
        raise ValueError("context is an object")  # noqa: TRY004  the same
    if "isAuthorized" in answer:
        return context if answer["isAuthorized"] is True else None
    policy = answer.get("policyDocument")
    statements = policy.get("Statement") if isinstance(policy, dict) else None
    if not isinstance(statements, list) or not all(isinstance(one, dict) for one in statements):
        raise ValueError("neither isAuthorized nor a policy came")
    effects = {one.get("Effect") for one in statements if _concerns(one, arn)}
    allowed = "Allow" in effects and "Deny" not in effects
    return {"principalId": answer.get("principalId"), **context} if allowed else None


def _concerns(statement: dict[str, Any], arn: str) -> bool:
    actions, resources = _listed(statement.get("Action")), _listed(statement.get("Resource"))
    acts = any(fnmatch.fnmatchcase("execute-api:invoke", one.lower()) for one in actions)
    return acts and any(fnmatch.fnmatchcase(arn, one) for one in resources)


def _listed(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def _route_arn(match: Match) -> str:
    return (
        f"arn:aws:execute-api:{match.region}:{match.account}:{match.site.id}/$default/"
        f"{match.request.method}{match.request.decoded_path}"
    )


def _event(arn: str, identity: str, match: Match) -> dict[str, Any]:
    """Return the request's event without its body, in the format that the route has."""
    if match.site.style == "2.0":
        about = {"type": "REQUEST", "routeArn": arn, "identitySource": [identity]}
        event = payload_v2.event(match)
    else:
        about = {"type": "REQUEST", "methodArn": arn, "identitySource": identity}
        event = payload_v1.event(match)
    unwanted = {"body", "isBase64Encoded"}
    return about | {name: value for name, value in event.items() if name not in unwanted}
