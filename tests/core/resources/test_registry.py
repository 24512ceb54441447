"""The table of kinds: what is said of each is enough for everybody who reads it."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from pilotlight.resources.registry import CUSTOM_KINDS, KINDS

if TYPE_CHECKING:
    from pilotlight.resources import Resource


@pytest.mark.parametrize("kind", CUSTOM_KINDS.values(), ids=CUSTOM_KINDS)
def test_a_kind_says_all_that_its_crd_and_its_endpoints_need(kind: type[Resource]) -> None:
    assert kind.plural == kind.plural.lower()
    assert kind.short_names
    assert kind.columns[-1].name == "Age"
    assert "spec" in kind.model_fields
    assert not (kind.listed and kind.cluster_scoped), "an account lists what is its own"


def test_names_are_given_once() -> None:
    names = [name for kind in KINDS.values() for name in (kind.plural, *kind.short_names)]
    assert len(set(names)) == len(names)


def test_what_others_refer_to_is_applied_first() -> None:
    wanted = ("Runtime", "Secret", "Function", "FunctionVersion", "FunctionAlias", "Route")
    order = list(KINDS)
    assert all(order.index(one) < order.index(other) for one, other in pairwise(wanted))
