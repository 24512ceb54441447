"""What functions may take of an account of 1,000: together at most 900."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pilotlight.cache import Cache
from pilotlight.resources import (
    Code,
    Configuration,
    Function,
    FunctionAlias,
    FunctionAliasSpec,
    FunctionSpec,
    FunctionVersion,
    FunctionVersionSpec,
    Key,
    ObjectMeta,
)
from pilotlight_gateway.apis.lambda_.unreserved import check_provision, check_reservation
from pilotlight_gateway.errors import InvalidParameterValueError
from pilotlight_gateway.settings import Settings
from tests.support.memory import MemoryResources

CONFIGURATION = Configuration(
    runtime="python3.13", handler="a.b", code_sha256="0" * 64, memory=128, timeout=3,
    ephemeral_storage=512,
)  # fmt: skip


class Account:
    """A store with functions, and what a check needs of the gateway."""

    def __init__(self) -> None:
        cache = Cache(MemoryResources(), Function, FunctionVersion, FunctionAlias)
        self.resources = cache.resources
        settings = Settings("us-east-1", b"k", concurrency_limit=1000)
        self.services: Any = SimpleNamespace(cache=cache, settings=settings)

    async def add(self, name: str, *, reserved: int | None = None, provisioned: int = 0) -> None:
        """Add a function with version 1 and an alias, each with half of what is provisioned."""
        spec = FunctionSpec(
            runtime="python3.13", handler="a.b", code=Code(inline="x"),
            reserved_concurrency=reserved,
        )  # fmt: skip
        await self.resources.create(Function(metadata=_named(name), spec=spec))
        half = provisioned // 2 or None
        version = FunctionVersionSpec(
            function=name, function_name=name, version=1, configuration=CONFIGURATION, code_size=1,
            revision="r", provisioned_concurrency=half,
        )  # fmt: skip
        alias = FunctionAliasSpec(
            function=name, alias="live", version="2", provisioned_concurrency=half
        )
        await self.resources.create(FunctionVersion(metadata=_named(f"{name}-v1"), spec=version))
        await self.resources.create(FunctionAlias(metadata=_named(f"{name}-live"), spec=alias))

    def allows(self, name: str, wanted: int) -> bool:
        """Whether a function may take so much, reserved or provisioned, which is alike."""
        key = Key("default", name)
        refusals = 0
        for check in (check_provision, check_reservation):
            try:
                check(self.services, key, wanted)
            except InvalidParameterValueError:
                refusals += 1
        assert refusals in {0, 2}
        return refusals == 0


def _named(name: str) -> ObjectMeta:
    return ObjectMeta(name=name, namespace="default")


@pytest.mark.parametrize(
    ("others", "most"),
    [
        ([], 900),
        ([{"reserved": 300}], 600),
        ([{"provisioned": 200}], 700),
        ([{"reserved": 300, "provisioned": 200}], 600),  # the reservation contains it
        ([{"reserved": 0, "provisioned": 200}], 900),
        ([{"reserved": 300}, {"provisioned": 200}], 400),
    ],
)
async def test_what_others_take_is_not_there(others: list[dict[str, int]], most: int) -> None:
    account = Account()
    await account.add("own")
    for number, other in enumerate(others):
        await account.add(f"other-{number}", **other)
    assert account.allows("own", most)
    assert not account.allows("own", most + 1)


async def test_what_a_function_takes_already_is_replaced_and_not_added() -> None:
    account = Account()
    await account.add("reserving", reserved=500)
    await account.add("provisioned", provisioned=200)
    assert account.allows("reserving", 700)
    assert not account.allows("reserving", 701)
    assert account.allows("provisioned", 400)
    assert not account.allows("provisioned", 401)


async def test_less_may_be_taken_however_full_the_account_is() -> None:
    account = Account()
    await account.add("large", reserved=980)
    await account.add("idle")
    assert account.allows("large", 970)
    assert account.allows("idle", 0)
    assert not account.allows("idle", 1)


async def test_the_text_is_lambdas() -> None:
    account = Account()
    await account.add("greedy")
    with pytest.raises(InvalidParameterValueError) as refused:
        check_reservation(account.services, Key("default", "greedy"), 901)
    assert refused.value.message == (
        "Specified ReservedConcurrentExecutions for function decreases account's "
        "UnreservedConcurrentExecution below its minimum value of [100]."
    )
