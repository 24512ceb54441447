"""What admins are told to watch is what is counted."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

import yaml

from pilotlight_cli.metrics_page import exposed, render
from tests.chart.test_chart import program
from tests.chart.test_chart import render as render_chart
from tests.support.cluster import CHART
from tests.support.debian import program_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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


def panels() -> dict[str, list[str]]:
    """Return the dashboard's queries by panel, an interval in the place of Grafana's variable."""
    return {
        panel["title"]: [
            target["expr"].replace("$__rate_interval", "5m") for target in panel["targets"]
        ]
        for panel in json.loads((CHART / "files" / "dashboard.json").read_text())["panels"]
        if panel["type"] != "row"
    }


def test_the_dashboard_shows_metrics_that_there_are() -> None:
    known = exposed()
    asked = {
        title: set(re.findall(r"pilotlight_\w+", " ".join(all_)))
        for title, all_ in panels().items()
    }
    assert all(asked.values())
    assert {title: names - known for title, names in asked.items() if names - known} == {}


def test_prometheus_understands_every_alert_and_panel(tmp_path: Path) -> None:
    """A rule for each; Prometheus's own tool reads them."""
    promtool = program_of("prometheus", "/usr/bin/promtool")
    queries = [one["expr"].replace("OWN", 'pod=~"a.*"') for one in ALERTS.values()]
    queries += [query for all_ in panels().values() for query in all_]
    rules = [{"record": f"query:{number}", "expr": one} for number, one in enumerate(queries)]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": rules}]}))
    done = subprocess.run(
        [promtool, "check", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"{len(rules)} rules found" in done.stdout


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
