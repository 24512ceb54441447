"""A compiled module for another Python, or another processor, is named where its import fails."""

from __future__ import annotations

import sys
from importlib.machinery import EXTENSION_SUFFIXES
from typing import TYPE_CHECKING

import pytest

from pilotlight_python.fault import FaultError
from pilotlight_python.handler import load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OTHER = "_fast.cpython-39-aarch64-linux-gnu.so"


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of code with a package whose compiled part is for another Python."""
    before = set(sys.modules)
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "__init__.py").touch()
    (tmp_path / "parts" / OTHER).touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def said(task: Path, text: str) -> str:
    (task / "broken_main.py").write_text(text)
    with pytest.raises(FaultError) as raised:
        load("broken_main.handler")
    assert raised.value.error_type == "Runtime.ImportModuleError"
    return str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        "from parts import _fast",
        "import parts._fast",
        "from parts._fast import thing",
        "try:\n    import parts._fast\nexcept ImportError as e:\n    raise ImportError('x') from e",
        "try:\n    import parts._fast\nexcept ImportError:\n    import parts.slow",
    ],
)
def test_it_is_named(task: Path, text: str) -> None:
    """However the package words its own error."""
    wanted = f"*{EXTENSION_SUFFIXES[0]} is expected"
    assert said(task, text).endswith(
        f" (parts/{OTHER} is for another Python or processor: {wanted})"
    )


@pytest.mark.parametrize("text", ["import nowhere", "from parts import nothing", "import parts.x"])
def test_nothing_is_added_where_there_is_none(task: Path, text: str) -> None:
    assert "is for another Python" not in said(task, text)


def test_nothing_is_added_where_one_is_for_this_python(task: Path) -> None:
    """It is there, and cannot be loaded for a reason of its own."""
    (task / "parts" / f"_fast{EXTENSION_SUFFIXES[0]}").write_bytes(b"no library")
    assert "is for another Python" not in said(task, "import parts._fast")
