"""Which site a request is for: by host a function URL or a route, by `/-/fn/` a function URL.

Of two routes that want the same, the older one is served, and none whose account may not have its
host; the operator says so in the other's condition.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from pilotlight.resources import ROUTES_BY_HOST, Route, find_rival
from pilotlight_gateway.paths import plain

from .errors import HttpError
from .route_table import RouteTable
from .site import Match, site_of_route
from .urls import Urls, account_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pilotlight.cache import Cache
    from pilotlight_gateway.invocation.catalogue import Catalogue
    from pilotlight_gateway.settings import Settings

    from .message import HttpRequest
    from .site import Site

__all__ = ["PREFIX", "Sites", "UnknownUrlError"]

PREFIX = "/-/fn/"
_MARK = ".lambda-url."


class UnknownUrlError(Exception):
    """There is no such function URL."""


class Sites:
    """All function URLs and routes."""

    def __init__(self, settings: Settings, *, cache: Cache, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._region = settings.region
        self._suffix = f"{_MARK}{settings.region}.{settings.url_domain}"
        self._hosts = settings.hosts
        self._cache = cache
        self._urls = Urls(catalogue, cache)
        self._tables: dict[str, RouteTable | None] = {}
        """By host; None until somebody asks after a change."""
        cache.on_change(Route, self._route_changed)

    def serves(self, host: str, path: str) -> bool:
        """Say whether a request is for a site and not for the Lambda API.

        `host` is the Host header as it came, `path` raw.
        """
        name = host.partition(":")[0].lower()
        return name in self._tables or path.startswith(PREFIX) or _MARK in name

    def owns(self, host: str) -> bool:
        """Whether a Host header names a function URL's or a route's own host."""
        name = host.partition(":")[0].lower()
        return name in self._tables or name.endswith(self._suffix)

    def match(self, request: HttpRequest, method: str) -> Match:
        """Find what a request is for; raises UnknownUrlError, and HttpError where no route fits.

        `method` is the request's own, or the one that a preflight asks for.
        """
        table = self._table(request.host)
        if table is not None:
            return self._match_route(table, request, method)
        if request.path.startswith(PREFIX):
            return self._match_path(request)
        site = self._urls.by_id.get(request.host.removesuffix(self._suffix))
        if site is None:
            raise UnknownUrlError(request.host)
        return Match(site, site.account, self._region, request, method)

    def _match_route(self, table: RouteTable, request: HttpRequest, method: str) -> Match:
        found = table.find(method, request.path)
        if found is None:
            raise HttpError(404)
        site, parameters = found
        _check_reading(table, site, method, request.path)
        account = account_of(self._catalogue.get(site.namespace, site.function))
        return Match(site, account or "", self._region, request, method, parameters)

    def _match_path(self, request: HttpRequest) -> Match:
        account, _, rest = request.path.removeprefix(PREFIX).partition("/")
        reference, slash, path = rest.partition("/")
        reference = unquote(reference)
        site = self._urls.by_reference.get((account, reference.removesuffix(":$LATEST")))
        if site is None:
            raise UnknownUrlError(reference)
        seen = replace(request, path=f"/{path}" if slash else "/")
        return Match(site, account, self._region, seen, request.method)

    def _route_changed(self, before: Route | None, after: Route | None) -> None:
        for route in (before, after):
            if route is not None:
                self._tables.pop(route.spec.host, None)
                if self._routes(route.spec.host):
                    self._tables[route.spec.host] = None

    def _routes(self, host: str) -> list[Route]:
        """Return the routes of a host whose accounts may have it."""
        routes = self._cache.by(ROUTES_BY_HOST, host)
        return [one for one in routes if self._hosts.allows(one.metadata.namespace, host)]

    def _table(self, host: str) -> RouteTable | None:
        if host not in self._tables:
            return None
        table = self._tables[host]
        if table is None:
            table = _table_of(self._routes(host))
            self._tables[host] = table
        return table


def _check_reading(table: RouteTable, site: Site, method: str, path: str) -> None:
    """Refuse a path whose plain form is another route's: who may call the one could reach it."""
    read = plain(path)
    other = table.find(method, quote(read)) if read != path else None
    if other is not None and not other[0].stands_for(site):
        raise HttpError(400, f"the path {path!r} can be read as {read!r}, which has other rules")


def _table_of(routes: Sequence[Route]) -> RouteTable:
    served = (route for route in routes if find_rival(route, routes) is None)
    return RouteTable.of([site_of_route(route) for route in served])
