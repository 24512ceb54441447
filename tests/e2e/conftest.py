"""One installation of the chart for the whole run, on the cluster of KUBECONFIG."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.cluster import Installation, find_helm, installed

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark this folder's tests; the first one waits for the installation."""
    for item in items:
        if "tests/e2e" in str(item.path):
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.timeout(400))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the platform said beside a test that failed."""
    report = yield
    installation = getattr(item, "funcargs", {}).get("platform")
    if report.failed and call.when == "call" and isinstance(installation, Installation):
        report.sections.append(("operator and gateway", installation.logs()))
    return report


@pytest.fixture(scope="session")
def platform() -> Iterator[Installation]:
    """Return the installation; without a cluster skip, but fail in CI."""
    missing = _missing()
    if missing and os.environ.get("CI"):
        pytest.fail(f"CI runs the end-to-end tests: {missing}")
    if missing:
        pytest.skip(f"END-TO-END TESTS ON KUBERNETES DID NOT RUN: {missing}")
    with installed() as installation:
        yield installation


def _missing() -> str | None:
    if not os.environ.get("KUBECONFIG"):
        return "KUBECONFIG is not set"
    if shutil.which("kubectl") is None:
        return "kubectl is not there"
    return None if find_helm() else "helm is not there: set HELM"
