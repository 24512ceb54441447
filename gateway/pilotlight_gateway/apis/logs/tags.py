"""Tags of log groups, by ARN and, as before 2022, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight.resources.function import MOST_TAGS
from pilotlight_gateway.exchange import json_reply

from .errors import InvalidParameterError, NotFoundError
from .finding import empty, find_group, name_of, write_spec

if TYPE_CHECKING:
    from collections.abc import Callable

    from pilotlight.resources import LogGroupSpec
    from pilotlight_gateway.exchange import Call, Reply
    from pilotlight_gateway.logs.groups import Group
    from pilotlight_gateway.services import Services

    Tags = dict[str, str]

__all__ = [
    "list_tags_for_resource",
    "list_tags_log_group",
    "tag_log_group",
    "tag_resource",
    "untag_log_group",
    "untag_resource",
]


async def list_tags_for_resource(services: Services, call: Call) -> Reply:
    """Return the tags of a group by its ARN."""
    return json_reply({"tags": _by_arn(services, call).spec.tags})


async def list_tags_log_group(services: Services, call: Call) -> Reply:
    """Return the tags of a group by its name."""
    return json_reply({"tags": find_group(services, call).spec.tags})


async def tag_resource(services: Services, call: Call) -> Reply:
    """Add tags to a group by its ARN."""
    return await _add(services, _by_arn(services, call), call.input["tags"])


async def tag_log_group(services: Services, call: Call) -> Reply:
    """Add tags to a group by its name."""
    return await _add(services, find_group(services, call), call.input["tags"])


async def untag_resource(services: Services, call: Call) -> Reply:
    """Take tags from a group by its ARN."""
    return await _take(services, _by_arn(services, call), call.input["tagKeys"])


async def untag_log_group(services: Services, call: Call) -> Reply:
    """Take tags from a group by its name."""
    return await _take(services, find_group(services, call), call.input["tags"])


def _by_arn(services: Services, call: Call) -> Group:
    arn = str(call.input["resourceArn"])
    if not arn.startswith("arn:"):
        raise InvalidParameterError(f"resourceArn: {arn!r} is no ARN.")
    found = services.log_groups.get(call.caller.namespace, name_of(services, call, arn))
    if found is None:
        raise NotFoundError("The specified log group does not exist.")
    return found


async def _add(services: Services, group: Group, given: Tags) -> Reply:
    return await _write(services, group, lambda tags: tags | given)


async def _take(services: Services, group: Group, keys: list[str]) -> Reply:
    return await _write(
        services, group, lambda tags: {key: tags[key] for key in tags if key not in keys}
    )


async def _write(services: Services, group: Group, change: Callable[[Tags], Tags]) -> Reply:
    def changed(spec: LogGroupSpec) -> LogGroupSpec:
        tags = change(spec.tags)
        if len(tags) > MOST_TAGS:
            raise InvalidParameterError(f"{len(tags)} tags came, at most {MOST_TAGS} are allowed.")
        return spec.model_copy(update={"tags": tags})

    await write_spec(services, group, changed)
    return empty()
