"""What answers at an address: a function URL and a route look the same from here on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from pilotlight.resources import FunctionAlias, RouteAuth
from pilotlight.resources.route import PayloadFormat
from pilotlight.resources.url import url_id

if TYPE_CHECKING:
    from pilotlight.resources import Cors, Function, PolicyStatement, Rate, Route, SnsSource

    from .message import HttpRequest

__all__ = ["Findings", "Match", "Site", "Style", "site_of_route", "site_of_url"]

Style = Literal["url"] | PayloadFormat
Findings = dict[str, dict[str, object]]
"""What authorisation found out, by its kind: `iam`, `jwt` or `lambda`."""
_URL_AUTH = {"NONE": RouteAuth(), "AWS_IAM": RouteAuth(type="iam")}


@dataclass(frozen=True, slots=True)
class Site:
    """A function and how requests come to it."""

    id: str
    namespace: str
    function: str
    """Lambda's name."""
    qualifier: str | None
    style: Style
    """Payload format and words; a function URL's is payload 2.0 with words of its own."""
    auth: RouteAuth
    cors: Cors | None = None
    rate: Rate | None = None
    sns: SnsSource | None = None
    """Of the style sns."""
    streams: bool = False
    """Whether answers are sent as the function writes them."""
    needs_policy: bool = False
    """Whether callers without credentials need a statement of the policy that allows them."""
    policy: tuple[PolicyStatement, ...] = ()
    """Of a function URL's function or alias."""
    account: str = ""
    """12 digits, of a function URL; a route's is its function's, which may come later."""
    resource: str = "/{proxy+}"
    """The path's pattern."""
    methods: frozenset[str] = frozenset()
    """All if empty."""

    @property
    def reference(self) -> str:
        """The function's name, with its qualifier."""
        return f"{self.function}:{self.qualifier}" if self.qualifier else self.function

    def stands_for(self, other: Site) -> bool:
        """Say whether it lets the same callers reach the same function."""
        mine = (self.namespace, self.reference, self.auth)
        return mine == (other.namespace, other.reference, other.auth)


@dataclass(frozen=True, slots=True)
class Match:
    """A site and a request that is for it."""

    site: Site
    account: str
    """12 digits; empty where the function is not there."""
    region: str
    request: HttpRequest
    method: str
    """That the site was found by: of a preflight, the one that it asks for."""
    path_parameters: dict[str, str] = field(default_factory=dict)
    """Decoded."""
    authorizer: Findings = field(default_factory=dict)

    @property
    def route_key(self) -> str:
        """Lambda's name of the route."""
        if self.site.style == "url":
            return "$default"
        return f"{self.method if self.site.methods else 'ANY'} {self.site.resource}"


def site_of_url(
    namespace: str, account: str, function: str, holder: Function | FunctionAlias
) -> Site | None:
    """Return the site of the function URL of a function or an alias; None where it has none."""
    url = holder.spec.url
    if url is None:
        return None
    qualifier = holder.spec.alias if isinstance(holder, FunctionAlias) else None
    return Site(
        account=account,
        id=url_id(account, function, qualifier),
        namespace=namespace,
        function=function,
        qualifier=qualifier,
        style="url",
        auth=_URL_AUTH[url.auth_type],
        streams=url.invoke_mode == "RESPONSE_STREAM",
        needs_policy=url.needs_policy,
        policy=tuple(holder.spec.policy),
        cors=url.cors,
    )


def site_of_route(route: Route) -> Site:
    """Return the site of a route."""
    spec = route.spec
    function, _, qualifier = spec.function.partition(":")
    return Site(
        id=hashlib.sha256(str(route.key).encode()).hexdigest()[:10],
        namespace=route.metadata.namespace,
        function=function,
        qualifier=qualifier or None,
        style=spec.payload_format,
        auth=spec.auth,
        cors=spec.cors,
        rate=spec.rate,
        sns=spec.sns,
        resource=spec.path,
        methods=frozenset(spec.methods),
    )
