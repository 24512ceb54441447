"""Put-, Get- and DeleteFunctionConcurrency: what a function reserves of its account.

The number is a field of the resource; the autoscaler's `caps` follow it. Rules and texts: lambda.md
1.2 and AWS Lambda Developer Guide, "Configuring reserved concurrency".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight_gateway.errors import InvalidParameterValueError
from pilotlight_gateway.exchange import Reply, json_reply

from .lookup import find
from .unreserved import check_reservation
from .writing import write_field

if TYPE_CHECKING:
    from pilotlight.resources import Function
    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.services import Services

__all__ = [
    "delete_function_concurrency",
    "get_function_concurrency",
    "put_function_concurrency",
]

RESERVED = "reserved_concurrency"


async def put_function_concurrency(services: Services, call: Call) -> Reply:
    """Reserve; 0 switches the function off. At least 100 stay for functions that reserve none."""
    function = await _unqualified(services, call)
    wanted = int(call.input["ReservedConcurrentExecutions"])
    check_reservation(services, function.key, wanted)
    await write_field(services.resources, function, RESERVED, wanted)
    return json_reply({"ReservedConcurrentExecutions": wanted})


async def get_function_concurrency(services: Services, call: Call) -> Reply:
    """Return what is reserved; nothing where nothing is."""
    function = await _unqualified(services, call)
    reserved = function.spec.reserved_concurrency
    return json_reply({} if reserved is None else {"ReservedConcurrentExecutions": reserved})


async def delete_function_concurrency(services: Services, call: Call) -> Reply:
    """Reserve nothing any more."""
    function = await _unqualified(services, call)
    await write_field(services.resources, function, RESERVED, None)
    return Reply(204)


async def _unqualified(services: Services, call: Call) -> Function:
    function = await find(services, call)
    if call.parameters["FunctionName"].endswith(":$LATEST"):
        raise InvalidParameterValueError(
            "This operation is permitted on Lambda functions only. Aliases and versions do not "
            "support this operation. Please specify either a function name or an unqualified "
            "function ARN."
        )
    return function
