"""aioboto3."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import aioboto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

from .lines import asked, decoded, refusal, say

RETRIES = Config(retries={"mode": "standard", "total_max_attempts": 8})


async def answer(client: Any, line: dict[str, Any]) -> dict[str, Any]:
    """Do what a line asks for."""
    given, name = decoded(line["input"]), xform_name(line["operation"])
    if line["do"] == "call" and not hasattr(client, name):
        return {"missing": f"its botocore has no {line['operation']}"}
    try:
        match line["do"]:
            case "wait":
                await client.get_waiter(name).wait(**given, WaiterConfig={"Delay": 0.1})
                return {"output": {}}
            case "pages":
                pages = client.get_paginator(name).paginate(**given)
                return {"output": [page async for page in pages]}
            case _:
                return {"output": await read(await getattr(client, name)(**given))}
    except ClientError as error:
        return refusal(error.response)


async def read(output: dict[str, Any]) -> dict[str, Any]:
    """Read what an answer has of streams."""
    if "EventStream" in output:
        output["EventStream"] = [event async for event in output["EventStream"]]
    if "Payload" in output:
        output["Payload"] = await output["Payload"].read()
    return output


async def main() -> None:
    """Answer each line."""
    clients: dict[str, Any] = {}
    async with AsyncExitStack() as open_clients:
        for line in asked():
            key = line["key"]
            if key not in clients:
                session = aioboto3.Session(aws_access_key_id=key, aws_secret_access_key="test")
                made = session.client("lambda", config=RETRIES)
                clients[key] = await open_clients.enter_async_context(made)
            say(await answer(clients[key], line))


if __name__ == "__main__":
    asyncio.run(main())
