"""The pilot light of local mode: a first call is answered by a pod that waited, warm."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

import aiohttp

from pilotlight.resources import Function
from pilotlight.runtimes import OWN_PYTHON
from pilotlight.storage import LogQuery
from pilotlight_autoscaler.pools.decide import PoolKey
from pilotlight_local.platform import LocalPlatform
from pilotlight_local.settings import LocalSettings
from tests.support.dependency import COMPILED, package
from tests.support.platform import manifest

if TYPE_CHECKING:
    from pathlib import Path

CROWD = "/2015-03-31/functions/crowd/invocations"
TOGETHER_AT_ONCE = 4
TOGETHER = f"""
import os, pathlib, time
def handler(event, context):
    folder = pathlib.Path(event["folder"])
    (folder / f"here-{{os.getpid()}}").touch()
    while len(list(folder.glob("here-*"))) < {TOGETHER_AT_ONCE}:
        time.sleep(0.01)
    return os.environ["TMPDIR"]
"""
"""Answers once so many run at the same time."""
PYTHON = PoolKey("default", "python3.13")


async def test_a_first_call_takes_a_generic_pod(tmp_path: Path) -> None:
    platform = LocalPlatform(LocalSettings(state=tmp_path, port=0))
    await platform.start()
    try:
        async with aiohttp.ClientSession(platform.endpoint) as session:
            await _post(session, "/-/apply", manifest("warm"))
            await _until_warm(platform)
            waiting = platform._autoscaler.pools.pods()
            answer = await _post(session, "/2015-03-31/functions/warm/invocations", {})
        assert answer == "warm"
        taken = {lease.pod for lease in platform._autoscaler.capacity.leases_of("local")}
        assert len(taken) == 1
        assert taken <= waiting
    finally:
        await platform.stop()


async def test_environments_of_a_function_share_an_agent(tmp_path: Path) -> None:
    """Each has a TMPDIR of its own, and its lines are in the log once."""
    platform = LocalPlatform(LocalSettings(state=tmp_path, port=0))
    await platform.start()
    try:
        async with aiohttp.ClientSession(platform.endpoint) as session:
            await _post(session, "/-/apply", manifest("crowd", code={"inline": TOGETHER}))
            await _until_warm(platform)
            calls = [
                _post(session, CROWD, {"folder": str(tmp_path)}) for _ in range(TOGETHER_AT_ONCE)
            ]
            folders = set(await asyncio.gather(*calls))
        leases = platform._autoscaler.capacity.leases_of("local")
        async with asyncio.timeout(10):
            while len(await _lines(platform, "REPORT")) < TOGETHER_AT_ONCE:  # noqa: ASYNC110  stored in batches
                await asyncio.sleep(0.05)
        starts = await _lines(platform, "START")
    finally:
        await platform.stop()
    assert len({lease.pod for lease in leases}) == 1
    assert len(folders) == TOGETHER_AT_ONCE
    assert len(starts) == len(set(starts)) == TOGETHER_AT_ONCE


async def _lines(platform: LocalPlatform, beginning: str) -> list[str]:
    """Return lines of the log of `crowd`."""
    lines = await platform._logs.query(LogQuery("default", "crowd"))
    return [line.message for line in lines if line.message.startswith(beginning)]


async def test_a_package_is_imported_from_bytecode(tmp_path: Path) -> None:
    """Once it was compiled, beside everything else; CodeSha256 is still the package's own."""
    platform = LocalPlatform(LocalSettings(state=tmp_path, port=0))
    await platform.start()
    try:
        async with aiohttp.ClientSession(platform.endpoint) as session:
            made = await _post(session, "/2015-03-31/functions", {
                "FunctionName": "compiled", "Runtime": OWN_PYTHON, "Handler": "main.handler",
                "Role": "arn:aws:iam::000000000000:role/any", "Timeout": 10,
                "Code": {"ZipFile": base64.b64encode(package()).decode()},
            }, status=201)  # fmt: skip
            await _until_compiled(platform)
            answer = await _post(session, "/2015-03-31/functions/compiled/invocations", {})
        assert answer == COMPILED
        sha256 = hashlib.sha256(package()).digest()
        assert made["CodeSha256"] == base64.b64encode(sha256).decode()
    finally:
        await platform.stop()


async def test_the_one_page_of_metrics_has_all_parts(tmp_path: Path) -> None:
    """The gateway's and the autoscaler's: there is one port."""
    platform = LocalPlatform(LocalSettings(state=tmp_path, port=0))
    await platform.start()
    try:
        async with aiohttp.ClientSession(platform.endpoint) as session:
            await _post(session, "/-/apply", manifest("counted"))
            await _until_warm(platform)
            await _post(session, "/2015-03-31/functions/counted/invocations", {})
            async with session.get("/-/metrics") as response:
                text = await response.text()
        assert 'pilotlight_leases{namespace="default"} 1.0' in text
        assert 'pilotlight_pool_pods{namespace="default",runtime="python3.13"' in text
        assert 'pilotlight_invocations_total{function="counted"' in text
    finally:
        await platform.stop()


async def _until_compiled(platform: LocalPlatform) -> None:
    async with asyncio.timeout(30):
        while True:
            (function,) = await platform.resources.list(Function)
            served = function.status.configuration
            if served and platform._autoscaler.revisions.packages.of(served) != served.code_sha256:
                return
            await asyncio.sleep(0.05)


async def _until_warm(platform: LocalPlatform) -> None:
    async with asyncio.timeout(30):
        while platform._autoscaler.pools.sizes().get(PYTHON, (0, 0))[0] < 2:  # noqa: ASYNC110  processes start
            await asyncio.sleep(0.05)


async def _post(
    session: aiohttp.ClientSession, path: str, document: object, status: int = 200
) -> Any:
    async with session.post(path, data=json.dumps(document)) as answer:
        assert answer.status == status, await answer.text()
        return await answer.json()
