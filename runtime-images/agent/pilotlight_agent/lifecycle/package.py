"""From a code's address to files below the task root: fetched, verified, checked, unpacked.

It runs in a thread: nothing else happens in a pod that has no code yet, and blocking reads are the
fastest. `archive` gives the verdict on the file.
"""

import hashlib
import http.client
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit, urlunsplit
from zipfile import ZipFile

from pilotlight_agent.errors import CodeMismatchError, CodeUnavailableError
from pilotlight_wire import archive
from pilotlight_wire.specialisation import CodeSource

_CHUNK = 262_144
_FETCH_SECONDS = 30
_NOTHING = hashlib.sha256(b"").hexdigest()
_CONNECTIONS: dict[str, type[HTTPConnection]] = {
    "http": HTTPConnection,
    # Beside a function's image there is no OpenSSL, and nothing to fetch.
    "https": getattr(http.client, "HTTPSConnection", HTTPConnection),
}


@dataclass(frozen=True, slots=True)
class Installation:
    """How long it took, in milliseconds."""

    fetch: float
    unpack: float


def install(code: CodeSource, task_root: Path) -> Installation:
    """Bring the code to `task_root`.

    CodeUnavailableError, CodeMismatchError or ArchiveError when that is not possible.
    """
    begun = time.monotonic()
    with tempfile.TemporaryFile() as package:
        _fetch(code, package)
        fetched = time.monotonic()
        archive.check_entries(package)
        archive.unpack(package, task_root)
    unpacked = time.monotonic()
    return Installation((fetched - begun) * 1000, (unpacked - fetched) * 1000)


def rehearse(url: str) -> None:
    """Fetch something that is no package, and unpack one that says nothing.

    A first time takes milliseconds longer than any other. Imports on demand, resolver, thread,
    pages that the fork shared: none of it has to wait for the first invocation.
    """
    with suppress(CodeUnavailableError, CodeMismatchError), tempfile.TemporaryFile() as nothing:
        _fetch(CodeSource(sha256=_NOTHING, url=url), nothing)
    with tempfile.TemporaryFile() as package, tempfile.TemporaryDirectory() as folder:
        with ZipFile(package, "w") as content:
            content.writestr("nothing.py", "")
        archive.check_entries(package)
        archive.unpack(package, Path(folder))


def _fetch(code: CodeSource, package: IO[bytes]) -> None:
    """Copy the package into a file, no more of it than may be, and compare its hash."""
    digest = hashlib.sha256()
    try:
        with _open(code) as source:
            while piece := source.read(_CHUNK):
                digest.update(piece)
                package.write(piece)
                if package.tell() > archive.PACKED_LIMIT:
                    raise archive.ArchiveError(
                        f"more than the {archive.PACKED_LIMIT} bytes came that a package may have"
                    )
    except (OSError, HTTPException, ValueError) as error:
        raise CodeUnavailableError(f"{code.url} cannot be read: {error}") from error
    if digest.hexdigest() != code.sha256:
        raise CodeMismatchError(f"sha256 {code.sha256} was ordered, {digest.hexdigest()} came")


def _open(code: CodeSource) -> IO[bytes]:
    url = urlsplit(code.url)
    if url.scheme == "file":
        return Path(unquote(url.path)).open("rb")
    if url.scheme not in _CONNECTIONS:
        raise ValueError("a file, http or https address is expected")
    # No proxy and no redirect: either would carry the ticket to somebody else.
    connection = _CONNECTIONS[url.scheme](url.netloc, timeout=_FETCH_SECONDS)
    headers = {"Authorization": f"Bearer {code.ticket}", "Connection": "close"}
    connection.request("GET", urlunsplit(("", "", url.path, url.query, "")), headers=headers)
    response = connection.getresponse()
    if response.status != HTTPStatus.OK:
        response.close()
        raise ValueError(f"HTTP {response.status} {response.reason}")
    return response
