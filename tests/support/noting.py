"""The platform that notes something about a resource just before a change of it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import pytest

    from pilotlight.resources import Resource
    from tests.support.gateway import GatewayHarness

__all__ = ["note_before_replacing"]

R = TypeVar("R", bound="Resource")


def note_before_replacing(harness: GatewayHarness, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Write the status of the resource that is replaced next, first; tells when it was done."""
    resources, replace, notes = harness.resources, harness.resources.replace, list[str]()

    async def noted(resource: R) -> R:
        monkeypatch.undo()
        now = await resources.get(type(resource), resource.key)
        await resources.write_status(now)
        notes.append("noted")
        return await replace(resource)

    monkeypatch.setattr(resources, "replace", noted)
    return notes
