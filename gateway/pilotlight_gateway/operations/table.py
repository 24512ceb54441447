"""Which of the API's operations there are; every other one is answered as not supported yet.

docs/unsupported.md is generated from this table and the API's model.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from . import account, concurrency, function_updates, functions, invoke

if TYPE_CHECKING:
    from pilotlight_gateway.exchange import Call, Reply
    from pilotlight_gateway.services import Services

__all__ = ["LAMBDA", "Handler"]

Handler = Callable[["Services", "Call"], Awaitable["Reply"]]

LAMBDA: dict[str, Handler] = {
    "CreateFunction": functions.create_function,
    "DeleteFunction": functions.delete_function,
    "DeleteFunctionConcurrency": concurrency.delete_function_concurrency,
    "GetAccountSettings": account.get_account_settings,
    "GetFunction": functions.get_function,
    "GetFunctionConcurrency": concurrency.get_function_concurrency,
    "GetFunctionConfiguration": functions.get_function_configuration,
    "Invoke": invoke.invoke,
    "ListFunctions": functions.list_functions,
    "PutFunctionConcurrency": concurrency.put_function_concurrency,
    "UpdateFunctionCode": function_updates.update_function_code,
    "UpdateFunctionConfiguration": function_updates.update_function_configuration,
}
