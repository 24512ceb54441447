"""What each operation would do, in the words of policies.

Service Authorization Reference, "Actions, resources, and condition keys for Amazon CloudWatch
Logs". Policies name a group with or without what stands for its streams, and both do here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight_gateway.access import Access

if TYPE_CHECKING:
    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.services import Services

__all__ = ["access_of"]


def access_of(services: Services, call: Call) -> tuple[Access, ...]:
    """Tell what a call would do: with each group that it names, or with all."""
    action = f"logs:{call.operation}"
    return tuple(Access(action, _names(services, call, one)) for one in _groups(call))


def _groups(call: Call) -> list[str]:
    given = call.input
    if identifiers := given.get("logGroupIdentifiers"):
        return list(identifiers)
    for member in ("logGroupName", "logGroupIdentifier", "resourceArn"):
        if given.get(member):
            return [str(given[member])]
    return [""]


def _names(services: Services, call: Call, group: str) -> tuple[str, ...]:
    own = f"arn:aws:logs:{services.settings.region}:{call.caller.account}:log-group:"
    arn = (group if group.startswith("arn:") else own + group).removesuffix(":*")
    return f"{arn}:log-stream:{call.input.get('logStreamName', '')}", arn
