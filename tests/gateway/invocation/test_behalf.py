"""The platform's own invocations: nothing must allow them, and a statement may deny them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pilotlight.accounts import Accounts
from pilotlight.cache import Cache
from pilotlight.names import ACCOUNT_LABEL
from pilotlight.resources import (
    Code,
    Function,
    FunctionAlias,
    FunctionSpec,
    FunctionVersion,
    LogGroup,
    LogGroupSpec,
    Namespace,
    ObjectMeta,
    PolicyStatement,
    SubscriptionFilter,
)
from pilotlight.storage import LogLine
from pilotlight_gateway.errors import AccessDeniedError
from pilotlight_gateway.event_queue.interface import Event, FunctionKey
from pilotlight_gateway.events.delivery import Destination, UndeliveredError
from pilotlight_gateway.events.destinations.function import FunctionDestination
from pilotlight_gateway.events.record import InvocationRecord
from pilotlight_gateway.identifiers import new_request_id, new_trace_id
from pilotlight_gateway.invocation.behalf import as_service
from pilotlight_gateway.invocation.catalogue import Catalogue
from pilotlight_gateway.invocation.invocation import Invocation
from pilotlight_gateway.invocation.invoker import Invoker
from pilotlight_gateway.invocation.published import Published
from pilotlight_gateway.invocation.reference import Reference
from pilotlight_gateway.invocation.targets import Targets
from pilotlight_gateway.logs.groups import LogGroups
from pilotlight_gateway.logs.subscriptions import Subscriptions
from pilotlight_gateway.metrics import Metrics
from tests.support.following import following
from tests.support.memory import MemoryResources
from tests.support.memory_event_queue import MemoryEventQueue

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ACCOUNT, REGION = "111122223333", "us-east-1"
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:told"
REFERENCE = Reference("default", ACCOUNT, REGION, "told", None)
GROUP = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/own:*"


class World:
    """A function that others invoke, a queue and a store."""

    def __init__(self) -> None:
        self.queue = MemoryEventQueue()
        self.cache = Cache(
            MemoryResources(), Namespace, Function, FunctionVersion, FunctionAlias, LogGroup
        )
        self.catalogue = Catalogue(self.cache)
        self.invoker = Invoker(
            targets=Targets(self.catalogue, Published(self.cache)),
            dispatcher=None,  # type: ignore[arg-type]  # nobody waits for an answer
            queue=self.queue,
            metrics=Metrics().invocations,
        )

    async def start(self) -> None:
        labels = {ACCOUNT_LABEL: ACCOUNT}
        create = self.cache.resources.create
        await create(Namespace(metadata=ObjectMeta(name="default", labels=labels)))
        self.function = await create(
            Function(metadata=ObjectMeta(name="told", namespace="default"), spec=spec())
        )

    async def deny(self, principal: dict[str, list[str]], **conditions: Any) -> None:
        """Give the function a policy that denies."""
        statement = PolicyStatement(
            sid="one", effect="Deny", principals=principal,
            actions=["lambda:InvokeFunction"], conditions=conditions,
        )  # fmt: skip
        update = {"policy": [statement]}
        changed = {"spec": self.function.spec.model_copy(update=update)}
        self.function = await self.cache.resources.replace(self.function.model_copy(update=changed))

    async def waiting(self) -> int:
        return (await self.queue.counts(FunctionKey("default", "told"))).waiting


def spec() -> FunctionSpec:
    return FunctionSpec(runtime="python3.13", handler="a.b", code=Code(inline="x"))


@pytest.fixture
async def world() -> AsyncIterator[World]:
    found = World()
    async with following(found.cache):
        await found.start()
        yield found


async def enqueue(world: World, service: str = "s3.amazonaws.com", source: str = "a") -> None:
    behalf = as_service(service, f"arn:aws:s3:::{source}", ACCOUNT)
    invocation = Invocation(new_request_id(), ARN, new_trace_id(), b"{}")
    await world.invoker.enqueue(REFERENCE, invocation, behalf=behalf)


async def test_a_service_and_its_source_can_be_denied(world: World) -> None:
    await enqueue(world)
    buckets = {"aws:SourceArn": ["arn:*:s3:::b*"]}
    await world.deny({"Service": ["s3.amazonaws.com"]}, ArnLike=buckets)
    await enqueue(world)
    await enqueue(world, service="sns.amazonaws.com", source="b")
    with pytest.raises(AccessDeniedError) as refused:
        await enqueue(world, source="bucket")
    assert refused.value.message == (
        "User: s3.amazonaws.com is not authorized to perform: lambda:InvokeFunction on resource: "
        f"{ARN} with an explicit deny in a resource-based policy"
    )
    assert await world.waiting() == 3


async def test_a_deny_of_everybody_is_of_services_too(world: World) -> None:
    """Unless a condition leaves them out, as AWS's policies do."""
    await world.deny({"AWS": ["*"]}, Null={"aws:SourceArn": ["true"]})
    await enqueue(world)
    await world.deny({"AWS": ["*"]})
    with pytest.raises(AccessDeniedError):
        await enqueue(world)


async def test_a_destination_is_invoked_as_its_function(world: World) -> None:
    """What is denied is told as any record that could not be delivered."""
    event = Event(
        id="e", account=ACCOUNT, namespace="default", function="teller", qualifier="",
        payload=b"{}", trace_id="", enqueued_at=0, due_at=0, expires_at=9, hold_seconds=9,
    )  # fmt: skip
    record, told = InvocationRecord(event, "Success", "", 1, 5.5), Destination(ARN)
    destination = FunctionDestination(REGION, world.invoker)
    await destination.deliver(record, told)
    await world.deny({"AWS": [f"arn:aws:sts::{ACCOUNT}:assumed-role/function/other"]})
    await destination.deliver(record, told)
    await world.deny({"AWS": [f"arn:aws:sts::{ACCOUNT}:assumed-role/function/teller"]})
    with pytest.raises(UndeliveredError, match="function/teller is not authorized"):
        await destination.deliver(record, told)


async def test_a_subscription_is_cloudwatch_logs(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    logging = spec().logging.model_copy(update={"group": "/own"})
    logs = spec().model_copy(update={"logging": logging})
    await world.cache.resources.create(
        Function(metadata=ObjectMeta(name="logs", namespace="default"), spec=logs)
    )
    one = SubscriptionFilter(name="f", pattern="", function="told")
    group = LogGroupSpec(name="/own", subscription_filters=[one])
    await world.cache.resources.create(
        LogGroup(metadata=ObjectMeta(name="own", namespace="default"), spec=group)
    )
    groups = LogGroups(world.cache, world.catalogue)
    subscriptions = Subscriptions(groups, world.invoker, Accounts(world.cache), REGION)
    line = LogLine(1.0, "default", "logs", "s", "r", "hello")
    await subscriptions.deliver([line])
    assert await world.waiting() == 1
    await world.deny(
        {"Service": ["logs.amazonaws.com"]}, ArnEquals={"aws:SourceArn": [GROUP]},
        StringEquals={"aws:SourceAccount": [ACCOUNT]},
    )  # fmt: skip
    await subscriptions.deliver([line])
    assert await world.waiting() == 1
    assert "logs.amazonaws.com is not authorized" in capsys.readouterr().out
