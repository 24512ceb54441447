"""Compile a package's Python: `python -I compile_package.py PACKAGE COMPILED`.

What an interpreter imports without bytecode it compiles first, in every pod anew: half a second for
each megabyte of source. Here it is done once, and the bytecode added to a copy of the package, as
the interpreter that runs this file would have cached it. It is not compared with its source later
(PEP 552, "unchecked"), for both come from one archive.

`compiled_packages` runs this as a process of its own, with little memory and time: whose source it
is, nobody knows. COMPILED is not written where it is not worth it. Stands alone, so that any Python
can run it.
"""

import importlib.util
import marshal
import os
import resource
import shutil
import stat
import sys
import zipfile
from pathlib import Path

LEAST_SOURCE = 8_192
"""Bytes of source that compile in about the time in which their bytecode is fetched."""
OUTPUT_BYTES = 52_428_800
"""What agents take; AWS Lambda Developer Guide, "Lambda quotas"."""
MEMORY_BYTES = 268_435_456
CPU_SECONDS = 60
_UNCHECKED = (0b01).to_bytes(4, "little")
_DATE = (1980, 1, 1, 0, 0, 0)


def has_enough_source(package: Path) -> bool:
    """Whether it is worth a process to compile a package; False for what is none, too."""
    try:
        with zipfile.ZipFile(package) as content:
            sources = _sources(content.infolist())
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        return False
    return sum(source.file_size for source in sources) >= LEAST_SOURCE


def compile_package(package: Path, target: Path) -> bool:
    """Write the package with its bytecode to `target`; whether there is any."""
    with zipfile.ZipFile(package) as content:
        sources = _sources(content.infolist())
        shutil.copyfile(package, target)
        with zipfile.ZipFile(target, "a") as archive:
            added = [_add(archive, one.filename, content.read(one)) for one in sources]
    return any(added)


def _sources(entries: list[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
    """Return the modules that bring no bytecode of their own."""
    names = {entry.filename for entry in entries}
    plain = (entry for entry in entries if not stat.S_ISLNK(entry.external_attr >> 16))
    modules = (entry for entry in plain if entry.filename.endswith(".py"))
    return [module for module in modules if _place(module.filename) not in names]


def _place(name: str) -> str:
    """Say where the interpreter looks for a module's bytecode (PEP 3147)."""
    return importlib.util.cache_from_source(name)


def _add(archive: zipfile.ZipFile, name: str, source: bytes) -> bool:
    """Add a module's bytecode, the same bytes at any time; False for what does not compile."""
    try:
        code = compile(source, name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    head = importlib.util.MAGIC_NUMBER + _UNCHECKED + importlib.util.source_hash(source)
    entry = zipfile.ZipInfo(_place(name), _DATE)
    entry.external_attr = 0o644 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, head + marshal.dumps(code))
    return True


def main() -> None:
    """Compile within limits."""
    os.nice(10)
    for kind, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, OUTPUT_BYTES),
    ):
        resource.setrlimit(kind, (most, most))
    package, target = map(Path, sys.argv[1:])
    if not compile_package(package, target):
        target.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
