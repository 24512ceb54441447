"""Layers below one root, each laid over those before it (Lambda Developer Guide, "Layers").

Each is unpacked for itself, where nothing of another one is, and moved into place: no archive
writes through a link that an earlier one brought. A folder is merged; anything else replaces what
is there.
"""

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pilotlight_wire import archive
from pilotlight_wire.specialisation import CodeSource

from .package import Installation, install


def install_layers(layers: Sequence[CodeSource], root: Path) -> Installation:
    """Bring layers to `root`, in their order; raises what `package.install` raises."""
    root.mkdir(parents=True, exist_ok=True)
    fetch = unpack = 0.0
    for layer in layers:
        with tempfile.TemporaryDirectory(dir=root, ignore_cleanup_errors=True) as stage:
            done = install(layer, Path(stage))
            _merge(Path(stage), root)
        fetch, unpack = fetch + done.fetch, unpack + done.unpack
    return Installation(fetch, unpack)


def check_size(*roots: Path) -> None:
    """Raise ArchiveError where what lies below the roots is more than a function may have."""
    size = sum(
        os.lstat(os.path.join(folder, name)).st_size  # noqa: PTH118 -- as os.walk gives them
        for root in roots
        for folder, _, names in os.walk(root)
        for name in names
    )
    if size > archive.UNPACKED_LIMIT:
        raise archive.ArchiveError(
            f"Function code combined with layers exceeds the maximum allowed size of "
            f"{archive.UNPACKED_LIMIT} bytes. The actual size is {size} bytes."
        )


def _merge(source: Path, root: Path) -> None:
    for entry in list(os.scandir(source)):
        target = root / entry.name
        is_folder = target.is_dir() and not target.is_symlink()
        if is_folder and entry.is_dir(follow_symlinks=False):
            _merge(Path(entry.path), target)
            continue
        if is_folder:
            shutil.rmtree(target)
        elif os.path.lexists(target):
            target.unlink()
        Path(entry.path).rename(target)
