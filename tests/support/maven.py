"""Servers in Java for tests, with all they need, from Maven Central.

What is missing is fetched by Apache Ivy, which is one jar.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import urllib.request
from typing import TYPE_CHECKING

from .fetching import CACHE, kept

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["jars_of"]

IVY = "https://repo1.maven.org/maven2/org/apache/ivy/ivy/2.5.3/ivy-2.5.3.jar"
IVY_SHA256 = "9502aa5aabf0b1484924a13ef4b5d24f121f7f91aab6768f11cc9d0906c0803b"
JARS = CACHE / "maven"
SECONDS = 600.0
TRIES = 3
"""A registry may fail to send one jar of a hundred; those that came stay in Ivy's cache."""


def jars_of(group: str, artifact: str, version: str) -> Path:
    """Return the folder of a package's jars and of those that it needs."""
    return kept(
        JARS / f"{artifact}-{version}", lambda folder: _fetch(folder, group, artifact, version)
    )


def _fetch(folder: Path, group: str, artifact: str, version: str) -> None:
    if shutil.which("java") is None:
        raise FileNotFoundError("no Java here: apt-get install openjdk-17-jre-headless")
    command: list[str | Path] = [
        "java", "-Xmx128m", "-jar", _ivy(), "-cache", JARS / "ivy", "-confs", "default",
        "-dependency", group, artifact, version,
        "-retrieve", f"{folder}/[artifact]-[revision](-[classifier]).[ext]",
    ]  # fmt: skip
    for left in reversed(range(TRIES)):
        done = subprocess.run(command, check=not left, timeout=SECONDS, stdout=subprocess.DEVNULL)
        if done.returncode == 0:
            return


def _ivy() -> Path:
    path = JARS / "ivy.jar"
    if not path.exists():
        with urllib.request.urlopen(IVY, timeout=60) as answer:
            content = answer.read()
        found = hashlib.sha256(content).hexdigest()
        if found != IVY_SHA256:
            raise OSError(f"{IVY} has sha256 {found}, not {IVY_SHA256}")
        path.write_bytes(content)
    return path
