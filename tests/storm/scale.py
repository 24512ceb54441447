"""A thousand functions, and callers for three hundred pods, with two gateways and two operators."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.config import Config

from tests.support.cluster import kubectl, seconds_until
from tests.support.node_processes import processes
from tests.support.weather import Watch, insist, is_answered, kinds, most_made, restarts

from .crowd import count_ready, make_crowd
from .result import Result

if TYPE_CHECKING:
    from tests.support.cluster import Installation

__all__ = ["run_scale"]

FUNCTIONS, PODS = 1000, 300
DEMAND_SECONDS = 120.0
READY_SECONDS, LIST_SECONDS, BACK_SECONDS, FIRST_SECONDS = 300.0, 10.0, 60.0, 30.0
"""For all functions to be Ready; to list them; for a part to be back; for a first call."""
MEGABYTES = 400
"""What a gateway or an operator may take."""


def run_scale(platform: Installation) -> Result:
    """Make them, call them and end each part once; say what that took."""
    result = Result(
        "scale",
        f"{FUNCTIONS} functions, then {PODS} callers of as many of them for "
        f"{DEMAND_SECONDS:.0f} s, with two gateways and two operators.",
    )
    began = time.monotonic()
    make_crowd(platform, "many", FUNCTIONS)
    applied = time.monotonic() - began
    took = applied + seconds_until(lambda: count_ready(platform) == FUNCTIONS, READY_SECONDS)
    result.promise(
        f"all are Ready within {READY_SECONDS:.0f} s",
        f"after {took:.0f} s, of which kubectl took {applied:.0f} s", holds=took <= READY_SECONDS,
    )  # fmt: skip
    _judge_list(platform, result)
    _judge_first_call(platform, result, "before anything else is called", FUNCTIONS - 1)
    _judge_demand(platform, result)
    _judge_memory(platform, result)
    for component in ("gateway", "operator"):
        _judge_restart(platform, result, component)
    _judge_first_call(platform, result, "after each part was new", FUNCTIONS - 2)
    return result


def _name(number: int) -> str:
    return f"many-{number}"


def _judge_list(platform: Installation, result: Result) -> None:
    began, names = time.monotonic(), set[str]()
    for page in platform.client().get_paginator("list_functions").paginate():
        names |= {one["FunctionName"] for one in page["Functions"]}
    took = time.monotonic() - began
    result.promise(
        f"ListFunctions names them all within {LIST_SECONDS:.0f} s",
        f"{len(names)} in {took:.1f} s",
        holds=len(names) == FUNCTIONS and took <= LIST_SECONDS,
    )


def _judge_first_call(platform: Installation, result: Result, when: str, number: int) -> None:
    took = seconds_until(lambda: is_answered(platform, _name(number)), FIRST_SECONDS)
    result.promise(
        f"a first call is answered {when}",
        f"after {took * 1000:.0f} ms",
        holds=took < FIRST_SECONDS,
    )


def _judge_demand(platform: Installation, result: Result) -> None:
    config = Config(
        retries={"total_max_attempts": 1}, read_timeout=60, max_pool_connections=PODS + 10
    )
    client = platform.client(config=config)
    before, end = restarts(platform), time.monotonic() + DEMAND_SECONDS
    with ThreadPoolExecutor(PODS) as callers, Watch(platform) as watch:
        calls = [callers.submit(insist, client, _name(number), end) for number in range(PODS)]
        outcomes = [one.exception() or one.result() for one in calls]
    answered = [one for one in outcomes if isinstance(one, int)]
    cut = [one for one in outcomes if not isinstance(one, int)]
    reached = sum(one > 0 for one in answered)
    result.promise(
        "callers are answered or throttled, and read nothing else",
        f"{sum(answered)} calls of {reached} functions, {len(cut)} callers read {kinds(cut)}"
        if cut else f"{sum(answered)} calls of {reached} functions",
        holds=not cut and bool(reached),
    )  # fmt: skip
    result.promise(
        f"at most {most_made()} pods are made at once",
        watch.most_starting,
        holds=watch.most_starting <= most_made(),
    )
    changed = restarts(platform) != before
    result.promise(
        "nothing of the platform is restarted, and its leader stays",
        f"{len(watch.leaders)} leader(s)", holds=not changed and len(watch.leaders) <= 1,
    )  # fmt: skip


def _judge_memory(platform: Installation, result: Result) -> None:
    for component in ("gateway", "operator"):
        taken = [_megabytes(pod) for pod in _pods(platform, component)]
        result.promise(
            f"each {component} takes less than {MEGABYTES} MB",
            ", ".join(f"{one:.0f} MB" for one in taken),
            holds=max(taken) < MEGABYTES,
        )


def _judge_restart(platform: Installation, result: Result, component: str) -> None:
    """Delete both pods of a part, and wait until there are two new ones and a call is answered."""
    began, gone = time.monotonic(), {one["metadata"]["uid"] for one in _pods(platform, component)}
    selector = f"app.kubernetes.io/component={component}"
    kubectl("delete", "pods", "-n", platform.namespace, "-l", selector, "--wait=false")
    deleted = time.monotonic() - began
    took = deleted + seconds_until(
        lambda: _are_new(_pods(platform, component), gone) and is_answered(platform, _name(0)),
        BACK_SECONDS,
    )
    result.promise(
        f"both {component}s deleted at once are back within {BACK_SECONDS:.0f} s",
        f"after {took:.0f} s", holds=took <= BACK_SECONDS,
    )  # fmt: skip


def _are_new(pods: list[dict[str, Any]], gone: set[str]) -> bool:
    ready = [
        pod["metadata"]["uid"]
        for pod in pods
        for condition in pod["status"].get("conditions", ())
        if condition["type"] == "Ready" and condition["status"] == "True"
    ]
    return len(ready) == 2 and gone.isdisjoint(ready)  # as `installed` has them


def _pods(platform: Installation, component: str) -> list[dict[str, Any]]:
    selector = f"app.kubernetes.io/component={component}"
    found = kubectl("get", "pods", "-n", platform.namespace, "-l", selector, "-o", "json")
    pods: list[dict[str, Any]] = json.loads(found)["items"]
    return [one for one in pods if "deletionTimestamp" not in one["metadata"]]


def _megabytes(pod: dict[str, Any]) -> float:
    """Return what a pod's processes take: private memory, and their share of what is shared."""
    rollups = [
        Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in processes(pod["metadata"]["uid"])
    ]
    lines = [line for text in rollups for line in text.splitlines() if line.startswith("Pss:")]
    return sum(int(line.split()[1]) for line in lines) / 1024
