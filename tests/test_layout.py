"""The layout's rules that no linter knows (docs/architecture.md)."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_operator_folder_is_no_package() -> None:
    """Python's own `operator` must stay reachable from the repository's root."""
    assert not (ROOT / "operator" / "__init__.py").exists()
    assert not list((ROOT / "operator").glob("*.py"))
    subprocess.run([sys.executable, "-c", "from operator import eq"], cwd=ROOT, check=True)


def test_every_test_folder_is_a_package() -> None:
    folders = {file.parent for file in (ROOT / "tests").rglob("*.py") if "cases" not in file.parts}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


def test_the_runtime_of_php_is_one() -> None:
    """It is in the package of `pilotlight init`, and in the example, which is whole by itself."""
    places = ("cli/pilotlight_cli/first/php", "languages/php/src")
    for name in ("bootstrap", "runtime.php"):
        assert len({(ROOT / place / name).read_bytes() for place in places}) == 1


def test_nothing_is_called_utils() -> None:
    assert not list(ROOT.glob("[a-z]*/**/util*.py"))


def test_files_stay_readable() -> None:
    """At most 400 lines a module, as the contributors' page says."""
    parts = ("wire", "core", "operator", "gateway", "local", "cli", "runtime-images")
    files = [file for part in parts for file in (ROOT / part).rglob("*.py")]
    long = {file.name for file in files if len(file.read_text().splitlines()) > 400}
    assert long == set()


def test_links_of_the_documentation_lead_somewhere() -> None:
    pages = [*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")]
    links = [
        (page.name, target)
        for page in pages
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert links == []


def test_the_tests_that_the_documentation_names_are_there() -> None:
    pages = [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    named = {
        path for page in pages for path in re.findall(r"tests/[\w/]+(?:\.py)?", page.read_text())
    }
    assert len(named) > 30
    assert {path for path in named if not (ROOT / path).exists()} == set()
