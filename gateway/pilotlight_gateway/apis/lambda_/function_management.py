"""What is set of a function beside its configuration: recursive loops, and its runtime's updates.

`invocation.lineage` stops loops; a runtime's image is the cluster's (`Runtime`), so that new
environments have the newest, which is what `Auto` means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pilotlight.arn import function_arn
from pilotlight_gateway.errors import InvalidParameterValueError, NotSupportedError
from pilotlight_gateway.exchange import json_reply

from .lookup import find, find_target_of
from .writing import write_field

if TYPE_CHECKING:
    from pilotlight_gateway.exchange import Call, Reply
    from pilotlight_gateway.services import Services

__all__ = [
    "get_function_recursion_config",
    "get_runtime_management_config",
    "put_function_recursion_config",
    "put_runtime_management_config",
]

AUTO = "Auto"


async def get_function_recursion_config(services: Services, call: Call) -> Reply:
    """Return whether loops are stopped."""
    return json_reply({"RecursiveLoop": (await find(services, call)).spec.recursive_loop})


async def put_function_recursion_config(services: Services, call: Call) -> Reply:
    """Have loops stopped, or let them be."""
    function, wanted = await find(services, call), call.input["RecursiveLoop"]
    await write_field(services.resources, function, "recursive_loop", wanted)
    return json_reply({"RecursiveLoop": wanted})


async def get_runtime_management_config(services: Services, call: Call) -> Reply:
    """Return how a runtime is updated: by itself."""
    return json_reply(await _management(services, call))


async def put_runtime_management_config(services: Services, call: Call) -> Reply:
    """Have a runtime updated by itself; nothing else is done here."""
    wanted, arn = call.input["UpdateRuntimeOn"], call.input.get("RuntimeVersionArn")
    if arn and wanted != "Manual":
        raise InvalidParameterValueError(
            f"RuntimeVersionArn is only allowed with UpdateRuntimeOn Manual, {wanted} came."
        )
    if wanted != AUTO:
        raise NotSupportedError(
            f"UpdateRuntimeOn {wanted} is not supported: a Runtime's image is every function's. "
            "Pin it by its digest in the cluster's Runtime."
        )
    return json_reply(await _management(services, call))


async def _management(services: Services, call: Call) -> dict[str, Any]:
    reference, target = await find_target_of(services, call)
    name = target.function.function_name
    arn = function_arn(services.settings.region, call.account, name, reference.qualifier)
    return {"UpdateRuntimeOn": AUTO, "RuntimeVersionArn": None, "FunctionArn": arn}
