"""Reconciles routes: says in the condition Ready whether a route is served, and if not why.

Gateways serve a route without asking for its condition; they decide about hosts and rivals by the
same functions (`pilotlight.hosts`, `pilotlight.resources.find_rival`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pilotlight.conditions import Said, condition
from pilotlight.errors import NotFoundError, UnavailableError
from pilotlight.resources import (
    FUNCTIONS_BY_NAME,
    ROUTES_BY_FUNCTION,
    ROUTES_BY_HOST,
    Function,
    Route,
    RouteStatus,
    find_rival,
    now,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pilotlight.cache import Cache
    from pilotlight.hosts import Hosts
    from pilotlight.resources import Key, Resource

__all__ = ["RouteFacts", "RouteService", "decide"]

REPAIR_SECONDS = 15.0
"""What a route lacks (a function, a path, an issuer) may come without an event of the route."""


@dataclass(frozen=True, slots=True)
class RouteFacts:
    """What is known about a route."""

    route: Route
    foreign: bool = False
    """Whether its account may not have the host."""
    rival: Route | None = None
    """Who holds the path."""
    missing: str | None = None
    """The function, or the authorizer's, that is not there."""
    unreadable: str | None = None
    """Why the issuer cannot be read."""


def decide(facts: RouteFacts, *, at: str) -> RouteStatus:
    """Return the status that a route should have; `at` is this moment in RFC 3339."""
    route, generation = facts.route, facts.route.metadata.generation
    said = _problem(facts) or ("True", "Serving", "")
    ready = condition(route.condition("Ready"), "Ready", said, generation=generation, at=at)
    return RouteStatus(observed_generation=generation, conditions=[ready])


def _problem(facts: RouteFacts) -> Said | None:
    spec = facts.route.spec
    if facts.foreign:
        return "False", "HostNotAllowed", f"{spec.host} is no host that this account may have"
    if facts.rival is not None:
        same = facts.rival.metadata.namespace == facts.route.metadata.namespace
        # What other accounts have is not told.
        holder = f"route {facts.rival.metadata.name!r}" if same else "another account's route"
        return "False", "PathTaken", f"{spec.host}{spec.path}: {holder} was first"
    if facts.missing is not None:
        return "False", "FunctionNotFound", f"there is no function {facts.missing!r}"
    if facts.unreadable is not None:
        return "False", "IssuerUnreadable", facts.unreadable
    return None


class RouteService:
    """Keeps routes' conditions."""

    kind: ClassVar[type[Resource]] = Route

    def __init__(
        self,
        cache: Cache,
        read_issuer: Callable[[str], Awaitable[list[dict[str, Any]]]],
        hosts: Hosts,
    ) -> None:
        self._cache = cache
        self._hosts = hosts
        self._read_issuer = read_issuer

    def affected_by(self, changed: Resource) -> list[Route]:
        """Return the routes that a change concerns."""
        match changed:
            case Route():
                # Who had the path may have left it to another.
                return self._cache.by(ROUTES_BY_HOST, changed.spec.host)
            case Function():
                name = (changed.metadata.namespace, changed.function_name)
                return self._cache.by(ROUTES_BY_FUNCTION, name)
            case _:
                return []

    async def reconcile(self, key: Key) -> float | None:
        """Bring one route's status up to date; returns when to look again, None for settled."""
        route = self._cache.get(Route, key)
        if route is None:
            return None
        try:
            status = decide(await self._facts(route), at=now())
            if status != route.status:
                changed = route.model_copy(update={"status": status})
                await self._cache.resources.write_status(changed)
        except NotFoundError:
            return None  # deleted meanwhile
        return None if status.conditions[0].status == "True" else REPAIR_SECONDS

    async def _facts(self, route: Route) -> RouteFacts:
        if not self._allows(route):
            return RouteFacts(route, foreign=True)
        others = filter(self._allows, self._cache.by(ROUTES_BY_HOST, route.spec.host))
        return RouteFacts(
            route,
            rival=find_rival(route, others),
            missing=self._missing(route),
            unreadable=await self._unreadable(route),
        )

    def _allows(self, route: Route) -> bool:
        return self._hosts.allows(route.metadata.namespace, route.spec.host)

    def _missing(self, route: Route) -> str | None:
        namespace = route.metadata.namespace
        missing = (
            name
            for name in route.functions
            if not self._cache.by(FUNCTIONS_BY_NAME, (namespace, name))
        )
        return next(missing, None)

    async def _unreadable(self, route: Route) -> str | None:
        wanted = route.spec.auth.jwt
        if wanted is None:
            return None
        try:
            await self._read_issuer(wanted.issuer)
        except UnavailableError as error:
            return str(error)
        return None
