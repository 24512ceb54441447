"""Entry point: `python -u …/pilotlight_python FD LAYERS_ROOT`, with cwd at the task root.

The function must find the module search path that Lambda gives it, an empty `__main__`, and no
module of ours that it could import by accident. So this file puts the path right, loads the
package by its location, and goes on in `service`.
"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def _set_search_path(task_root: str, layers_root: str) -> None:
    """Put the function's code first, then its layers, then the interpreter's own.

    Source: AWS Lambda Developer Guide, "Search path for Python".
    """
    layers = f"{layers_root}/python"
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    sys.path[:1] = [task_root, f"{layers}/lib/{version}/site-packages", layers]


def _load_package() -> None:
    """Make `pilotlight_python` importable without its folder being on the path."""
    home = Path(__file__).resolve().parent
    specification = importlib.util.spec_from_file_location(
        "pilotlight_python", home / "__init__.py", submodule_search_locations=[str(home)]
    )
    if specification is None or specification.loader is None:
        raise ImportError("the runtime's own package is not there")
    package = importlib.util.module_from_spec(specification)
    sys.modules["pilotlight_python"] = package
    specification.loader.exec_module(package)


def main() -> None:
    """Prepare the interpreter and serve; ends when the agent closes the channel."""
    _, descriptor, layers_root = sys.argv
    sys.argv[:] = [__file__]
    _set_search_path(str(Path.cwd()), layers_root)
    _load_package()
    from pilotlight_python.service import serve  # noqa: PLC0415 -- importable only from here on

    sys.modules["__main__"] = ModuleType("__main__")
    serve(int(descriptor))


if __name__ == "__main__":
    main()
