"""Which site a request is for: by host a function URL or a route, by `/-/fn/` a function URL.

Of two routes that want the same, the older one is served; the operator says so in the other's
condition.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import unquote

from pilotlight.resources import Route, find_rival

from .errors import HttpError
from .route_table import RouteTable
from .site import Meeting, Site, site_of_route
from .urls import Urls, account_of

if TYPE_CHECKING:
    from pilotlight.resources import Key
    from pilotlight.storage import ResourceStore
    from pilotlight_gateway.catalogue import Catalogue

    from .message import HttpRequest

__all__ = ["PREFIX", "Sites", "UnknownUrlError"]

PREFIX = "/-/fn/"
_MARK = ".lambda-url."


class UnknownUrlError(Exception):
    """There is no such function URL."""


class Sites:
    """All function URLs and routes."""

    def __init__(
        self, resources: ResourceStore, catalogue: Catalogue, region: str, domain: str
    ) -> None:
        self._resources = resources
        self._catalogue = catalogue
        self._region = region
        self._suffix = f"{_MARK}{region}.{domain}"
        self._routes: dict[Key, Route] = {}
        self._hosts: dict[str, RouteTable] = {}
        self.urls = Urls(resources)
        self.synced = asyncio.Event()
        catalogue.on_change(self.urls.function_changed)

    def serves(self, host: str, target: str) -> bool:
        """Say whether a request is for a site and not for the Lambda API.

        `host` is the Host header, `target` the request target, both as they came.
        """
        name = host.partition(":")[0].lower()
        return name in self._hosts or target.startswith(PREFIX) or _MARK in name

    def meet(self, request: HttpRequest, method: str) -> Meeting:
        """Find what a request is for; raises UnknownUrlError, and HttpError where no route fits.

        `method` is the request's own, or the one that a preflight asks for.
        """
        table = self._hosts.get(request.host)
        if table is not None:
            return self._meet_route(table, request, method)
        if request.path.startswith(PREFIX):
            return self._meet_path(request)
        site = self.urls.by_id.get(request.host.removesuffix(self._suffix))
        if site is None:
            raise UnknownUrlError(request.host)
        return Meeting(site, site.account, self._region, request, method)

    async def run(self) -> None:
        """Follow routes, for ever."""
        told: set[Key] = set()
        async for change in self._resources.watch(Route):
            route = change.resource
            if route is None:
                self._routes = {key: self._routes[key] for key in told}
                self.synced.set()
            elif change.kind == "present":
                told.add(route.key)
                self._routes[route.key] = route
            else:
                told.discard(route.key)
                self._routes.pop(route.key, None)
            if self.synced.is_set():
                self._rebuild()

    def _meet_route(self, table: RouteTable, request: HttpRequest, method: str) -> Meeting:
        found = table.find(method, request.path)
        if found is None:
            raise HttpError(404)
        site, parameters = found
        account = account_of(self._catalogue.get(site.namespace, site.function))
        return Meeting(site, account or "", self._region, request, method, parameters)

    def _meet_path(self, request: HttpRequest) -> Meeting:
        account, _, rest = request.path.removeprefix(PREFIX).partition("/")
        reference, slash, path = rest.partition("/")
        reference = unquote(reference)
        site = self.urls.by_reference.get((account, reference.removesuffix(":$LATEST")))
        if site is None:
            raise UnknownUrlError(reference)
        seen = replace(request, path=f"/{path}" if slash else "/")
        return Meeting(site, account, self._region, seen, request.method)

    def _rebuild(self) -> None:
        """Make the hosts' tables anew: routes change seldom, requests look them up often."""
        routes = list(self._routes.values())
        hosts: defaultdict[str, list[Site]] = defaultdict(list)
        for route in routes:
            if find_rival(route, routes) is None:
                hosts[route.spec.host].append(site_of_route(route))
        self._hosts = {host: RouteTable.of(sites) for host, sites in hosts.items()}
