"""Aliases: what their condition says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pilotlight.resources import (
    AsyncConfig,
    FunctionAlias,
    FunctionAliasSpec,
    Key,
    ObjectMeta,
    ProvisionedStatus,
)
from pilotlight_operator.services.aliases import AliasService

if TYPE_CHECKING:
    from pilotlight.claims import RevisionKey

    from .conftest import Platform

ITSELF = "You can't specify the function as a destination for itself."
KEY = Key("team", "prod")


class Nothing:
    """Nothing is provisioned."""

    async def state(self, revision: RevisionKey) -> ProvisionedStatus:
        raise AssertionError(revision)


async def reconcile(platform: Platform) -> float | None:
    """Reconcile the alias, with all that was written known."""
    await platform.cache.refresh()
    return await AliasService(platform.cache, Nothing()).reconcile(KEY)


async def ready(platform: Platform, destination: str) -> tuple[str, str, str]:
    """Return what Ready says of an alias of $LATEST that kubectl made."""
    address = f"arn:aws:lambda:us-east-1:000000000000:function:{destination}"
    spec = FunctionAliasSpec(
        function="ring-1", alias="prod", version="$LATEST", async_=AsyncConfig(on_failure=address)
    )
    metadata = ObjectMeta(name="prod", namespace="team")
    await platform.resources.create(FunctionAlias(metadata=metadata, spec=spec))
    await reconcile(platform)
    found = (await platform.resources.get(FunctionAlias, KEY)).condition("Ready")
    assert found is not None
    return found.status, found.reason, found.message


@pytest.mark.parametrize("destination", ["Ring", "Ring:prod"])
async def test_its_own_function_is_no_destination(platform: Platform, destination: str) -> None:
    """The object has another name than the function has in Lambda."""
    await platform.apply("ring-1", functionName="Ring")
    status, reason, message = await ready(platform, destination)
    assert (status, reason, ITSELF in message) == ("False", "OwnDestination", True)


async def test_an_alias_of_no_function_is_not_ready(platform: Platform) -> None:
    """Until the function comes."""
    said = await ready(platform, "elsewhere")
    assert said == ("False", "FunctionNotFound", "there is no function 'ring-1'")
    await platform.apply("ring-1")
    again = await reconcile(platform)
    found = (await platform.resources.get(FunctionAlias, KEY)).condition("Ready")
    assert found is not None
    assert (found.status, again) == ("True", None)


async def test_another_function_is(platform: Platform) -> None:
    await platform.apply("ring-1", functionName="Ring")
    assert await ready(platform, "Rings") == ("True", "Serving", "version $LATEST is meant")
