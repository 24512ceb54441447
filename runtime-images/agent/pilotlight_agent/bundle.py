"""Gather an agent that runs in any image: interpreter, loader and libraries, and nothing else's.

`python -m pilotlight_agent.bundle FOLDER`, while the image of `runtime-images/container-image` is
built, and on a machine before it runs its first image. The loader is started by its name, so that
nothing of the image it runs in is asked for, whatever its C library. Python's library and the
agent's packages are one file of bytecode, since what starts a pod copies all of it.
"""

import py_compile
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pilotlight_wire

_LEFT_OUT = {
    "ensurepip", "idlelib", "lib-dynload", "lib2to3", "pydoc_data", "site-packages", "test",
    "tests", "tkinter", "turtledemo", "venv",
}  # fmt: skip
# OpenSSL reads a configuration, which may name libraries, wherever the image has put one.
_EXTENSIONS_LEFT_OUT = re.compile(
    "_ssl|_hashlib|_curses|_sqlite3|_tkinter|_dbm|_gdbm|readline|_test|_xx"
)
_LIBRARY = re.compile(r"(?:=> )?(/\S+) \(0x")
_PACKAGES = [Path(file).parent for file in (__file__, pilotlight_wire.__file__)]


def main(folder: Path) -> None:
    """Fill `folder`: `bin/python3`, `lib/`, the loader as `lib/loader`, and `nothing`."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    dynamic = folder / "lib" / version / "lib-dynload"
    for each in (folder / "bin", dynamic):
        each.mkdir(parents=True)
    interpreter = shutil.copy(Path(sys.executable).resolve(), folder / "bin/python3")
    for extension in _extensions():
        if not _EXTENSIONS_LEFT_OUT.match(extension.name):
            shutil.copy(extension, dynamic)
    for library in _libraries(interpreter, *dynamic.iterdir()):
        is_loader = library.name.startswith("ld-linux")
        shutil.copy(library, folder / "lib" / ("loader" if is_loader else library.name))
    _zip(folder / "lib" / f"{version.replace('.', '')}.zip")
    # It lies where an image could name libraries that every program loads.
    (folder / "nothing").touch()


def _extensions() -> Iterator[Path]:
    """Tell the interpreter's own modules that are libraries; in none of a virtual environment."""
    for part in sys.path:
        if part.endswith("/lib-dynload"):
            yield from Path(part).glob("*.so")


def _libraries(*programs: Path | str) -> set[Path]:
    """Return what programs are linked with, the loader included."""
    found: set[Path] = set()
    for program in programs:
        said = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout  # noqa: S603, S607 -- of this machine's own
        found |= {Path(path) for path in _LIBRARY.findall(said)}
    return found


def _zip(path: Path) -> None:
    roots = [(Path(sysconfig.get_path("stdlib")), ""), *((each, each.name) for each in _PACKAGES)]
    # Stored: it is read at each start, and copied once.
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file,
        tempfile.TemporaryDirectory() as at,
    ):
        compiled = Path(at, "compiled")
        for root, name in roots:
            for source in _sources(root):
                place = Path(name, source.relative_to(root))
                # Beside sources there may be no place for it, and it is nobody's business there.
                if py_compile.compile(str(source), str(compiled), str(place), quiet=2):
                    file.write(compiled, place.with_suffix(".pyc"))


def _sources(root: Path) -> Iterator[Path]:
    for path in sorted(root.rglob("*.py")):
        if not _LEFT_OUT & set(path.relative_to(root).parts):
            yield path


if __name__ == "__main__":
    main(Path(sys.argv[1]))
