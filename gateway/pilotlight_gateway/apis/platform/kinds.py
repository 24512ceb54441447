"""`/-/<plural>`: resources of the caller's account, such as routes, to list, read and delete.

`manifests.apply` makes and changes them; functions have endpoints of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight.resources import Key
from pilotlight.resources.registry import KINDS
from pilotlight_gateway.exchange import Reply, json_reply

if TYPE_CHECKING:
    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.services import Services

__all__ = ["PLURALS", "delete_resource", "get_resource", "list_resources"]

_KINDS = {kind.plural: kind for kind in KINDS.values() if kind.listed}
PLURALS = "|".join(_KINDS)
"""As a regular expression."""


async def list_resources(services: Services, call: Call) -> Reply:
    """Return all of a kind, by name."""
    kind = _KINDS[call.parameters["plural"]]
    found = sorted(
        services.cache.all(kind, call.caller.namespace), key=lambda one: one.metadata.name
    )
    return json_reply({"items": [one.to_json() for one in found]})


async def get_resource(services: Services, call: Call) -> Reply:
    """Return one as it is stored; raises NotFoundError."""
    kind = _KINDS[call.parameters["plural"]]
    return json_reply((await services.resources.get(kind, _key(call))).to_json())


async def delete_resource(services: Services, call: Call) -> Reply:
    """Delete one; raises NotFoundError."""
    await services.resources.delete(_KINDS[call.parameters["plural"]], _key(call))
    return Reply(204)


def _key(call: Call) -> Key:
    return Key(call.caller.namespace, call.parameters["name"])
