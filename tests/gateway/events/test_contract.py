"""The delivery contract names tests that are there, and metrics that are rendered."""

from __future__ import annotations

import re
from pathlib import Path

from pilotlight_gateway.metrics import Metrics

PAGE = Path(__file__).parents[3] / "docs" / "events.md"
LINK = re.compile(r"\[(test_\w+)\]\(([^)]+)\)")


def test_each_clause_names_a_test_that_is_there() -> None:
    tables = PAGE.read_text().split("| clause | test |\n| --- | --- |\n")[1:]
    clauses = [line for table in tables for line in table.partition("\n\n")[0].splitlines()]
    assert len(tables) > 1
    assert len(clauses) > 30
    for clause in clauses:
        links = LINK.findall(clause)
        assert links, clause
        for name, file in links:
            assert f"def {name}(" in (PAGE.parent / file).read_text(), name


def test_the_metrics_that_the_page_lists_are_there() -> None:
    metrics = Metrics()
    rendered = metrics.render().decode()
    listed = re.findall(r"`(pilotlight_(?:async|event_source)_\w+)", PAGE.read_text())
    assert len(listed) == 6 + 8
    for name in listed:
        assert f"# HELP {name}" in rendered or f"# HELP {name.removesuffix('_total')}" in rendered
