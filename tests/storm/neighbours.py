"""What an account notices of another's bad days: a flood of cold functions, an image nowhere.

The neighbour has a function that is called at a constant rate, and now and then a first call:
alone, then beside each of them. Whoever is bad, the load and the platform share the node.
"""

from __future__ import annotations

import itertools
import math
import multiprocessing
import secrets
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.support.cluster import kubectl, wait_until
from tests.support.load import Load
from tests.support.weather import SOURCE, call

from .crowd import count_ready, make_crowd
from .result import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from multiprocessing.sharedctypes import Synchronized

    from tests.support.cluster import Installation

__all__ = ["run_neighbours"]

CALLS = 20.0
"""A second, of the neighbour's busy function."""
SECONDS, FIRST_SECONDS = 60.0, 3.0
"""Of each look, and between two first calls."""
CALLERS = 100
READY_SECONDS = 900.0
BACK_OFF_SECONDS = 1.0
"""As clients do; a hundred that do not are a load of their own on the node's processors."""
NOWHERE = "127.0.0.1:1/pilotlight/nothing:1"
TWICE = 2.0
Times = tuple[list[float], list[float], int]
"""Seconds of each call, of each first call, and how many failed."""
Days = dict[str, "AbstractContextManager[Callable[[], int]]"]
"""Each bad day, which counts its callers' answers."""


def run_neighbours(platform: Installation, functions: int) -> Result:
    """Look at the neighbour alone and beside each bad day; `functions`: of the flood."""
    result = Result(
        "neighbours",
        f"{CALLS:.0f} calls a second and a first call every {FIRST_SECONDS:.0f} s of one account "
        f"for {SECONDS:.0f} s, alone and beside another one's {CALLERS} callers: of a function "
        f"whose image is nowhere, then of {functions} functions by turns.",
    )
    bad = _other_account(platform)
    try:
        _have_bad_days(platform, bad, functions, result)
    finally:
        kubectl("delete", "namespace", bad.account, "--wait=false")
    return result


def _have_bad_days(
    platform: Installation, bad: Installation, functions: int, result: Result
) -> None:
    days: Days = {
        "nobody": nullcontext(int),
        "an image that cannot be pulled": _callers(bad, partial(_image_nowhere, bad)),
        f"{functions} cold functions": _callers(bad, partial(_flood, bad, functions)),
        "nobody, again": nullcontext(int),
    }
    platform.apply("busy", SOURCE)
    first = make_crowd(platform, "first", int(SECONDS / FIRST_SECONDS) * len(days))
    wait_until(lambda: count_ready(platform) == 1 + len(first), "all functions are ready")
    alone: Times | None = None
    for name, day in days.items():
        with day as count:
            before, seen = count(), _look(platform, first)
            others = f", {count() - before} of the others' answered"
        _judge(result, name, seen, alone, others)
        alone = alone or seen


def _look(platform: Installation, names: list[str]) -> Times:
    """Call the neighbour's functions; those that are called for the first time are used up."""
    client, first = platform.client(), list[float]()
    failed = 0
    call(client, "busy", 0)
    with Load(lambda number: call(client, "busy", number), per_second=CALLS) as load:
        end = time.monotonic() + SECONDS
        while (began := time.monotonic()) < end - FIRST_SECONDS:
            try:
                call(client, names.pop(), 1)
                first.append(time.monotonic() - began)
            except (ClientError, AssertionError):
                failed += 1
            time.sleep(max(0.0, began + FIRST_SECONDS - time.monotonic()))
    warm = [one.ended - one.began for one in load.calls if one.error is None]
    return warm, first, failed + len(load.failed)


def _judge(result: Result, beside: str, seen: Times, alone: Times | None, others: str) -> None:
    p99, first, failed = _p99(seen[0]), statistics.median(seen[1] or [math.inf]), seen[2]
    said = f"p50 {statistics.median(seen[0]) * 1000:.0f}, p99 {p99 * 1000:.0f}, first calls' p50 "
    said += f"{first * 1000:.0f} ms, {failed} failed"
    if alone is None:
        result.promise(f"beside {beside} no call fails", said, holds=not failed)
        return
    slower, later = p99 / _p99(alone[0]), first / statistics.median(alone[1])
    result.promise(
        f"beside {beside} no call fails, p99 and first calls at most double",
        f"{said}: {slower:.1f} and {later:.1f} times{others}",
        holds=not failed and slower <= TWICE and later <= TWICE,
    )


def _p99(times: list[float]) -> float:
    return statistics.quantiles(times, n=100)[98]


def _other_account(platform: Installation) -> Installation:
    bad = replace(
        platform, account=f"{platform.account}-bad",
        access_key="AKID" + secrets.token_hex(6).upper(), secret_key=secrets.token_hex(20),
    )  # fmt: skip
    bad.make_key("bad", bad.access_key, bad.secret_key)
    platform.upgrade(f"accounts={{{platform.account},{bad.account}}}")
    wait_until(lambda: bool(bad.account_id()), "the other account has its id")
    return bad


@contextmanager
def _callers(bad: Installation, prepare: Callable[[], list[str]]) -> Iterator[Callable[[], int]]:
    """Have callers in a process of their own, whose work does not delay what is measured."""
    context = multiprocessing.get_context("spawn")
    answered = context.Value("L")
    process = context.Process(target=_insist, args=(bad, prepare(), answered), daemon=True)
    process.start()
    try:
        yield lambda: int(answered.value)
    finally:
        process.kill()
        process.join()


def _insist(bad: Installation, names: list[str], answered: Synchronized[int]) -> None:
    """Call the next function each time, for ever, whatever comes of it."""
    config = Config(
        retries={"total_max_attempts": 1}, read_timeout=60, max_pool_connections=CALLERS
    )
    client, each = bad.client(config=config), itertools.cycle(names)

    def insist() -> None:
        while True:
            try:
                client.invoke(FunctionName=next(each), Payload=b"{}")["Payload"].read()
            except (ClientError, BotoCoreError):
                time.sleep(BACK_OFF_SECONDS)
                continue
            with answered.get_lock():
                answered.value += 1

    with ThreadPoolExecutor(CALLERS) as callers:
        for _ in range(CALLERS):
            callers.submit(insist)


def _image_nowhere(bad: Installation) -> list[str]:
    bad.client().create_function(
        FunctionName="nowhere", PackageType="Image", Code={"ImageUri": NOWHERE},
        Role="arn:aws:iam::000000000000:role/any", ImageConfig={"EntryPoint": ["/main"]},
    )  # fmt: skip
    return ["nowhere"]


def _flood(bad: Installation, functions: int) -> list[str]:
    """Make so many functions, and name them once all are ready."""
    others, names = count_ready(bad), make_crowd(bad, "cold", functions)
    wait_until(lambda: count_ready(bad) == others + functions, "they are ready", READY_SECONDS)
    return names
