"""The accounts and functions that the simulation has, and how much of what they may use."""

from __future__ import annotations

from pilotlight.names import ACCOUNT_LABEL
from pilotlight.resources import (
    Code,
    Configuration,
    Function,
    FunctionSpec,
    FunctionStatus,
    Namespace,
    ObjectMeta,
    Runtime,
    RuntimeSpec,
)
from tests.support.memory import MemoryResources

__all__ = [
    "ACCOUNT_LIMIT", "CROWD", "FUNCTIONS", "QUOTA", "RESERVED", "TENANTS", "stored_functions",
]  # fmt: skip

ACCOUNT_LIMIT = 12
FUNCTIONS = {
    ("a", "short"): 0.02,
    ("a", "capped"): 0.3,
    ("a", "rare"): 0.1,
    ("b", "long"): 1.0,
    ("c", "busy"): 0.01,
}
"""And how long their calls take, in seconds."""
TENANTS = ("b", "tenants")
"""A function that isolates its tenants: more of them than there may be environments."""
RESERVED = {("a", "capped"): 2, TENANTS: 2}
CROWD = [f"cold-{number}" for number in range(4)]
"""Functions that all are called at once, where there is not room for all their pods."""
QUOTA = 4
"""Pods that their account may have."""
SHA = "a" * 64


async def stored_functions() -> MemoryResources:
    """Store them."""
    stored = MemoryResources()
    await stored.create(
        Runtime(metadata=ObjectMeta(name="python3.13"), spec=RuntimeSpec(image="python:1"))
    )
    for namespace, account in (("a", "0" * 12), ("b", "1" * 12), ("c", "2" * 12)):
        labels = {ACCOUNT_LABEL: account}
        await stored.create(Namespace(metadata=ObjectMeta(name=namespace, labels=labels)))
    configuration = Configuration(
        runtime="python3.13", handler="index.handler", code_sha256=SHA, memory=128, timeout=10,
        ephemeral_storage=512,
    )  # fmt: skip
    for namespace, name in [*FUNCTIONS, *(("c", name) for name in CROWD), TENANTS]:
        isolation = "PER_TENANT" if (namespace, name) == TENANTS else None
        spec = FunctionSpec(
            runtime="python3.13", handler="index.handler", code=Code(zip=SHA),
            reserved_concurrency=RESERVED.get((namespace, name)), tenant_isolation_mode=isolation,
        )  # fmt: skip
        await stored.create(
            Function(
                metadata=ObjectMeta(name=name, namespace=namespace),
                spec=spec,
                status=FunctionStatus(
                    revision="1" * 16,
                    configuration=configuration.model_copy(
                        update={"tenant_isolation_mode": isolation}
                    ),
                ),
            )
        )
    return stored
