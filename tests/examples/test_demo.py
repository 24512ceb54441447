"""The demo runs, and would say so if an example broke."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from examples import demo

if TYPE_CHECKING:
    import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_every_example_answers(capsys: pytest.CaptureFixture[str]) -> None:
    """Each folder of the examples is invoked, cold and warm, and shows its report."""
    assert demo.main(EXAMPLES) == 0
    shown = capsys.readouterr().out
    folders = {path.parent.name for path in EXAMPLES.glob("*/function.yaml")}
    assert {example.function for example in demo.examples(EXAMPLES)} == folders
    assert shown.count("took  cold") == len(folders)
    assert "REPORT RequestId" in shown
    assert shown.count("got   202, accepted as") == len(list(demo.sent()))
    assert all(event.ends_with in shown for event in demo.sent())
    assert "pilotlight dlq list" in shown


def test_an_event_whose_end_is_not_seen_fails_the_demo(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A destination that says something else is told of, by the name of who was invoked."""
    monkeypatch.setattr(demo, "END_SECONDS", 2.0)
    broken = some_of_it(tmp_path, monkeypatch, "orders", "notify")
    silent = "def handler(record, context):\n    return {}\n"
    (broken / "notify" / "notify.py").write_text(silent)
    assert demo.main(broken) == 1
    assert capsys.readouterr().err.count("orders") == 2


def test_a_broken_example_fails_the_demo(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name is told."""
    broken = some_of_it(tmp_path, monkeypatch, "report")
    (broken / "report" / "report.py").write_text("def handler(event, context):\n    1 / 0\n")
    assert demo.main(broken) == 1
    assert "report" in capsys.readouterr().err


def some_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *names: str) -> Path:
    """Copy some examples, and have the demo show no others; returns the copies' folder."""
    folder = tmp_path / "examples"
    for name in names:
        shutil.copytree(EXAMPLES / name, folder / name)
    calls = [one for one in demo.examples(EXAMPLES) if one.function in names]
    events = [one for one in demo.sent() if one.function in names]
    monkeypatch.setattr(demo, "examples", lambda _: calls)
    monkeypatch.setattr(demo, "sent", lambda: events)
    monkeypatch.setattr(demo, "_show_dead_letters", lambda *_: [])
    return folder
