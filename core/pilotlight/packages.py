"""Deployment packages made from source text: `code.inline` becomes the zip that a pod unpacks.

The same source gives the same bytes on every machine, so that its sha256 may be an address and a
part of the revision. The function service (`pilotlight_operator.services`) puts them into the
artifact store; from there on an inline function is like any other.
"""

from __future__ import annotations

import io
import zipfile

from .errors import InvalidResourceError
from .runtimes import family_of

__all__ = ["inline_package"]

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The oldest time that a zip can hold."""
_EXECUTABLE = 0o100755


def inline_package(handler: str, source: str, runtime: str) -> bytes:
    """Make a deployment package of one file of source text.

    The file's name is the runtime family's affair (`index.handler` and python3.13: `index.py`).
    Raises InvalidResourceError where the runtime runs no source or the handler names no file inside
    the package.
    """
    name = family_of(runtime).source_file(handler)
    if name is None:
        raise InvalidResourceError(
            f"code.inline is not supported with runtime {runtime!r}, which runs compiled code: "
            "upload a package and give its sha256 as code.zip"
        )
    entry = zipfile.ZipInfo(name, date_time=_EPOCH)
    entry.external_attr = _EXECUTABLE << 16
    entry.create_system = 3  # Unix: the attributes above are a mode, whatever this machine is
    content = io.BytesIO()
    # Stored, not deflated: compressed bytes differ between versions of zlib.
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as package:
        package.writestr(entry, source)
    return content.getvalue()
