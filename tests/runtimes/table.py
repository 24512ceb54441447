"""`make runtimes`: the contract on every language that is here, and docs/runtimes.md of what held.

Outside of CI, which tries Python and Node.js: the others need compilers, and minutes. With
`PILOTLIGHT_CONFORMANCE=cluster` agents are pods, of the images on the nodes.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pilotlight.errors import StartFailedError
from tests.runtimes import languages
from tests.support.cluster import kubectl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.runtimes.languages import Language

__all__ = ["main"]

PAGE = Path(__file__).parents[2] / "docs" / "runtimes.md"
TESTS = Path(__file__).with_name("test_conformance.py")
WEB_ADAPTER = Path(__file__).with_name("test_web_adapter.py")
POWERTOOLS = Path(__file__).with_name("test_powertools.py")
"""Tried as well, and on no page: they have no row for each language."""
ASK = {
    "go": ["go", "version"],
    "rust": ["rustc", "--version"],
    "php": ["php", "--version"],
    "shell": ["curl", "--version"],
}
"""How what a bootstrap is built or run with says its version."""
SIGNS = {"passed": "yes", "skipped": "-", "failed": "NO"}
HEAD = """# Runtimes, tried

Made by `make runtimes`: every test of the [contract](../runtime-images/CONTRACT.md) for every
language that was there, on a real agent. The functions are in `runtime-images/conformance`: one for
each case and managed language, and one bootstrap of all cases for each language on
`provided.al2023`. *yes*: it holds. *-*: the language lacks the case. *waiting*: of a process that
was there before its function was known.

"""
LOCALLY = """## As processes

{day}, {machine}.

| runtime | run or built with |
| --- | --- |
"""
IN_PODS = """## On a cluster

{day}, {machine}, Kubernetes {kubernetes}: each test in a pod of its own, of the platform's
manifest for generic pods.

| runtime | image |
| --- | --- |
"""
MARKER = "<!-- in pods -->\n"
"""Parts what is tried as processes from what is in pods."""


class Outcomes:
    """A plugin of pytest's that keeps what came of each test, by its name and language."""

    def __init__(self) -> None:
        self.of: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the outcome of a test, or of a set-up that did not let it run."""
        if report.when == "call" or not report.passed:
            name, _, parameters = report.nodeid.partition("::")[2].partition("[")
            language = next(
                (one.name for one in (*languages.EVERYWHERE, *languages.ASKED_FOR)
                 if re.match(re.escape(one.name) + r"[-\]]", parameters)), "",
            )  # fmt: skip
            self.of[name][language].add(report.outcome)


def main() -> int:
    """Run the contract and write the half of the page that is of it; gives pytest's exit status."""
    there = {one.name: version for one in languages.ASKED_FOR if (version := version_of(one))}
    os.environ["PILOTLIGHT_RUNTIMES"] = " ".join(there)
    asked = [one for one in languages.ASKED_FOR if one.name in there]
    languages.LANGUAGES[:] = [*languages.EVERYWHERE, *asked]
    outcomes = Outcomes()
    status = tried(TESTS, plugin=outcomes)
    versions = {one.name: version_of(one) for one in languages.EVERYWHERE} | there
    locally, _, in_pods = PAGE.read_text().removeprefix(HEAD).partition(MARKER)
    if languages.ON_CLUSTER:
        PAGE.write_text(HEAD + locally + MARKER + half(IN_PODS, versions, outcomes))
        return status or tried(WEB_ADAPTER)
    PAGE.write_text(HEAD + half(LOCALLY, versions, outcomes) + "\n" + MARKER + in_pods)
    return status or tried(POWERTOOLS, WEB_ADAPTER)


def tried(*tests: Path, plugin: Outcomes | None = None) -> int:
    """Run tests; gives pytest's exit status."""
    words = ["-q", "-p", "no:randomly", "--timeout", "900", *map(str, tests)]
    return int(pytest.main(words, [plugin] if plugin else []))


def version_of(language: Language) -> str:
    """Return what runs or builds a language here; empty where nothing does."""
    if languages.ON_CLUSTER:
        return language.image
    own = language.name.rpartition("-")[2]
    try:
        command = ASK.get(own) or [language.interpreter, "--version"]
        said = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    except (OSError, subprocess.SubprocessError, StartFailedError, pytest.skip.Exception) as error:
        sys.stderr.write(f"{language.name} is left out: {error}\n")
        return ""
    return said.splitlines()[0].partition(" (")[0]


def half(head: str, versions: Mapping[str, str], outcomes: Outcomes) -> str:
    """Return half of the page: what was tried, and a row for each promise."""
    names = list(versions)
    machine = f"{platform.freedesktop_os_release()['PRETTY_NAME']} with {os.cpu_count()} cores"
    kubernetes = _kubernetes() if languages.ON_CLUSTER else ""
    lines = [head.format(day=time.strftime("%Y-%m-%d"), machine=machine, kubernetes=kubernetes)]
    lines[0] = lines[0].rstrip()
    lines += [f"| {name} | {version} |" for name, version in versions.items()]
    short = [name.removeprefix("provided.al2023-") for name in names]
    lines += ["", f"| promise | {' | '.join(short)} |", f"| --- |{' --- |' * len(names)}"]
    for test, told in outcomes.of.items():
        signs = (sign(told.get(name, {"skipped"})) for name in names)
        lines.append(f"| `{test}` | {' | '.join(signs)} |")
    return "\n".join(lines) + "\n"


def _kubernetes() -> str:
    version: str = json.loads(kubectl("version", "-o", "json"))["serverVersion"]["gitVersion"]
    return version


def sign(outcomes: set[str]) -> str:
    """Return the worst of a test's outcomes."""
    return next(SIGNS[one] for one in ("failed", "passed", "skipped") if one in outcomes)


if __name__ == "__main__":
    sys.exit(main())
