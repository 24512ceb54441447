"""Writes one field of a resource, whatever else of it is being changed at the same time.

For settings with an operation of their own: whoever changes another field of the same resource
neither loses nor undoes one. What must be changed as a whole conflicts instead (`preconditions`).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from pilotlight.errors import ConflictError
from pilotlight.names import MODIFIED_ANNOTATION
from pilotlight.resources import Function, FunctionAlias, FunctionVersion, Resource
from pilotlight_gateway.errors import ResourceConflictError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pilotlight.storage import ResourceStore

__all__ = ["modified_now", "write_changed", "write_field"]

TRIES = 5
R = TypeVar("R", bound=Function | FunctionVersion | FunctionAlias)
T = TypeVar("T", bound=Resource)


async def write_field(
    resources: ResourceStore,
    resource: R,
    name: str,
    value: object,
    *,
    annotations: Mapping[str, str | None] | None = None,
) -> R:
    """Write a field of the spec, and annotations; one that is None goes. Gives what is stored.

    Raises ResourceConflictException where others write the resource all the time.
    """
    return await write_changed(
        resources, resource, lambda now: _changed(now, {name: value}, annotations or {})
    )


async def write_changed(resources: ResourceStore, resource: T, change: Callable[[T], T]) -> T:
    """Write what a change makes of a resource as it is then; raises ResourceConflictException."""
    for _ in range(TRIES):
        try:
            return await resources.replace(change(resource))
        except ConflictError:
            resource = await resources.get(type(resource), resource.key)
    raise ResourceConflictError("The resource is being changed by others; try again.")


def modified_now() -> dict[str, str]:
    """Return the annotation that says when code or configuration was written (ms)."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    return {MODIFIED_ANNOTATION: at.replace("+00:00", "Z")}


def _changed(resource: R, spec: Mapping[str, Any], noted: Mapping[str, str | None]) -> R:
    metadata = resource.metadata
    annotations = {
        name: value
        for name, value in {**metadata.annotations, **noted}.items()
        if value is not None
    }
    return resource.model_copy(  # type: ignore[return-value] # a copy is of its original's type
        update={
            "spec": resource.spec.model_copy(update=spec),
            "metadata": metadata.model_copy(update={"annotations": annotations}),
        }
    )
