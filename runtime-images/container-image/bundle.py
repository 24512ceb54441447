# ruff: noqa: INP001 -- a script, which no package has
"""Gather an agent that runs in any image: interpreter, loader and libraries, and nothing else's.

`Dockerfile` runs it while the image is built: `bundle.py FOLDER PACKAGE…`. The loader is started by
its name, so that nothing of the image it runs in is asked for, whatever its C library. Python's
library and the packages are one file of bytecode, since what starts a pod copies all of it.
"""

import compileall
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path

_LEFT_OUT = {
    "ensurepip", "idlelib", "lib-dynload", "lib2to3", "pydoc_data", "site-packages", "test",
    "tests", "tkinter", "turtledemo", "venv",
}  # fmt: skip
# OpenSSL reads a configuration, which may name libraries, wherever the image has put one.
_EXTENSIONS_LEFT_OUT = re.compile(
    "_ssl|_hashlib|_curses|_sqlite3|_tkinter|_dbm|_gdbm|readline|_test|_xx"
)
_LIBRARY = re.compile(r"(?:=> )?(/\S+) \(0x")


def main(folder: Path, packages: list[Path]) -> None:
    """Fill `folder`: `bin/python3`, `lib/` and the loader as `lib/loader`."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    dynamic = folder / "lib" / version / "lib-dynload"
    for each in (folder / "bin", dynamic):
        each.mkdir(parents=True)
    interpreter = shutil.copy(Path(sys.executable).resolve(), folder / "bin/python3")
    for extension in Path(sysconfig.get_path("platstdlib"), "lib-dynload").glob("*.so"):
        if not _EXTENSIONS_LEFT_OUT.match(extension.name):
            shutil.copy(extension, dynamic)
    for library in _libraries(interpreter, *dynamic.iterdir()):
        is_loader = library.name.startswith("ld-linux")
        shutil.copy(library, folder / "lib" / ("loader" if is_loader else library.name))
    _zip(folder / "lib" / f"{version.replace('.', '')}.zip", packages)


def _libraries(*programs: Path | str) -> set[Path]:
    """Return what programs are linked with, the loader included."""
    found: set[Path] = set()
    for program in programs:
        said = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout  # noqa: S603, S607
        found |= {Path(path) for path in _LIBRARY.findall(said)}
    return found


def _zip(path: Path, packages: list[Path]) -> None:
    roots = [(Path(sysconfig.get_path("stdlib")), ""), *((each, each.name) for each in packages)]
    # Stored: it is read at each start, and copied once.
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        for root, name in roots:
            for source in _sources(root):
                compiled = source.with_suffix(".pyc")
                compileall.compile_file(source, quiet=2, legacy=True, ddir=name or "lib")
                file.write(compiled, Path(name, compiled.relative_to(root)))


def _sources(root: Path) -> Iterator[Path]:
    for path in sorted(root.rglob("*.py")):
        if not _LEFT_OUT & set(path.relative_to(root).parts):
            yield path


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(each) for each in sys.argv[2:]])
