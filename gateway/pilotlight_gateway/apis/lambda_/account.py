"""GetAccountSettings: the account's limits and what it uses (lambda.md 1.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight.resources import Function, FunctionVersion, LayerVersion
from pilotlight_gateway.exchange import Reply, json_reply
from pilotlight_wire.archive import PACKED_LIMIT, UNPACKED_LIMIT

if TYPE_CHECKING:
    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.services import Services

__all__ = ["get_account_settings"]

TOTAL_CODE_SIZE = 80_530_636_800
"""Bytes of all packages, Lambda's default quota of 75 GB."""


async def get_account_settings(services: Services, call: Call) -> Reply:
    """Return the account's limits and usage: packages of all versions count, and layers."""
    cache, namespace = services.cache, call.namespace
    functions = list(cache.all(Function, namespace))
    used = sum(function.status.code_size or 0 for function in functions)
    used += sum(version.spec.code_size for version in cache.all(FunctionVersion, namespace))
    used += sum(layer.spec.code_size for layer in cache.all(LayerVersion, namespace))
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
                "TotalCodeSize": used,
                "FunctionCount": len(functions),
            },
        }
    )
