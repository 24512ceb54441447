"""The delivery contract names tests that are there, and metrics that are rendered."""

from __future__ import annotations

import re
from pathlib import Path

from pilotlight_gateway.metrics import Metrics

PAGE = Path(__file__).parents[3] / "docs" / "events.md"
LINK = re.compile(r"\[(test_\w+)\]\(([^)]+)\)")


def test_each_clause_names_a_test_that_is_there() -> None:
    clauses = [
        line
        for line in PAGE.read_text().partition("## Settings")[0].splitlines()
        if line.startswith("| ") and not line.startswith(("| clause", "| ---"))
    ]
    assert len(clauses) > 10
    for clause in clauses:
        links = LINK.findall(clause)
        assert links, clause
        for name, file in links:
            assert f"def {name}(" in (PAGE.parent / file).read_text(), name


def test_the_metrics_that_the_page_lists_are_there() -> None:
    metrics = Metrics()
    rendered = metrics.render().decode()
    listed = re.findall(r"`(pilotlight_async_\w+)", PAGE.read_text())
    assert len(listed) == 6
    for name in listed:
        assert f"# HELP {name}" in rendered or f"# HELP {name.removesuffix('_total')}" in rendered
