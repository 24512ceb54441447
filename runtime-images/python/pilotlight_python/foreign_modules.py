"""Says of a module that cannot be imported whether a file of it is there for another Python.

Python passes over a file whose name is of another version or processor, and then says that there is
no such module. That is the most usual fault of a package that was built elsewhere.
"""

import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

_NAME = "cannot import name '"
_ADDED = f" ({{}} is for another Python or processor: *{EXTENSION_SUFFIXES[0]} is expected)"


def explain(error: BaseException | None) -> str:
    """Return what to add to an import's error, empty if no such file is the reason."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        for folder, module in _missing(error) if isinstance(error, ImportError) else ():
            own = {module + suffix for suffix in EXTENSION_SUFFIXES}
            files = {file.name for file in folder.glob(f"{module}.*.so")}
            if files and not files & own:
                return _ADDED.format(f"{folder.name}/{min(files)}")
        error = error.__cause__ or error.__context__
    return ""


def _missing(error: ImportError) -> list[tuple[Path, str]]:
    """Return where the module was looked for, and its name there."""
    if isinstance(error, ModuleNotFoundError):
        *packages, module = (error.name or "").split(".")
        return [(Path(root, *packages), module) for root in sys.path if module.isidentifier()]
    said = str(error)
    if not error.path or not said.startswith(_NAME):
        return []
    return [(Path(error.path).parent, said.removeprefix(_NAME).partition("'")[0])]
