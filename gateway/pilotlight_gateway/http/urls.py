"""The function URLs that there are: of functions, and of aliases. Fed by the catalogue and a watch.

A function's ARN, which the operator writes, says its account; until it is there nobody can be
answered.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING

from pilotlight.arn import parse_function_reference
from pilotlight.resources import FunctionAlias, Key

from .site import site_of_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pilotlight.resources import Function
    from pilotlight.storage import ResourceStore

    from .site import Site

__all__ = ["Urls", "account_of"]


class Urls:
    """Sites by the id in their host, and by account and reference."""

    def __init__(self, resources: ResourceStore) -> None:
        self._resources = resources
        self._functions: dict[Key, Function] = {}
        self._aliases: defaultdict[Key, dict[str, FunctionAlias]] = defaultdict(dict)
        self._sites: dict[Key, list[Site]] = {}
        self.by_id: dict[str, Site] = {}
        self.by_reference: dict[tuple[str, str], Site] = {}
        """By account and `function` or `function:alias`."""
        self.synced = asyncio.Event()

    def function_changed(self, before: Function | None, after: Function | None) -> None:
        """Follow a function (`Catalogue.on_change`)."""
        if before is not None:
            self._functions.pop(before.key, None)
            self._refresh(before.key)
        if after is not None:
            self._functions[after.key] = after
            self._refresh(after.key)

    async def run(self) -> None:
        """Follow aliases, for ever."""
        told: set[Key] = set()
        async for change in self._resources.watch(FunctionAlias):
            alias = change.resource
            if alias is None:
                self._forget_all_but(told)
                self.synced.set()
                continue
            where = Key(alias.metadata.namespace, alias.spec.function)
            if change.kind == "present":
                told.add(alias.key)
                self._aliases[where][alias.spec.alias] = alias
            else:
                told.discard(alias.key)
                self._aliases[where].pop(alias.spec.alias, None)
            self._refresh(where)

    def _forget_all_but(self, told: set[Key]) -> None:
        for where, aliases in list(self._aliases.items()):
            self._aliases[where] = {k: one for k, one in aliases.items() if one.key in told}
            self._refresh(where)

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
        place = (where.namespace, account, function.function_name)
        if function.spec.url is not None:
            yield site_of_url(*place, None, function.spec.url)
        for name, alias in self._aliases[where].items():
            if alias.spec.url is not None:
                yield site_of_url(*place, name, alias.spec.url)


def account_of(function: Function | None) -> str | None:
    """Give a function's account as its ARN says it."""
    if function is None or not function.status.arn:
        return None
    named = parse_function_reference(function.status.arn)
    return named.account if named else None
