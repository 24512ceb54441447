"""Which records the function gets: the one place where a mapping's filters are compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from pilotlight_gateway.errors import NotSupportedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pilotlight.resources import EventSourceMappingSpec

__all__ = ["Filters", "filters_of"]


class Filters(Protocol):
    """Filters of a mapping."""

    def accepts(self, record: Mapping[str, Any]) -> bool:
        """Say whether the function gets a record, in Lambda's form."""
        ...


class _Everything:
    def accepts(self, record: Mapping[str, Any]) -> bool:
        del record
        return True


def filters_of(spec: EventSourceMappingSpec) -> Filters:
    """Compile a mapping's filters; raises NotSupportedError."""
    if spec.filter_criteria is not None and spec.filter_criteria.filters:
        raise NotSupportedError("FilterCriteria is not supported yet.")
    return _Everything()
