"""What each of the platform's own endpoints would do, in the words of policies.

`pilotlight:` and the endpoint's name, on a resource of the account by its plural and name. They are
asked of keys' policies alone: what Lambda's policies of functions say is of Lambda's actions.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pilotlight.resources.registry import KINDS
from pilotlight_gateway.access import Access

if TYPE_CHECKING:
    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.services import Services

__all__ = ["access_of"]

_BY_QUERY = {"GetLogs", "ListDeadLetters", "PurgeDeadLetters", "RedriveDeadLetters"}
"""Operations whose function is a parameter of the query."""
_PLURALS = {
    "GetFunctionResource": "functions",
    "DeleteFunctionResource": "functions",
    "ListShards": "eventsourcemappings",
    "GetBacklog": "eventsourcemappings",
    "ResetMapping": "eventsourcemappings",
}
"""What operations are about whose paths do not say it as a parameter."""


def access_of(services: Services, call: Call) -> tuple[Access, ...]:
    """Tell what a call would do."""
    own = f"arn:aws:pilotlight:{services.settings.region}:{call.caller.account}"
    return (Access(f"pilotlight:{call.operation}", (f"{own}:{_resource(call)}",)),)


def _resource(call: Call) -> str:
    if call.operation == "Apply":
        return _applied(call.body)
    if call.operation in _BY_QUERY:
        return f"functions/{call.query.get('function', '')}"
    for member, plural in (("sha256", "artifacts"), ("id", "dead-letters")):
        if member in call.parameters:
            return f"{plural}/{call.parameters[member]}"
    plural = _PLURALS.get(call.operation) or call.parameters["plural"]
    return f"{plural}/{call.parameters.get('name', '*')}"


def _applied(body: bytes) -> str:
    """Return what a manifest names: a function by Lambda's name, anything else by its object's."""
    try:
        document = json.loads(body)
        kind, name = KINDS[document["kind"]], document["metadata"]["name"]
        spec: Any = document.get("spec") if kind.kind_name == "Function" else None
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return "*"  # no manifest, as `apply` says to who may ask for all
    function = spec.get("functionName") if isinstance(spec, dict) else None
    return f"{kind.plural}/{function or name}"
