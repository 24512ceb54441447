"""What a run promised and saw, as a dated table in docs/reliability.md."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.support.cluster import ROOT

__all__ = ["Result"]

PAGE = ROOT / "docs/reliability.md"


@dataclass
class Result:
    """The promises of one run, each with what was seen."""

    name: str
    """Of the place in the page, as `<!-- storm -->`."""
    what: str
    """What was run."""
    rows: list[tuple[str, str, bool]] = field(default_factory=list)

    def promise(self, what: str, seen: object, *, holds: bool) -> None:
        """Note a promise, what was seen of it and whether it holds."""
        self.rows.append((what, str(seen), holds))
        sys.stdout.write(f"{'holds' if holds else 'FAILS'}: {what}: {seen}\n")

    @property
    def holds(self) -> bool:
        """Whether all of them do."""
        return bool(self.rows) and all(holds for _, _, holds in self.rows)

    def publish(self) -> None:
        """Write it into the page, in the place of the last one."""
        mark = f"<!-- {self.name} -->"
        pattern = re.compile(f"(?<={mark}\n).*(?={mark})", re.DOTALL)
        text, found = pattern.subn(lambda _: self._table(), PAGE.read_text())
        assert found, f"docs/reliability.md has no {mark}"
        PAGE.write_text(text)

    def _table(self) -> str:
        commit = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"],
            cwd=ROOT, capture_output=True, text=True, check=False,
        ).stdout.strip()  # fmt: skip
        head = f"{datetime.now(UTC):%Y-%m-%d}, {commit}, {os.cpu_count()} processors: {self.what}"
        rows = [f"| {what} | {seen} | {_yes(holds=holds)} |" for what, seen, holds in self.rows]
        return "\n".join(
            ["", head, "", "| promised | seen | holds |", "| --- | --- | --- |", *rows, "", ""]
        )


def _yes(*, holds: bool) -> str:
    return "yes" if holds else "**no**"
