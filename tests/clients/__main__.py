"""`make clients`: every client tells the story, every tool does what it is for; two pages of it."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from .cluster import hear_on_a_cluster
from .environments import CLIENTS, ROOT, UnavailableError
from .pages import COVERAGE, clients_page, coverage_page
from .platform import running_platform
from .tools import TOOLS, use

if TYPE_CHECKING:
    from .story import Outcome

PAGE = ROOT / "docs" / "clients.md"


def main() -> int:
    """Run them one after the other; 1 where anything that was tried failed."""
    told: dict[tuple[str, str], list[Outcome]] = {}
    absent: dict[tuple[str, str], str] = {}
    with tempfile.TemporaryDirectory() as folder, running_platform(Path(folder)) as platform:
        for client in CLIENTS:
            try:
                told[client.name, client.version] = platform.hear(client)
            except UnavailableError as error:
                absent[client.name, client.version] = str(error)
            say(client.name, told.get((client.name, client.version), []))
        tools = [use(tool, platform) for tool in TOOLS]
        on_a_cluster = hear_all_on_a_cluster(Path(folder))
    for tool in tools:
        sys.stdout.write(f"{tool.name}: {tool.result}\n")
    PAGE.write_text(clients_page(told, absent, tools, on_a_cluster))
    COVERAGE.write_text(coverage_page(told))
    heard = (*told.values(), *on_a_cluster.values())
    failed = [one for outcomes in heard for one in outcomes if one.failed]
    return int(bool(failed) or any(tool.failed for tool in tools))


def hear_all_on_a_cluster(folder: Path) -> dict[tuple[str, str], list[Outcome]]:
    """Have every client that can be had everywhere tell it, where a cluster is given."""
    if "KUBECONFIG" not in os.environ:
        sys.stdout.write("no KUBECONFIG: nothing is told on a cluster\n")
        return {}
    told: dict[tuple[str, str], list[Outcome]] = {}
    for client in CLIENTS:
        if client.everywhere:
            with suppress(UnavailableError):  # said already
                told[client.name, client.version] = hear_on_a_cluster(client, folder)
                say(f"{client.name} on a cluster", told[client.name, client.version])
    return told


def say(name: str, outcomes: list[Outcome]) -> None:
    """Tell how a client fared."""
    passed = sum(one.passed for one in outcomes)
    sys.stdout.write(f"{name}: {passed} of {len(outcomes)} steps\n")
    for one in outcomes:
        if one.said:
            sys.stdout.write(f"  {one.step}: {one.said}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
