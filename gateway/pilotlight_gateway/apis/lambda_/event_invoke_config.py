"""The five operations of FunctionEventInvokeConfig: how a qualifier is invoked asynchronously.

They write the field `async` of the function, the version or the alias that is named; the gateway's
`asynchronous` package acts on it. Texts: lambda.md 1.2 and AWS's own answers.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pilotlight.arn import function_arn, parse_function_reference
from pilotlight.errors import InvalidResourceError
from pilotlight.manifest import parse_model
from pilotlight.resources import (
    AsyncConfig,
    Function,
    FunctionAlias,
    FunctionVersion,
    destination_kind,
    now,
)
from pilotlight_gateway.errors import FunctionNotFoundError, InvalidParameterValueError
from pilotlight_gateway.exchange import Reply, json_reply
from pilotlight_gateway.invocation.reference import LATEST, Reference

from .aliases import find_alias
from .lookup import find_unqualified
from .paging import paged
from .versions import find_version
from .writing import write_field

if TYPE_CHECKING:
    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.services import Services

__all__ = [
    "delete_event_invoke_config",
    "get_event_invoke_config",
    "list_event_invoke_configs",
    "put_event_invoke_config",
    "update_event_invoke_config",
]

MODIFIED = "pilotlight.dev/event-invoke-config-modified"
"""The annotation that says when the settings last changed."""
PAGE = 50
Qualified = Function | FunctionVersion | FunctionAlias


async def put_event_invoke_config(services: Services, call: Call) -> Reply:
    """Set the settings of a qualifier; what is not given has Lambda's default."""
    return await _change(services, call, AsyncConfig())


async def update_event_invoke_config(services: Services, call: Call) -> Reply:
    """Change the settings of a qualifier; what is not given stays."""
    return await _change(services, call, None)


async def get_event_invoke_config(services: Services, call: Call) -> Reply:
    """Return the settings of a qualifier."""
    resource, arn = await _find(services, call)
    return json_reply(_document(resource, arn))


async def delete_event_invoke_config(services: Services, call: Call) -> Reply:
    """Go back to Lambda's defaults."""
    resource, arn = await _find(services, call)
    _settings(resource, arn)
    await _write(services, resource, None)
    return Reply(204)


async def list_event_invoke_configs(services: Services, call: Call) -> Reply:
    """Return the settings of all qualifiers of a function, at most 50 a page."""
    function = await find_unqualified(services, call)
    found = {_qualifier(one): one for one in _configured(services, function)}
    page, marker = paged(sorted(found), call.input, most=PAGE, of=call.operation)
    region, account = services.settings.region, call.account
    documents = [
        _document(found[name], function_arn(region, account, function.function_name, name))
        for name in page
    ]
    return json_reply({"FunctionEventInvokeConfigs": documents} | marker)


async def _change(services: Services, call: Call, begin: AsyncConfig | None) -> Reply:
    """Lay what is given over `begin`, or over what is there."""
    resource, arn = await _find(services, call)
    given = _given(call)
    if begin is None:
        begin = _settings(resource, arn)
    elif not given:
        raise InvalidParameterValueError(
            "You must specify at least one of error handling or destination setting."
        )
    config = _parse(begin.to_json() | given)
    await _check_destinations(services, call.function, config)
    resource = await _write(services, resource, config)
    return json_reply(_document(resource, arn))


def _given(call: Call) -> dict[str, Any]:
    """Return the members of the settings that a request says."""
    names = {
        "MaximumRetryAttempts": "maximumRetryAttempts",
        "MaximumEventAgeInSeconds": "maximumEventAgeInSeconds",
    }
    given = {name: call.input[member] for member, name in names.items() if member in call.input}
    for member, name in (("OnSuccess", "onSuccess"), ("OnFailure", "onFailure")):
        asked = (call.input.get("DestinationConfig") or {}).get(member)
        if asked is not None:
            given[name] = asked.get("Destination") or None
    return given


def _parse(settings: dict[str, Any]) -> AsyncConfig:
    try:
        return parse_model(AsyncConfig, settings)
    except InvalidResourceError as error:
        raise InvalidParameterValueError(
            f"The provided destination config is invalid: {error}"
        ) from error


async def _check_destinations(
    services: Services, reference: Reference, config: AsyncConfig
) -> None:
    """Refuse what is another account's, the function itself, and a function that is not there."""
    for address in (config.on_success, config.on_failure):
        kind = destination_kind(address or "")
        if address is None or kind == "http":
            continue
        if kind == "lambda":
            await _check_function(services, reference, address)
        elif not services.aws_credentials.may_reach(address, reference.account):
            raise InvalidParameterValueError(
                f"The destination ARN {address} is invalid: one of account {reference.account} "
                "is expected."
            )


async def _check_function(services: Services, reference: Reference, address: str) -> None:
    named = parse_function_reference(address)
    if named is None or named.account != reference.account:
        raise InvalidParameterValueError(
            f"The destination ARN {address} is invalid: a function of account "
            f"{reference.account} is expected."
        )
    if named.name == reference.name:
        raise InvalidParameterValueError(
            "You can't specify the function as a destination for itself."
        )
    if await services.catalogue.find(reference.namespace, named.name) is None:
        raise InvalidParameterValueError(
            f"The destination ARN {address} is invalid: the function does not exist."
        )


async def _find(services: Services, call: Call) -> tuple[Qualified, str]:
    """Read what a request names; gives it and its ARN with the qualifier.

    Of what is not there Lambda says that it has no settings, but for where they are put.
    """
    reference = call.function
    qualifier = reference.qualifier or LATEST
    arn = function_arn(reference.region, reference.account, reference.name, qualifier)
    try:
        return await _holder(services, call, qualifier), arn
    except FunctionNotFoundError as error:
        if call.operation == "PutFunctionEventInvokeConfig":
            raise FunctionNotFoundError("The function doesn't exist.") from error
        raise _unset(arn) from error


async def _holder(services: Services, call: Call, qualifier: str) -> Qualified:
    reference, function = call.function, await find_unqualified(services, call)
    if qualifier == LATEST:
        return function
    if qualifier.isdigit():
        return await find_version(services, reference, function, qualifier)
    return await find_alias(services, call, function, qualifier)


def _configured(services: Services, function: Function) -> list[Qualified]:
    published: list[FunctionVersion | FunctionAlias] = [
        *services.published.versions(function.key),
        *services.published.aliases(function.key),
    ]
    return [one for one in (function, *published) if one.spec.async_ is not None]


def _settings(resource: Qualified, arn: str) -> AsyncConfig:
    if resource.spec.async_ is None:
        raise _unset(arn)
    return resource.spec.async_


def _unset(arn: str) -> FunctionNotFoundError:
    return FunctionNotFoundError(f"The function {arn} doesn't have an EventInvokeConfig")


async def _write(services: Services, resource: Qualified, config: AsyncConfig | None) -> Qualified:
    noted = {MODIFIED: now()}
    return await write_field(services.resources, resource, "async_", config, annotations=noted)


def _qualifier(resource: Qualified) -> str:
    match resource:
        case FunctionVersion():
            return resource.number
        case FunctionAlias():
            return resource.spec.alias
        case _:
            return LATEST


def _document(resource: Qualified, arn: str) -> dict[str, Any]:
    config = _settings(resource, arn)
    document: dict[str, Any] = {
        "LastModified": _modified(resource),
        "FunctionArn": arn,
        "DestinationConfig": {
            "OnSuccess": {"Destination": config.on_success} if config.on_success else {},
            "OnFailure": {"Destination": config.on_failure} if config.on_failure else {},
        },
    }
    if config.maximum_retry_attempts is not None:
        document["MaximumRetryAttempts"] = config.maximum_retry_attempts
    if config.maximum_event_age_in_seconds is not None:
        document["MaximumEventAgeInSeconds"] = config.maximum_event_age_in_seconds
    return document


def _modified(resource: Qualified) -> float:
    """Say when the settings were changed, in seconds since the epoch."""
    created = resource.metadata.creation_timestamp or now()
    at = resource.metadata.annotations.get(MODIFIED, created)
    return datetime.strptime(at, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
