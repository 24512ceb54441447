"""What admins are told to watch is what is counted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

from pilotlight_cli.metrics_page import exposed, render
from tests.chart.test_chart import program
from tests.chart.test_chart import render as render_chart
from tests.support.cluster import CHART

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["program"]

DOCS = CHART.parents[1] / "docs"
ALERTS: dict[str, Any] = yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())


def test_the_page_of_metrics_is_current() -> None:
    assert (DOCS / "metrics.md").read_text() == render(), "run: make docs"


def test_alerts_ask_for_metrics_that_there_are() -> None:
    """A name that is misspelt never fires."""
    known = exposed()
    asked = {name: set(re.findall(r"pilotlight_\w+", one["expr"])) for name, one in ALERTS.items()}
    assert all(asked.values())
    assert {name: names - known for name, names in asked.items() if names - known} == {}


def test_each_alert_has_its_page() -> None:
    text = (DOCS / "operate.md").read_text()
    assert re.findall(r"^### (Pilotlight\w+)$", text, re.MULTILINE) == list(ALERTS)


def _rules(program: str) -> Iterator[dict[str, Any]]:
    monitoring = {"alerts": True, "podMonitor": True, "labels": {"release": "prom"}}
    values = {"postgresql": {"bundled": True}, "monitoring": monitoring}
    for one in render_chart(program, values):
        if one["apiVersion"] == "monitoring.coreos.com/v1":
            assert one["metadata"]["labels"]["release"] == "prom"
            yield from one["spec"].get("groups", [{"rules": []}])[0]["rules"]


def test_alerts_are_about_this_release_alone(program: str) -> None:
    """Two releases in one cluster do not alarm for each other."""
    rules = list(_rules(program))
    assert {rule["alert"] for rule in rules} == set(ALERTS)
    for rule in rules:
        selectors = re.findall(r"pilotlight_\w+(\{[^}]*\})?", rule["expr"])
        assert all('namespace="platform", pod=~"release-pilotlight-' in one for one in selectors)


def test_nothing_is_made_where_nobody_asks(program: str) -> None:
    """Clusters without the Prometheus operator do not know these kinds."""
    rendered = render_chart(program, {"postgresql": {"bundled": True}})
    assert not [one for one in rendered if one["apiVersion"].startswith("monitoring")]
