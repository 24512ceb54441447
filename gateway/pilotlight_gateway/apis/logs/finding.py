"""Finds the group that a request names, and refuses what it asks for and is not done here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight_gateway.apis.lambda_.paging import paged
from pilotlight_gateway.apis.lambda_.writing import write_changed
from pilotlight_gateway.errors import NotSupportedError
from pilotlight_gateway.exchange import Reply

from .errors import InvalidParameterError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pilotlight.resources import LogGroupSpec
    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.logs.groups import Group
    from pilotlight_gateway.services import Services

__all__ = ["arn_of", "empty", "find_group", "name_of", "page_of", "refuse", "write_spec"]

CONTENT_TYPE = "application/x-amz-json-1.1"


def empty() -> Reply:
    """Make the reply of an operation that has nothing to say."""
    return Reply(200, b"", content_type=CONTENT_TYPE)


def find_group(services: Services, call: Call) -> Group:
    """Return the group that `logGroupName` or `logGroupIdentifier` names; raises NotFoundError."""
    given = call.input
    if ("logGroupName" in given) == ("logGroupIdentifier" in given):
        raise InvalidParameterError("Either logGroupName or logGroupIdentifier is expected.")
    identifier = given.get("logGroupName") or given["logGroupIdentifier"]
    name = name_of(services, call, str(identifier))
    found = services.log_groups.get(call.caller.namespace, name)
    if found is None:
        raise NotFoundError("The specified log group does not exist.")
    return found


def name_of(services: Services, call: Call, identifier: str) -> str:
    """Return the name of a group that is given by name or ARN; raises what its absence is."""
    if not identifier.startswith("arn:"):
        return identifier
    own = arn_of(services, call, "")
    if not identifier.startswith(own):
        raise InvalidParameterError(f"{identifier} is no log group of this account and region.")
    return identifier.removeprefix(own).removesuffix(":*")


def arn_of(services: Services, call: Call, name: str) -> str:
    """Return the ARN of a group."""
    return f"arn:aws:logs:{services.settings.region}:{call.caller.account}:log-group:{name}"


def page_of(names: Sequence[str], call: Call) -> tuple[Sequence[str], dict[str, str]]:
    """Return the page of sorted names that a request asks for, and the member that leads on."""
    asked = {"Marker": call.input.get("nextToken"), "MaxItems": call.input.get("limit")}
    page, marker = paged(names, asked, most=50, of=call.operation)
    return page, {"nextToken": marker["NextMarker"]} if marker else {}


async def write_spec(
    services: Services, group: Group, change: Callable[[LogGroupSpec], LogGroupSpec]
) -> None:
    """Write what a change makes of a group's settings, which it may not have yet."""
    if group.settings is None:
        resource = group.as_resource()
        made = resource.model_copy(update={"spec": change(resource.spec)})
        await services.resources.create(made)
    else:
        await write_changed(
            services.resources,
            group.settings,
            lambda now: now.model_copy(update={"spec": change(now.spec)}),
        )


def refuse(call: Call, *members: str) -> None:
    """Raise NotSupportedError where a member is given that nothing here acts on."""
    for member in members:
        if call.input.get(member):
            raise NotSupportedError(f"{member} is not supported by Pilotlight's CloudWatch Logs.")
