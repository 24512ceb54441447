"""`Route`: a function behind a host, a path and methods, with payload, authorisation and rate.

The gateway serves routes (`pilotlight_gateway.http`); the operator's route service says in the
condition Ready which are served. Both ask `find_rival` who holds a path that two routes want.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from .meta import (
    AGE,
    READY,
    REASON,
    Column,
    Condition,
    Index,
    Model,
    Resource,
    cel,
    find_condition,
)
from .url import Cors  # noqa: TC001  pydantic reads it at run time

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "FUNCTION_REFERENCE",
    "ROUTES_BY_FUNCTION",
    "ROUTES_BY_HOST",
    "AuthorizerAuth",
    "JwtAuth",
    "PayloadFormat",
    "Rate",
    "Route",
    "RouteAuth",
    "RouteSpec",
    "RouteStatus",
    "SnsSource",
    "find_rival",
]

FUNCTION_REFERENCE = r"^[a-zA-Z0-9-_]{1,64}(:(\$LATEST|[a-zA-Z0-9-_]{1,128}))?$"
_HOST = r"^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z]([-a-z0-9]{0,61}[a-z0-9])?$"
_AUTHORITY = r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?$"
_TOPIC = r"^arn:aws(-[a-z]{1,16}){0,2}:sns:[a-z0-9-]{1,32}:[0-9]{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?$"
_SEGMENT = re.compile(r"[A-Za-z0-9._~%!$&()*+,;=:@-]*|\{[A-Za-z_][A-Za-z0-9_]*\}")
_GREEDY = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*\+\}")

PayloadFormat = Literal[
    "1.0", "2.0", "alb", "sns", "s3", "cloudevents", "alertmanager", "cloudwatch-logs"
]
Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def _check_host(host: str) -> str:
    if host.endswith((".svc", ".cluster.local")) or ".lambda-url." in host:
        raise ValueError(f"{host!r} is an address of the platform's own")
    return host


def _check_path(path: str) -> str:
    segments = path.split("/")
    if segments[0] or len(segments) < 2:  # noqa: PLR2004  what is before the first slash, and after
        raise ValueError(f"{path!r} came, a path begins with /")
    for segment in segments[1:-1]:
        if not segment or not _SEGMENT.fullmatch(segment):
            raise ValueError(f"segment {segment!r} is neither plain nor one parameter like {{id}}")
    if not _SEGMENT.fullmatch(segments[-1]) and not _GREEDY.fullmatch(segments[-1]):
        raise ValueError(
            f"last segment {segments[-1]!r} is neither plain nor {{id}} nor like {{proxy+}}"
        )
    names = re.findall(r"\{(\w+)\+?\}", path)
    if len(set(names)) != len(names):
        raise ValueError(f"a parameter of {path!r} is there twice")
    return path


def _check_issuer(issuer: str) -> str:
    parts = urlsplit(issuer)
    local = parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost"}
    if not (parts.scheme == "https" or local) or not parts.hostname or parts.query:
        raise ValueError(f"{issuer!r} came, an https:// address without a query is expected")
    return issuer


class JwtAuth(Model):
    """Callers bring a JSON Web Token (RFC 7519) of an OpenID Connect issuer."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                (
                    "self.issuer.startsWith('https://') || "
                    "self.issuer.startsWith('http://127.0.0.1') || "
                    "self.issuer.startsWith('http://localhost')"
                ),
                "issuer is an https:// address",
            ),
        )
    )

    issuer: Annotated[str, AfterValidator(_check_issuer)] = Field(
        max_length=1024,
        description="The token's iss; its /.well-known/openid-configuration names the keys.",
    )
    audience: list[str] = Field(
        min_length=1, max_length=50, description="Values of aud of which the token has one."
    )
    scopes: list[str] = Field(
        default_factory=list, max_length=50, description="Scopes of which the token has one."
    )


class AuthorizerAuth(Model):
    """A function decides (API Gateway Developer Guide, "Lambda authorizers for HTTP APIs")."""

    function: str = Field(
        pattern=FUNCTION_REFERENCE, description="Name of the function, :alias if need be."
    )
    identity_header: str = Field(
        default="authorization",
        pattern=r"^[a-z0-9-]{1,64}$",
        description="Header without which nobody is let in, in lower case.",
    )
    cache_seconds: int = Field(
        default=0, ge=0, le=3600, description="How long a decision about one identity counts."
    )


class RouteAuth(Model):
    """Who may call."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("(self.type == 'jwt') == has(self.jwt)", "jwt is given if and only if type is jwt"),
            (
                "(self.type == 'authorizer') == has(self.authorizer)",
                "authorizer is given if and only if type is authorizer",
            ),
        )
    )

    type: Literal["none", "iam", "jwt", "authorizer"] = Field(
        default="none", description="Everybody, who signs, who has a token, or a function decides."
    )
    jwt: JwtAuth | None = Field(default=None, description="With type jwt.")
    authorizer: AuthorizerAuth | None = Field(default=None, description="With type authorizer.")

    @model_validator(mode="after")
    def _parts_fit_the_type(self) -> Self:
        for part in ("jwt", "authorizer"):
            if (self.type == part) != (getattr(self, part) is not None):
                raise ValueError(f"{part} is given if and only if type is {part}")
        return self


class SnsSource(Model):
    """Whose messages of Amazon SNS count."""

    topics: list[Annotated[str, Field(pattern=_TOPIC)]] = Field(
        min_length=1, max_length=50, description="ARNs of the topics; others are refused."
    )
    signing_hosts: list[Annotated[str, Field(pattern=_AUTHORITY)]] = Field(
        default_factory=list,
        max_length=10,
        description="Hosts, with a port if need be, of certificates and confirmations; "
        "sns.<region>.amazonaws.com of the topic's region if empty.",
    )


class Rate(Model):
    """How often a route may be called, at each gateway."""

    requests_per_second: float = Field(ge=0.001, le=100_000, description="In the long run.")
    burst: int = Field(ge=1, le=100_000, description="At once.")


class RouteSpec(Model):
    """What the route is wanted to be."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                (
                    "!self.host.endsWith('.svc') && !self.host.endsWith('.cluster.local') && "
                    "!self.host.contains('.lambda-url.')"
                ),
                "host is an address of the platform's own",
            ),
            (
                (
                    r"self.path.matches('^(/([A-Za-z0-9._~%!$&()*+,;=:@-]+|[{][A-Za-z_][A-Za-z0-9_]*[}]))*"
                    r"/([A-Za-z0-9._~%!$&()*+,;=:@-]*|[{][A-Za-z_][A-Za-z0-9_]*[+]?[}])$')"
                ),
                "path is made of plain segments, parameters like {id} and, at its end, {proxy+}",
            ),
            (
                "(self.payloadFormat == 'sns') == has(self.sns)",
                "sns is given if and only if payloadFormat is sns",
            ),
        )
    )

    host: Annotated[str, AfterValidator(_check_host)] = Field(
        max_length=253, pattern=_HOST, description="Host of the requests, in lower case."
    )
    path: Annotated[str, AfterValidator(_check_path)] = Field(
        max_length=1024, description="Path, with parameters like {id} and, at its end, {proxy+}."
    )
    methods: list[Method] = Field(
        default_factory=list, max_length=7, description="HTTP methods; all if empty."
    )
    function: str = Field(
        pattern=FUNCTION_REFERENCE, description="Name of the function, :alias if need be."
    )
    payload_format: PayloadFormat = Field(
        default="2.0",
        description="Shape of the function's events and answers; from sns on, who sends events, "
        "which are queued.",
    )
    sns: SnsSource | None = Field(default=None, description="With payloadFormat sns.")
    auth: RouteAuth = Field(default_factory=RouteAuth, description="Who may call.")
    rate: Rate | None = Field(default=None, description="How often; absent: no limit.")
    cors: Cors | None = Field(
        default=None, description="Absent: the function answers preflight requests itself."
    )

    @model_validator(mode="after")
    def _sns_fits_the_format(self) -> Self:
        if (self.payload_format == "sns") != (self.sns is not None):
            raise ValueError("sns is given if and only if payloadFormat is sns")
        return self


class RouteStatus(Model):
    """What the operator knows of the route."""

    observed_generation: int = Field(default=0, description="The generation that was observed.")
    conditions: list[Condition] = Field(default_factory=list, description="Ready.")


class Route(Resource):
    """A function behind a host and a path."""

    kind_name: ClassVar[str] = "Route"
    plural: ClassVar[str] = "routes"
    short_names: ClassVar[tuple[str, ...]] = ("fnroute",)
    columns: ClassVar[tuple[Column, ...]] = (
        READY,
        REASON,
        Column("Host", "string", ".spec.host"),
        Column("Path", "string", ".spec.path"),
        Column("Function", "string", ".spec.function"),
        AGE,
    )
    listed: ClassVar[bool] = True

    kind: Literal["Route"] = "Route"
    spec: RouteSpec
    status: RouteStatus = Field(default_factory=RouteStatus)

    @property
    def shape(self) -> str:
        """The path without the names of its parameters: two routes of one shape match the same."""
        return re.sub(r"\{\w+(\+?)\}", r"{\1}", self.spec.path)

    @property
    def functions(self) -> list[str]:
        """Lambda's names of the functions that it calls, the authorizer's last."""
        authorizer = self.spec.auth.authorizer
        called = [self.spec.function] + ([authorizer.function] if authorizer else [])
        return [reference.partition(":")[0] for reference in called]

    def condition(self, kind: str) -> Condition | None:
        """Return the condition of that type."""
        return find_condition(self.status.conditions, kind)

    def wants_the_same(self, other: Route) -> bool:
        """Say whether both want the same host, path and one of their methods."""
        mine, theirs = set(self.spec.methods), set(other.spec.methods)
        shared = not mine or not theirs or mine & theirs
        return self.spec.host == other.spec.host and self.shape == other.shape and bool(shared)


def find_rival(route: Route, others: Iterable[Route]) -> Route | None:
    """Return the route that holds what this one wants, too: the oldest that is not it."""
    rivals = (one for one in others if one.key != route.key and one.wants_the_same(route))
    older = [one for one in rivals if _age(one) < _age(route)]
    return min(older, key=_age, default=None)


def _age(route: Route) -> tuple[str, str, str]:
    metadata = route.metadata
    # A route that is not stored yet is younger than all that are.
    return metadata.creation_timestamp or "~", metadata.namespace, metadata.name


ROUTES_BY_HOST = Index(Route, lambda route: [route.spec.host])
ROUTES_BY_FUNCTION = Index(
    Route, lambda route: [(route.metadata.namespace, name) for name in route.functions]
)
"""By namespace and Lambda's name of each function that it calls."""
