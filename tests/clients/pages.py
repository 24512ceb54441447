"""docs/clients.md and docs/coverage.md, from what came of the story."""

from __future__ import annotations

import os
import platform
import re
import time
from typing import TYPE_CHECKING

from pilotlight_gateway.apis.lambda_.model import load_model

from .environments import ROOT
from .steps import STEPS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .story import Outcome
    from .tools import ToolOutcome

__all__ = ["COVERAGE", "clients_page", "counted", "coverage_page", "sign"]

COVERAGE = ROOT / "docs" / "coverage.md"
CLIENTS_HEAD = """# Clients and tools, tried

Made by `make clients` on {day}, on {machine}:
each client unchanged, at the version that is pinned in [`tests/clients`](../tests/clients), in an
environment of its own, against one platform in local mode. *yes*: all that the step promises was
so. *-*: the client has no such call; of the SDK for Rust the driver has not all. *NO*: it was not
so. What Terraform's provider calls, and in which order, boto3 calls: no package registry has the
provider itself.

## One story, told by each client

| client | version | steps passed | has no call for |
| --- | --- | --- | --- |
"""
CLUSTER_HEAD = """
## On a cluster

Two gateways, two operators, an account of each client's own; those steps that share no file with a
function and want neither a queue, another account, nor a name for each function's URL.

| client | version | steps passed | has no call for |
| --- | --- | --- | --- |
"""
COVERAGE_HEAD = """# Lambda's operations, seen

Made by `make clients` on {day}. An operation counts once a client was answered with success in a
step of the [story](../tests/clients/steps.py) that passed, and the step asserts what the operation
did. What answers 501 stands in [unsupported.md](unsupported.md).

**{seen} of {all} operations.**

| operation | clients | seen by |
| --- | --- | --- |
"""


def clients_page(
    told: Mapping[tuple[str, str], Sequence[Outcome]],
    absent: Mapping[tuple[str, str], str],
    tools: Sequence[ToolOutcome],
    on_a_cluster: Mapping[tuple[str, str], Sequence[Outcome]],
) -> str:
    """Return the page of clients: who passed which step, who could not be had, and the tools."""
    machine = f"{platform.freedesktop_os_release()['PRETTY_NAME']} with {os.cpu_count()} cores"
    lines = [CLIENTS_HEAD.format(day=time.strftime("%Y-%m-%d"), machine=machine).rstrip()]
    lines += [_summary(client, outcomes) for client, outcomes in told.items()]
    lines += [
        f"| {name} | {version} | not had here: {plain(why)} | |"
        for (name, version), why in absent.items()
    ]
    names = [name for name, _ in told]
    lines += ["", f"| step | promise | {' | '.join(names)} |"]
    lines.append(f"| --- | --- |{' --- |' * len(names)}")
    for number, step in enumerate(STEPS):
        signs = (sign(outcomes[number]) for outcomes in told.values())
        lines.append(f"| `{step.__name__}` | {plain(step.__doc__ or '')} | {' | '.join(signs)} |")
    if on_a_cluster:
        lines.append(CLUSTER_HEAD.rstrip())
        lines += [_summary(client, outcomes) for client, outcomes in on_a_cluster.items()]
    lines += ["", "## Tools", "", "| tool | version | what it did | |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {one.name} | {one.version} | {plain(one.did)} | {plain(one.result)} |" for one in tools
    ]
    return "\n".join(lines) + "\n"


def _summary(client: tuple[str, str], outcomes: Sequence[Outcome]) -> str:
    name, version = client
    lacking = ", ".join(f"`{one.step}`" for one in outcomes if one.lacks)
    passed = sum(one.passed for one in outcomes)
    return f"| {name} | {version} | {passed} of {len(outcomes)} | {lacking} |"


def coverage_page(told: Mapping[tuple[str, str], Sequence[Outcome]]) -> str:
    """Return the page of operations and who saw each."""
    seen = {name: counted(outcomes) for (name, _), outcomes in told.items()}
    operations = sorted(load_model().operations)
    rows = []
    for operation in operations:
        names = [name for name, those in seen.items() if operation in those]
        rows.append(f"| `{operation}` | {len(names)} | {', '.join(names)} |")
    count = len(set().union(*seen.values()) & set(operations))
    day = time.strftime("%Y-%m-%d")
    head = COVERAGE_HEAD.format(day=day, seen=count, all=len(operations))
    return head + "\n".join(rows) + "\n"


def counted(outcomes: Sequence[Outcome]) -> frozenset[str]:
    """Return the operations of the steps that passed."""
    return frozenset().union(*(one.operations for one in outcomes if one.passed))


def sign(outcome: Outcome) -> str:
    """Return how a step's outcome is told."""
    return "yes" if outcome.passed else "-" if outcome.lacks else "NO"


def plain(text: str) -> str:
    """Return a text that fits a table's cell."""
    return re.sub(r"\s+", " ", text).replace("|", "\\|").strip().rstrip(".")[:300]
