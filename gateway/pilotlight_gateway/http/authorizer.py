"""Asks a route's authorizer function whether a request may pass, and keeps its answer for a while.

Kept is the answer, not what it meant for one request: a policy is judged for each (`verdict`).
"""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from pilotlight_gateway.paths import plain

from . import envelope, payload_v1, payload_v2
from .errors import HttpError
from .verdict import Verdict, parse_verdict

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pilotlight.resources import AuthorizerAuth

    from .site import Findings, Match

    Invoke = Callable[[Match, str, bytes], Awaitable[bytes]]
    """Invokes a function of the match's account by its reference; raises HttpError."""

__all__ = ["Authorizer"]

MOST_KEPT = 10_000
LARGEST_ANSWER = 32 * 1024
"""Bytes, so that what is kept stays bounded; API Gateway takes less."""


class _Place(NamedTuple):
    """What an answer is kept for: who was asked about which caller of which route."""

    site: str
    route_key: str
    function: str
    identity_header: str
    identity: str


@dataclass(slots=True)
class Authorizer:
    """Answers that still count, and the way to others."""

    invoke: Invoke
    clock: Callable[[], float] = time.monotonic
    _kept: OrderedDict[_Place, tuple[float, Verdict]] = field(default_factory=OrderedDict)

    async def check(self, wanted: AuthorizerAuth, match: Match) -> Findings:
        """Return the authorizer's context as payload 2.0 says it.

        Raises HttpError: 401 without an identity, 403 where it says no, 502 where it fails.
        """
        identity = match.request.header(wanted.identity_header)
        if not identity:
            raise HttpError(401)
        arn = route_arn(match)
        place = _place(wanted, identity, match)
        expires, verdict = self._kept.get(place, (float("-inf"), None))
        if verdict is None or self.clock() >= expires:
            verdict = await self._ask(wanted, _event(arn, identity, match), match)
            self._keep(place, verdict, wanted.cache_seconds)
        if not verdict.allows(arn):
            raise HttpError(403)
        return {"lambda": verdict.context}

    async def _ask(self, wanted: AuthorizerAuth, event: dict[str, Any], match: Match) -> Verdict:
        answer = await self.invoke(match, wanted.function, json.dumps(event).encode())
        if len(answer) > LARGEST_ANSWER:
            raise HttpError(502)
        try:
            return parse_verdict(envelope.load(answer))
        except ValueError as error:
            raise HttpError(502) from error

    def _keep(self, place: _Place, verdict: Verdict, seconds: int) -> None:
        if seconds == 0:
            return
        self._kept[place] = (self.clock() + seconds, verdict)
        self._kept.move_to_end(place)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)


def _place(wanted: AuthorizerAuth, identity: str, match: Match) -> _Place:
    header = wanted.identity_header
    return _Place(match.site.id, match.route_key, wanted.function, header, identity)


def route_arn(match: Match) -> str:
    """Return what policies call a route's method and path, as API Gateway does."""
    return (
        f"arn:aws:execute-api:{match.region}:{match.account}:{match.site.id}/$default/"
        f"{match.request.method}{plain(match.request.path)}"
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
