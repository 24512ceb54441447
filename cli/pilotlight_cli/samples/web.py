"""Requests: those that the gateway turns into events, by its own formats, and Lambda@Edge's."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from pilotlight.errors import InvalidResourceError
from pilotlight.resources import RouteAuth
from pilotlight_gateway.http.message import HttpRequest
from pilotlight_gateway.http.payload import FORMATS
from pilotlight_gateway.http.route_table import RouteTable
from pilotlight_gateway.http.site import Match, Site, Style
from pilotlight_gateway.identifiers import new_request_id

from .setting import encoded, one_of, pair

if TYPE_CHECKING:
    from .setting import Setting

__all__ = ["alb", "api_gateway_v1", "api_gateway_v2", "function_url", "lambda_edge"]

_CLIENT = "203.0.113.7"
_AGENT = "curl/8.14.1"


def api_gateway_v1(
    setting: Setting,
    *,
    method: str = "POST",
    path: str = "/orders/17",
    resource: str = "/{proxy+}",
    body: str = '{"item": "tea"}',
    header: tuple[str, ...] = (),
    query: tuple[str, ...] = (),
    stage: str = "prod",
) -> dict[str, Any]:
    """A request to a REST API, payload format 1.0."""
    event = _request("1.0", setting, method, path, body, header, query, resource)
    event["requestContext"] |= {"stage": stage, "path": f"/{stage}{path}"}
    return event


def api_gateway_v2(
    setting: Setting,
    *,
    method: str = "POST",
    path: str = "/orders/17",
    resource: str = "/{proxy+}",
    body: str = '{"item": "tea"}',
    header: tuple[str, ...] = (),
    query: tuple[str, ...] = (),
) -> dict[str, Any]:
    """A request to an HTTP API, payload format 2.0."""
    return _request("2.0", setting, method, path, body, header, query, resource)


def function_url(
    setting: Setting,
    *,
    method: str = "POST",
    path: str = "/orders/17",
    body: str = '{"item": "tea"}',
    header: tuple[str, ...] = (),
    query: tuple[str, ...] = (),
) -> dict[str, Any]:
    """A request to a function URL."""
    return _request("url", setting, method, path, body, header, query)


def alb(
    setting: Setting,
    *,
    method: str = "POST",
    path: str = "/orders/17",
    body: str = '{"item": "tea"}',
    header: tuple[str, ...] = (),
    query: tuple[str, ...] = (),
) -> dict[str, Any]:
    """A request to an Application Load Balancer."""
    return _request("alb", setting, method, path, body, header, query)


def _request(  # noqa: PLR0917  what a request is
    style: Style,
    setting: Setting,
    method: str,
    path: str,
    body: str,
    headers: tuple[str, ...],
    query: tuple[str, ...],
    resource: str = "/{proxy+}",
) -> dict[str, Any]:
    site = Site(setting.token(10), "default", "my-function", None, style, RouteAuth(),
                resource=resource, methods=frozenset({method}))  # fmt: skip
    host = f"{site.id}.{_DOMAINS[style].format(region=setting.region)}"
    common = [("Accept", "*/*"), ("Host", host), ("User-Agent", _AGENT)]
    typed = [("Content-Type", "application/json")] if body else []
    request = HttpRequest(
        method=method,
        path=path,
        query=urlencode([pair("query", "=", one) for one in query]),
        headers=(*common, *typed, *(pair("header", ":", one) for one in headers)),
        host=host,
        source_ip=_CLIENT,
        protocol="HTTP/1.1",
        request_id=new_request_id(),
        time=setting.seconds,
        body=body.encode(),
    )
    found = RouteTable.of([site]).find(method, path)
    if found is None:
        raise InvalidResourceError(f"--path: {path!r} does not fit {resource!r}", field="path")
    parameters = {} if style in {"url", "alb"} else found[1]
    match = Match(site, setting.account, setting.region, request, method, parameters)
    return FORMATS[style].event(match)


_DOMAINS: dict[Style, str] = {
    "1.0": "execute-api.{region}.amazonaws.com",
    "2.0": "execute-api.{region}.amazonaws.com",
    "url": "lambda-url.{region}.on.aws",
    "alb": "{region}.elb.amazonaws.com",
}


def lambda_edge(
    setting: Setting,
    *,
    type: str = "viewer-request",
    method: str = "GET",
    uri: str = "/index.html",
    querystring: str = "",
    body: str = "",
    domain: str = "d111111abcdef8.cloudfront.net",
    origin: str = "example.org",
    status: int = 200,
) -> dict[str, Any]:
    """CloudFront's request or response, for Lambda@Edge.

    --type is viewer-request, origin-request, origin-response or viewer-response.
    """
    add = one_of("type", type, _EDGE)
    request: dict[str, Any] = {
        "clientIp": _CLIENT,
        "headers": _headers(host=domain, user_agent=_AGENT, accept="*/*"),
        "method": method,
        "querystring": querystring,
        "uri": uri,
    }
    if body:
        request["body"] = {
            "action": "read-only", "data": encoded(body), "encoding": "base64",
            "inputTruncated": False,
        }  # fmt: skip
    if type.startswith("origin"):
        request["origin"] = {"custom": _origin(origin)}
        request["headers"] |= _headers(host=origin, x_forwarded_for=_CLIENT)
    config = {
        "distributionDomainName": domain,
        "distributionId": "EDFDVBD6EXAMPLE",
        "eventType": type,
        "requestId": setting.token(56),
    }
    cloudfront = {"config": config, "request": request}
    if add:
        cloudfront["response"] = _response(status)
    return {"Records": [{"cf": cloudfront}]}


_EDGE = {
    "viewer-request": False,
    "origin-request": False,
    "origin-response": True,
    "viewer-response": True,
}
"""The types of events, and whether there is a response yet."""


def _headers(**values: str) -> dict[str, list[dict[str, str]]]:
    names = {name.replace("_", "-").title(): value for name, value in values.items()}
    return {name.lower(): [{"key": name, "value": value}] for name, value in names.items()}


def _origin(domain: str) -> dict[str, Any]:
    return {
        "customHeaders": {},
        "domainName": domain,
        "keepaliveTimeout": 5,
        "path": "",
        "port": 443,
        "protocol": "https",
        "readTimeout": 30,
        "sslProtocols": ["TLSv1.2"],
    }


def _response(status: int) -> dict[str, Any]:
    if status not in {known.value for known in HTTPStatus}:
        raise InvalidResourceError(f"--status: {status} came, a status of HTTP is expected")
    headers = _headers(content_type="text/html; charset=utf-8", cache_control="max-age=60")
    return {
        "headers": headers,
        "status": str(status),
        "statusDescription": HTTPStatus(status).phrase,
    }
