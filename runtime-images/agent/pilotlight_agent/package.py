"""From a code's address to files below the task root: fetched, verified, checked, unpacked.

It runs in a thread: nothing else happens in a pod that has no code yet, and blocking reads are the
fastest. `archive` gives the verdict on the file.
"""

import hashlib
import shutil
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from pilotlight_agent import archive
from pilotlight_agent.specification import Code

_CHUNK = 262_144
_FETCH_SECONDS = 30


class CodeUnavailableError(Exception):
    """The package could not be read from its address."""


class CodeMismatchError(Exception):
    """What was read is not what was ordered."""


@dataclass(frozen=True, slots=True)
class Installation:
    """How long it took, in milliseconds."""

    fetch: float
    unpack: float


def install(code: Code, task_root: Path) -> Installation:
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


def _fetch(code: Code, package: IO[bytes]) -> None:
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


def _open(code: Code) -> IO[bytes]:
    url = urlsplit(code.url)
    if url.scheme == "file":
        return Path(unquote(url.path)).open("rb")
    if url.scheme not in {"http", "https"}:
        raise ValueError("a file, http or https address is expected")
    request = urllib.request.Request(  # noqa: S310 -- the scheme is checked above
        code.url, headers={"Authorization": f"Bearer {code.ticket}"}
    )
    # A proxy or a redirect would carry the ticket to somebody else.
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    response: IO[bytes] = opener.open(request, timeout=_FETCH_SECONDS)
    return response


def discard(task_root: Path) -> None:
    """Remove what an earlier life of this folder left."""
    shutil.rmtree(task_root, ignore_errors=True)
