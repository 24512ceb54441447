"""The function URLs that there are: of functions, and of aliases, as the gateway knows both.

A function's ARN, which the operator writes, says its account; until it is there nobody can be
answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight.arn import parse_function_reference
from pilotlight.resources import ALIASES_BY_FUNCTION, FunctionAlias, Key

from .site import site_of_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pilotlight.cache import Cache
    from pilotlight.resources import Function
    from pilotlight_gateway.invocation.catalogue import Catalogue

    from .site import Site

__all__ = ["Urls", "account_of"]


class Urls:
    """Sites by the id in their host, and by account and reference."""

    def __init__(self, catalogue: Catalogue, cache: Cache) -> None:
        self._functions: dict[Key, Function] = {}
        self._cache = cache
        self._sites: dict[Key, list[Site]] = {}
        self.by_id: dict[str, Site] = {}
        self.by_reference: dict[tuple[str, str], Site] = {}
        """By account and `function` or `function:alias`."""
        catalogue.on_change(self._function_changed)
        cache.on_change(FunctionAlias, self._alias_changed)

    def _function_changed(self, before: Function | None, after: Function | None) -> None:
        if before is not None:
            self._functions.pop(before.key, None)
            self._refresh(before.key)
        if after is not None:
            self._functions[after.key] = after
            self._refresh(after.key)

    def _alias_changed(self, before: FunctionAlias | None, after: FunctionAlias | None) -> None:
        for alias in (before, after):
            if alias is not None:
                self._refresh(alias.function)

    def _refresh(self, where: Key) -> None:
        for site in self._sites.pop(where, []):
            self.by_id.pop(site.id, None)
            self.by_reference.pop((site.account, site.reference), None)
        function = self._functions.get(where)
        if function is None or (account := account_of(function)) is None:
            return
        self._sites[where] = list(self._sites_of(where, function, account))
        for site in self._sites[where]:
            self.by_id[site.id] = self.by_reference[account, site.reference] = site

    def _sites_of(self, where: Key, function: Function, account: str) -> Iterator[Site]:
        aliases = self._cache.by(ALIASES_BY_FUNCTION, where)
        holders: tuple[Function | FunctionAlias, ...] = (function, *aliases)
        for holder in holders:
            site = site_of_url(where.namespace, account, function.function_name, holder)
            if site is not None:
                yield site


def account_of(function: Function | None) -> str | None:
    """Return a function's account as its ARN says it."""
    if function is None or not function.status.arn:
        return None
    named = parse_function_reference(function.status.arn)
    return named.account if named else None
