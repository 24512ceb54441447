"""Finding a function's handler, and saying in Lambda's words why it cannot be found.

Source: AWS Lambda Developer Guide, "Define Lambda function handler in Python", and awslambdaric's
messages, which clients and tools match on.
"""

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from pilotlight_python.fault import FaultError
from pilotlight_python.foreign_modules import explain

Handler = Callable[[Any, Any], Any]


def load(name: str) -> Handler:
    """Import the module of a handler such as `folder/module.function` and give the function.

    FaultError for what Lambda has a name for; whatever else the module raises passes through.
    """
    module_name, dot, function_name = name.rpartition(".")
    if not dot:
        raise FaultError(
            "Runtime.MalformedHandlerName",
            f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)",
        )
    module = _import(module_name)
    try:
        handler: Handler = getattr(module, function_name)
    except AttributeError:
        raise FaultError(
            "Runtime.HandlerNotFound",
            f"Handler '{function_name}' missing on module '{module_name}'",
        ) from None
    return handler


def _import(name: str) -> ModuleType:
    if name.partition(".")[0] in sys.builtin_module_names:
        raise FaultError(
            "Runtime.BuiltInModuleConflict",
            f"Cannot use built-in module {name} as a handler module",
        )
    try:
        return importlib.import_module(name.replace("/", "."))
    except ImportError as error:
        said = f"Unable to import module '{name}': {error}{explain(error)}"
        raise FaultError("Runtime.ImportModuleError", said) from error
    except SyntaxError as error:
        place = f'  File "{error.filename}" Line {error.lineno}\n    {error.text}'
        raise FaultError(
            "Runtime.UserCodeSyntaxError", f"Syntax error in module '{name}': {error}", [place]
        ) from error
