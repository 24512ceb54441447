"""Deployment packages made from source text: `code.inline` becomes the zip that a pod unpacks.

The same source gives the same bytes on every machine, so that its sha256 may be an address and a
part of the revision. The function service (`pilotlight_operator.services`) puts them into the
artifact store; from there on an inline function is like any other.
"""

from __future__ import annotations

import io
import re
import zipfile

from .errors import InvalidResourceError

__all__ = ["inline_package"]

_SUFFIXES = {"python": ".py", "nodejs": ".js", "ruby": ".rb"}
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The oldest time that a zip can hold."""
_EXECUTABLE = 0o100755


def inline_package(handler: str, source: str, runtime: str) -> bytes:
    """Make a deployment package of one file of source text.

    The file is the one that the handler names (`index.handler` and python3.13: `index.py`), or
    `bootstrap` for a custom runtime. Raises InvalidResourceError where the runtime runs no source
    or the handler names no file inside the package.
    """
    entry = zipfile.ZipInfo(_file_name(handler, runtime), date_time=_EPOCH)
    entry.external_attr = _EXECUTABLE << 16
    entry.create_system = 3  # Unix: the attributes above are a mode, whatever this machine is
    content = io.BytesIO()
    # Stored, not deflated: compressed bytes differ between versions of zlib.
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as package:
        package.writestr(entry, source)
    return content.getvalue()


def _file_name(handler: str, runtime: str) -> str:
    family = re.match(r"[a-z]*", runtime)
    name = family.group() if family else ""
    if name == "provided":
        return "bootstrap"
    if name not in _SUFFIXES:
        raise InvalidResourceError(
            f"code.inline is not supported with runtime {runtime!r}, which runs compiled code: "
            "upload a package and give its sha256 as code.zip"
        )
    module = handler.rpartition(".")[0].replace(".", "/")
    if not module or any(part in {"", "."} for part in module.split("/")):
        raise InvalidResourceError(
            f"handler {handler!r} names no file for code.inline: file.function is expected"
        )
    return module + _SUFFIXES[name]
