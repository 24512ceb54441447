"""What stands in for modules' functions while a seed runs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import secrets
import uuid
from typing import TYPE_CHECKING
from unittest import mock

import structlog

from pilotlight_gateway.events import dispatcher as events
from pilotlight_gateway.invocation.dispatch import agent_events, environment
from pilotlight_operator.storage import pod_start

from .processes import Reader, current

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pilotlight.agent.invoke import Answer, Invocation, Permit

    from .cluster import Agent

__all__ = ["replaced"]

KNOCK_SECONDS = 0.1


@contextlib.contextmanager
def replaced(seed: int) -> Iterator[None]:
    """Have modules reach the model's agents, and nothing be by chance but by the seed."""
    random.seed(seed)
    names = random.Random(seed)

    async def connect(host: str, port: int) -> Agent:
        del port
        found = current[-1].agents.get(host)
        if found is None or not found.alive:
            raise OSError("nobody is there")
        return found

    async def invoke(agent: Agent, invocation: Invocation, permit: Permit) -> Answer:
        return await current[-1].invoke(agent, invocation, permit)

    async def ready(host: str, port: int) -> None:
        while True:
            with contextlib.suppress(OSError):
                await connect(host, port)
                return
            await asyncio.sleep(KNOCK_SECONDS)

    quiet = structlog.make_filtering_bound_logger(logging.CRITICAL)
    with contextlib.ExitStack() as stack:
        for module, name, stand_in in [
            (environment, "connect", connect),
            (environment, "invoke", invoke),
            (agent_events, "EventReader", Reader),
            (events, "Destinations", mock.Mock()),
            (pod_start, "wait_until_ready", ready),
            (secrets, "token_hex", lambda size: f"{names.getrandbits(8 * size):x}"),
            (uuid, "uuid4", lambda: uuid.UUID(int=names.getrandbits(128))),
        ]:
            stack.enter_context(mock.patch.object(module, name, stand_in))
        before = structlog.get_config()
        structlog.configure(wrapper_class=quiet, cache_logger_on_first_use=False)
        stack.callback(structlog.configure, **before)
        yield
