"""Create-, Update-, Get-, Delete- and ListFunctionUrlConfig(s): the field `url` of a resource.

A function has one, and each of its aliases may; versions may not. Texts and codes: lambda.md 1.2.
`pilotlight_gateway.http` answers at the addresses that are said here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pilotlight.arn import function_arn
from pilotlight.resources import Function, FunctionAlias, FunctionUrl
from pilotlight.resources.url import url_id
from pilotlight_gateway.errors import (
    FunctionNotFoundError,
    ResourceConflictError,
)
from pilotlight_gateway.exchange import Reply, json_reply
from pilotlight_gateway.http.sites import PREFIX

from .aliases import find_alias
from .inputs import parse_as
from .lookup import find_unqualified
from .paging import paged
from .preconditions import refuse_tenants
from .writing import write_field

if TYPE_CHECKING:
    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.services import Services

__all__ = [
    "create_function_url_config",
    "delete_function_url_config",
    "get_function_url_config",
    "list_function_url_configs",
    "update_function_url_config",
]

CREATED = "pilotlight.dev/url-created"
MODIFIED = "pilotlight.dev/url-modified"
"""Annotations: when the API made and last changed the address."""
PAGE = 50
_CORS = {
    "AllowCredentials": "allowCredentials",
    "AllowHeaders": "allowHeaders",
    "AllowMethods": "allowMethods",
    "AllowOrigins": "allowOrigins",
    "ExposeHeaders": "exposeHeaders",
    "MaxAge": "maxAge",
}
Holder = Function | FunctionAlias


async def create_function_url_config(services: Services, call: Call) -> Reply:
    """Give a function or an alias an address; raises ResourceConflictException if it has one."""
    function, holder = await _holder(services, call)
    refuse_tenants(function, "A function URL")
    if holder.spec.url is not None:
        arn = _arn(services, call, function, holder)
        raise ResourceConflictError(
            f"Failed to create function url config for [functionArn = {arn}]. Error message:  "
            "FunctionUrlConfig exists for this Lambda function"
        )
    url, at = parse_as(FunctionUrl, _given(call.input) | {"needsPolicy": True}), _now()
    noted = {CREATED: at, MODIFIED: at}
    holder = await write_field(services.resources, holder, "url", url, annotations=noted)
    return json_reply(_document(services, call, function, holder), 201)


async def update_function_url_config(services: Services, call: Call) -> Reply:
    """Change what is named; `Cors` is changed as a whole."""
    function, holder = await _holder(services, call)
    url = parse_as(FunctionUrl, _there(holder).to_json() | _given(call.input))
    holder = await write_field(
        services.resources, holder, "url", url, annotations={MODIFIED: _now()}
    )
    return json_reply(_document(services, call, function, holder))


async def get_function_url_config(services: Services, call: Call) -> Reply:
    """Return an address and its rules."""
    try:
        function, holder = await _holder(services, call)
    except FunctionNotFoundError as error:
        raise _missing() from error
    _there(holder)
    return json_reply(_document(services, call, function, holder))


async def delete_function_url_config(services: Services, call: Call) -> Reply:
    """Take the address away; the same one comes back if it is made again."""
    _, holder = await _holder(services, call)
    _there(holder)
    noted = {CREATED: None, MODIFIED: None}
    await write_field(services.resources, holder, "url", None, annotations=noted)
    return Reply(204)


async def list_function_url_configs(services: Services, call: Call) -> Reply:
    """Return the addresses of a function and its aliases, at most 50 a page."""
    function = await find_unqualified(services, call)
    holders: dict[str, Holder] = {"": function}
    holders |= {one.spec.alias: one for one in services.published.aliases(function.key)}
    found = {name: one for name, one in holders.items() if one.spec.url is not None}
    names = [name or "\0" for name in sorted(found)]
    page, marker = paged(names, call.input, most=PAGE, of=call.operation)
    documents = [_document(services, call, function, found[name.strip("\0")]) for name in page]
    return json_reply({"FunctionUrlConfigs": documents} | marker)


async def _holder(services: Services, call: Call) -> tuple[Function, Holder]:
    """Return the function, and it again or the alias that the request names."""
    function = await find_unqualified(services, call)
    qualifier = call.function.qualifier
    if qualifier is None:
        return function, function
    return function, await find_alias(services, call, function, qualifier)


def _there(holder: Holder) -> FunctionUrl:
    if holder.spec.url is None:
        raise _missing()
    return holder.spec.url


def _missing() -> FunctionNotFoundError:
    return FunctionNotFoundError("The resource you requested does not exist.")


def _given(given: dict[str, Any]) -> dict[str, Any]:
    """Return the members of a `url` that a request says."""
    url: dict[str, Any] = {}
    if given.get("InvokeMode") is not None:
        url["invokeMode"] = given["InvokeMode"]
    if given.get("AuthType") is not None:
        url["authType"] = given["AuthType"]
    if given.get("Cors") is not None:
        asked = given["Cors"]
        url["cors"] = {_CORS[name]: value for name, value in asked.items() if name in _CORS}
    return url


def _document(services: Services, call: Call, function: Function, holder: Holder) -> dict[str, Any]:
    url, metadata = _there(holder), holder.metadata
    made = metadata.annotations.get(CREATED) or metadata.creation_timestamp or _now()
    document: dict[str, Any] = {
        "FunctionUrl": _address(services, call, function, holder),
        "FunctionArn": _arn(services, call, function, holder),
        "AuthType": url.auth_type,
        "CreationTime": made,
        "LastModifiedTime": metadata.annotations.get(MODIFIED) or made,
        "InvokeMode": url.invoke_mode,
    }
    if url.cors is not None:
        said = url.cors.to_json()
        empty: tuple[object, ...] = (None, False, [])
        document["Cors"] = {
            name: said[key] for name, key in _CORS.items() if said.get(key) not in empty
        }
    return document


def _address(services: Services, call: Call, function: Function, holder: Holder) -> str:
    """Return the address as clients reach the gateway: its scheme and port, a host of its own.

    Where hosts of its own resolve in few clients, it is a path of the gateway's (`url_form`).
    """
    settings, account, qualifier = services.settings, call.account, _qualifier(holder)
    origin = urlsplit(call.origin)
    if settings.url_form == "path":
        reference = f"{function.function_name}:{qualifier}" if qualifier else function.function_name
        return f"{origin.scheme or 'http'}://{origin.netloc}{PREFIX}{account}/{reference}/"
    port = f":{origin.port}" if origin.port else ""
    name = url_id(account, function.function_name, qualifier)
    host = f"{name}.lambda-url.{settings.region}.{settings.url_domain}"
    return f"{origin.scheme or 'http'}://{host}{port}/"


def _arn(services: Services, call: Call, function: Function, holder: Holder) -> str:
    region, account = services.settings.region, call.account
    return function_arn(region, account, function.function_name, _qualifier(holder))


def _qualifier(holder: Holder) -> str | None:
    return holder.spec.alias if isinstance(holder, FunctionAlias) else None


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
