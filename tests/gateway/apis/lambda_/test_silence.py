"""No member of any input passes in silence: each is read, refused, or listed as without effect.

What an operation reads is taken from its handler and from all that it calls in the API's folder:
the members whose names stand there. That what is read is obeyed, the tests of each operation say.
"""

from __future__ import annotations

import ast
import functools
import inspect
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pilotlight_gateway.apis import lambda_
from pilotlight_gateway.apis.lambda_.event_source_mappings import (
    _NOT_SPEC,
    UNSUPPORTED_OF_KAFKA,
    UNSUPPORTED_OF_MAPPINGS,
)
from pilotlight_gateway.apis.lambda_.file_systems import UNSUPPORTED_OF_FILE_SYSTEMS
from pilotlight_gateway.apis.lambda_.function_input import UNSUPPORTED_MEMBERS
from pilotlight_gateway.apis.lambda_.model import load_model
from pilotlight_gateway.apis.lambda_.service import WITHOUT_EFFECT
from pilotlight_gateway.apis.lambda_.table import LAMBDA

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    Place = tuple[ModuleType, str]

SHAPES = load_model().shapes
REFUSED = {
    *UNSUPPORTED_MEMBERS, *UNSUPPORTED_OF_FILE_SYSTEMS,
    *UNSUPPORTED_OF_MAPPINGS, *UNSUPPORTED_OF_KAFKA,
}  # fmt: skip
"""Members that are refused as wholes, whatever is in them."""
BY_THE_PIPELINE = {"FunctionName", "Resource", "ResourceArn", "Qualifier"}
"""Members that name a function, which authorisation finds (`access`)."""
HEADERS = {
    "InvocationType": "X-Amz-Invocation-Type", "LogType": "X-Amz-Log-Type",
    "ClientContext": "X-Amz-Client-Context", "TenantId": "X-Amz-Tenant-Id",
    "DurableExecutionName": "X-Amz-Durable-Execution-Name",
}  # fmt: skip
BODIES = {"Payload", "InvokeArgs"}
"""Members that are the whole body."""


@functools.cache
def definitions(module: ModuleType) -> dict[str, ast.AST]:
    """Return what a module defines: functions, and constants with what they hold."""
    found: dict[str, ast.AST] = {}
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {one.id: node.value for one in targets if isinstance(one, ast.Name)}
    return found


@functools.cache
def resolved(module: ModuleType, name: str) -> Place | None:
    """Say where in the API's folder a name is defined that a module uses."""
    if name in definitions(module):
        return module, name
    home = getattr(getattr(module, name, None), "__module__", "")
    if home.startswith(lambda_.__name__ + "."):
        return (import_module(home), name) if name in definitions(import_module(home)) else None
    for path in Path(lambda_.__path__[0]).glob("*.py"):  # a constant knows no home
        other = import_module(f"{lambda_.__name__}.{path.stem}")
        value = definitions(other).get(name)
        if value is not None and getattr(module, name, module) is getattr(other, name, other):
            return other, name
    return None


def reachable(module: ModuleType, name: str) -> Iterator[ast.AST]:
    """Tell a function and all that it uses, directly or not."""
    waiting: list[Place] = [(module, name)]
    known = set(waiting)
    while waiting:
        place = waiting.pop()
        node = definitions(place[0])[place[1]]
        yield node
        for used in ast.walk(node):
            found = resolved(place[0], used.id) if isinstance(used, ast.Name) else None
            if found is not None and found not in known:
                known.add(found)
                waiting.append(found)


@functools.cache
def words(operation: str) -> frozenset[str]:
    """Return the texts of an operation's code."""
    handler = LAMBDA[operation]
    nodes = reachable(import_module(handler.__module__), handler.__name__)
    return frozenset(
        part.value
        for node in nodes
        for part in ast.walk(node)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    )


def told(shape: str, path: str = "", above: tuple[str, ...] = ()) -> Iterator[str]:
    """Tell the paths of all that an input of a shape can say."""
    facts = SHAPES.get(shape, {})
    inner = [(name, target["shape"]) for name, target in facts.get("members", {}).items()]
    for name, kind in inner:
        yield f"{path}{name}"
        if name not in REFUSED and kind not in above:
            yield from told(kind, f"{path}{name}.", (*above, shape))
    if facts.get("type") == "list":
        yield from told(facts["member"], path, (*above, shape))


def knows(operation: str, path: str) -> bool:
    """Whether an operation reads a member or refuses it."""
    name = path.rpartition(".")[2]
    known = {HEADERS.get(name, name), name} & words(operation)
    if operation.startswith("Invoke") and name in BODIES:
        return True
    if operation in {"CreateEventSourceMapping", "UpdateEventSourceMapping"}:
        return bool(known) or path not in _NOT_SPEC  # it is parsed, which refuses what is odd
    return bool(known) or path in BY_THE_PIPELINE


@pytest.mark.parametrize("operation", LAMBDA)
def test_no_member_passes_in_silence(operation: str) -> None:
    listed = WITHOUT_EFFECT.get(operation, {})
    said = list(told(load_model().operations[operation].input or ""))
    assert [path for path in said if path not in listed and not knows(operation, path)] == []
    assert not listed.keys() - said
    assert all(len(reason) > 20 for reason in listed.values())


def test_what_is_not_used_is_not_found() -> None:
    """The search says no where an operation does not use what its neighbours do."""
    assert "ReservedConcurrentExecutions" in words("PutFunctionConcurrency")
    assert "RevisionId" in words("UpdateAlias")
    for operation, member in (("GetAlias", "RevisionId"), ("ListAliases", "Description")):
        assert not knows(operation, member) or member in words(operation)
    assert not knows("ListTags", "TagKeys")
    assert not knows("CreateAlias", "NoSuchMember")
