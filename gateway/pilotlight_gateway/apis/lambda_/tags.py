"""ListTags, TagResource and UntagResource: of functions, mappings and code signing configurations.

Tags are a field of the resource's spec; nothing that runs depends on them. Texts: lambda.md 1.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight.resources.function import MOST_TAGS
from pilotlight_gateway.errors import InvalidParameterValueError
from pilotlight_gateway.exchange import Reply, json_reply

from .code_signing import find_config
from .event_source_mappings import find_mapping
from .writing import write_changed

if TYPE_CHECKING:
    from collections.abc import Callable

    from pilotlight.resources import CodeSigningConfig, EventSourceMapping, Function
    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.services import Services

    Tagged = Function | EventSourceMapping | CodeSigningConfig
    Tags = dict[str, str]

__all__ = ["list_tags", "tag_resource", "untag_resource"]


async def list_tags(services: Services, call: Call) -> Reply:
    """Return a resource's tags."""
    return json_reply({"Tags": (await _find(services, call)).spec.tags})


async def tag_resource(services: Services, call: Call) -> Reply:
    """Add tags to a resource; those of the same key are replaced."""
    given: Tags = call.input["Tags"]
    return await _write(services, call, lambda tags: tags | given)


async def untag_resource(services: Services, call: Call) -> Reply:
    """Take tags from a resource; those that it does not have are passed over."""
    keys = set(call.input["TagKeys"])
    return await _write(
        services, call, lambda tags: {key: tags[key] for key in tags if key not in keys}
    )


async def _write(services: Services, call: Call, change: Callable[[Tags], Tags]) -> Reply:
    def changed(resource: Tagged) -> Tagged:
        tags = change(resource.spec.tags)
        if len(tags) > MOST_TAGS:
            raise InvalidParameterValueError(
                f"Number of tags exceeds resource tag limit: {len(tags)} came, at most "
                f"{MOST_TAGS} are allowed."
            )
        spec = resource.spec.model_copy(update={"tags": tags})
        return resource.model_copy(update={"spec": spec})

    await write_changed(services.resources, await _find(services, call), changed)
    return Reply(204)


async def _find(services: Services, call: Call) -> Tagged:
    """Return the resource of an ARN, as it is stored."""
    arn = str(call.input["Resource"])
    kind, _, name = arn.split(":", 5)[5].partition(":")
    if kind == "code-signing-config":
        return find_config(services, call, arn)
    if kind != "function":
        # Of other kinds there are none, and no ARN but one stands for a mapping: policies name it.
        own = f"arn:aws:lambda:{services.settings.region}:{call.account}:event-source-mapping:"
        return await find_mapping(services, call, name if arn == own + name else "")
    reference = call.function
    if reference.qualifier is not None:
        raise InvalidParameterValueError(
            "Tags on function aliases and versions are not supported. Please specify either a "
            "function or an event source mapping ARN."
        )
    found = await services.catalogue.find(reference.namespace, reference.name)
    if found is None:
        raise reference.not_found()
    return found
