"""Layers are laid over each other, later ones first, and none reaches out of its root."""

from __future__ import annotations

import hashlib
import io
import zipfile
from typing import TYPE_CHECKING

import pytest

from pilotlight_agent.lifecycle.layers import check_size, install_layers
from pilotlight_wire import archive
from pilotlight_wire.specialisation import CodeSource

if TYPE_CHECKING:
    from pathlib import Path

LINK = 0o120777 << 16


def layer(folder: Path, **files: str) -> CodeSource:
    """Make a layer; a file whose text begins with -> is a link, and __ in a name stands for /."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as package:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name.replace("__", "/"))
            entry.external_attr = LINK if text.startswith("->") else 0o644 << 16
            package.writestr(entry, text.removeprefix("->"))
    sha256 = hashlib.sha256(content.getvalue()).hexdigest()
    path = folder / sha256
    path.write_bytes(content.getvalue())
    return CodeSource(sha256=sha256, url=path.as_uri())


def tree(root: Path) -> dict[str, str]:
    """Return every file and link below a root."""
    found = (path for path in root.rglob("*") if path.is_symlink() or path.is_file())
    return {str(path.relative_to(root)): _said(path) for path in found}


def _said(path: Path) -> str:
    return f"->{path.readlink()}" if path.is_symlink() else path.read_text()


def test_later_layers_go_over_earlier_ones(tmp_path: Path) -> None:
    opt = tmp_path / "opt"
    installation = install_layers(
        [
            layer(tmp_path, python__a="1", python__b="1", bin__tool="1"),
            layer(tmp_path, python__b="2", python__c="2"),
        ],
        opt,
    )
    assert tree(opt) == {"python/a": "1", "python/b": "2", "python/c": "2", "bin/tool": "1"}
    assert installation.fetch > 0


@pytest.mark.parametrize(
    ("first", "second", "left"),
    [
        ({"x": "file"}, {"x__y": "below"}, {"x/y": "below"}),
        ({"x__y": "below"}, {"x": "file"}, {"x": "file"}),
        ({"x": "->nowhere"}, {"x": "file"}, {"x": "file"}),
        ({"x__y": "below"}, {"x": "->y"}, {"x": "->y"}),
    ],
)
def test_what_is_no_folder_in_both_is_replaced(
    tmp_path: Path, first: dict[str, str], second: dict[str, str], left: dict[str, str]
) -> None:
    opt = tmp_path / "opt"
    install_layers([layer(tmp_path, **first), layer(tmp_path, **second)], opt)
    assert tree(opt) == left


def test_no_layer_writes_through_a_link_of_another(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    opt = tmp_path / "opt"
    install_layers([layer(tmp_path, lib=f"->{outside}"), layer(tmp_path, lib__evil="written")], opt)
    assert list(outside.iterdir()) == []
    assert tree(opt) == {"lib/evil": "written"}


def test_code_and_layers_together_have_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "UNPACKED_LIMIT", 10)
    task, opt = tmp_path / "task", tmp_path / "opt"
    task.mkdir()
    (task / "code").write_text("123456")
    install_layers([layer(tmp_path, a="1234")], opt)
    check_size(task, opt)
    install_layers([layer(tmp_path, b="5")], opt)
    with pytest.raises(archive.ArchiveError, match=r"combined with layers exceeds.* is 11 bytes"):
        check_size(task, opt)
