"""GetAccountSettings: the account's limits and what it uses (lambda.md 1.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight.resources import Function
from pilotlight_gateway.exchange import Reply, json_reply
from pilotlight_wire.archive import PACKED_LIMIT, UNPACKED_LIMIT

if TYPE_CHECKING:
    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.services import Services

__all__ = ["get_account_settings"]

TOTAL_CODE_SIZE = 80_530_636_800
"""Bytes of all packages, Lambda's default quota of 75 GB."""


async def get_account_settings(services: Services, call: Call) -> Reply:
    """Return the account's limits and usage."""
    functions = list(services.cache.all(Function, call.caller.namespace))
    limit = services.settings.concurrency_limit
    reserved = sum(function.spec.reserved_concurrency or 0 for function in functions)
    return json_reply(
        {
            "AccountLimit": {
                "TotalCodeSize": TOTAL_CODE_SIZE,
                "CodeSizeUnzipped": UNPACKED_LIMIT,
                "CodeSizeZipped": PACKED_LIMIT,
                "ConcurrentExecutions": limit,
                "UnreservedConcurrentExecutions": limit - reserved,
            },
            "AccountUsage": {
                "TotalCodeSize": sum(function.status.code_size or 0 for function in functions),
                "FunctionCount": len(functions),
            },
        }
    )
