"""Entry point: `python -u …/pilotlight_python FD LAYERS_ROOT`, with cwd at the task root.

The function must find the module search path that Lambda gives it, an empty `__main__`, and no
module of ours that it could import by accident. So this file puts the path right, loads the
package by its location, and goes on in `service`. With `--zygote FD` the process first
becomes a zygote, and each process that it forks goes on here as if it had just been started. With
`--pod PACKAGES OPTION…` a fork becomes the zygote, and the process itself the agent.
"""

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

_ZYGOTE, _POD = "--zygote", "--pod"


def _set_search_path(task_root: str, layers_root: str) -> None:
    """Put the function's code first, then its layers, before the interpreter's own.

    Source: AWS Lambda Developer Guide, "Search path for Python".
    """
    layers = f"{layers_root}/python"
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    sys.path[:0] = [task_root, f"{layers}/lib/{version}/site-packages", layers]


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


def _become_zygote(descriptor: str) -> list[str]:
    """Fork environments as the agent asks; gives the arguments of each, in its own process."""
    from pilotlight_python import zygote  # noqa: PLC0415 -- importable only from here on

    return zygote.serve(int(descriptor))


def _become_pod(packages: str, *options: str) -> list[str]:
    """Run the agent of these packages' folders; gives each environment's arguments."""
    from pilotlight_python import zygote  # noqa: PLC0415 -- importable only from here on

    return zygote.part([Path(folder) for folder in packages.split(os.pathsep)], list(options))


def main() -> None:
    """Prepare the interpreter and serve; ends when the agent closes the channel."""
    arguments = sys.argv[1:]
    sys.argv[:] = [__file__]
    del sys.path[0]  # the folder of this file
    _load_package()
    if arguments[0] == _ZYGOTE:
        arguments = _become_zygote(*arguments[1:])
    elif arguments[0] == _POD:
        arguments = _become_pod(*arguments[1:])
    descriptor, layers_root = arguments
    # Before the function's folder is searched: no file of it stands in for what the runtime needs.
    from pilotlight_python.service import serve  # noqa: PLC0415 -- importable only from here on

    _set_search_path(str(Path.cwd()), layers_root)
    sys.modules["__main__"] = ModuleType("__main__")
    serve(int(descriptor))


if __name__ == "__main__":
    main()
