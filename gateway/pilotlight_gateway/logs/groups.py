"""Which log groups an account has, and which functions log into each.

A group is there because a function logs into it or because a `LogGroup` says what is wanted of it;
its lines are those of its functions. `apis.logs` answers from here; `reading` has the lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pilotlight.names import object_name
from pilotlight.resources import (
    FUNCTIONS_BY_LOG_GROUP,
    LOG_GROUPS_BY_NAMESPACE,
    Function,
    Key,
    LogGroup,
    LogGroupSpec,
    ObjectMeta,
)

if TYPE_CHECKING:
    from pilotlight.cache import Cache
    from pilotlight_gateway.invocation.catalogue import Catalogue

__all__ = ["Group", "LogGroups"]


@dataclass(frozen=True, slots=True)
class Group:
    """One group as it is now."""

    namespace: str
    name: str
    functions: tuple[Function, ...]
    settings: LogGroup | None

    @property
    def spec(self) -> LogGroupSpec:
        """What is wanted of it."""
        return LogGroupSpec(name=self.name) if self.settings is None else self.settings.spec

    @property
    def created(self) -> float:
        """When there was first a reason for it, in seconds since the epoch."""
        made = [one.metadata.creation_timestamp for one in self.functions]
        if self.settings is not None:
            made.append(self.settings.metadata.creation_timestamp)
        return min((datetime.fromisoformat(at).timestamp() for at in made if at), default=0.0)

    def as_resource(self) -> LogGroup:
        """Return its resource, or one to be made."""
        if self.settings is not None:
            return self.settings
        metadata = ObjectMeta(name=object_name(self.name), namespace=self.namespace)
        return LogGroup(metadata=metadata, spec=self.spec)


class LogGroups:
    """The groups of all accounts, from memory."""

    def __init__(self, cache: Cache, catalogue: Catalogue) -> None:
        self._cache, self._catalogue = cache, catalogue

    def names(self, namespace: str) -> list[str]:
        """Return the names of an account's groups, sorted."""
        of_functions = {one.log_group for one in self._catalogue.of(namespace).values()}
        settings = self._cache.by(LOG_GROUPS_BY_NAMESPACE, namespace)
        return sorted(of_functions | {one.spec.name for one in settings})

    def get(self, namespace: str, name: str) -> Group | None:
        """Return a group; None where nothing logs into it and nobody made it."""
        functions = tuple(self._cache.by(FUNCTIONS_BY_LOG_GROUP, (namespace, name)))
        settings = self._settings(namespace, name)
        if not functions and settings is None:
            return None
        return Group(namespace, name, functions, settings)

    def of_function(self, namespace: str, function: str) -> Group | None:
        """Return the group that a function, by its object, logs into."""
        found = self._cache.get(Function, Key(namespace, function))
        return None if found is None else self.get(namespace, found.log_group)

    def with_retention(self) -> list[Group]:
        """Return the groups, of any account, whose lines go after some days."""
        settings = self._cache.all(LogGroup)
        groups = [
            self.get(one.metadata.namespace, one.spec.name)
            for one in settings
            if one.spec.retention_in_days is not None
        ]
        return [group for group in groups if group is not None]

    def _settings(self, namespace: str, name: str) -> LogGroup | None:
        """Return a group's resource, which `kubectl` may have made by any name."""
        found = self._cache.by(LOG_GROUPS_BY_NAMESPACE, namespace)
        of_name = [one for one in found if one.spec.name == name]
        return min(of_name, key=lambda one: one.metadata.name, default=None)
