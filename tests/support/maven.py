"""Servers in Java for tests, with all they need, from Maven Central; kept in a cache folder.

What is missing is fetched by Apache Ivy, which is one jar. Without a network or Java a test that
needs one is skipped, unless it runs in CI.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import urllib.request
from pathlib import Path

import pytest

__all__ = ["jars_of"]

IVY = "https://repo1.maven.org/maven2/org/apache/ivy/ivy/2.5.3/ivy-2.5.3.jar"
IVY_SHA256 = "9502aa5aabf0b1484924a13ef4b5d24f121f7f91aab6768f11cc9d0906c0803b"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pilotlight" / "maven"
SECONDS = 600.0


def jars_of(group: str, artifact: str, version: str) -> Path:
    """Return the folder of a package's jars and of those that it needs."""
    folder = CACHE / f"{artifact}-{version}"
    if folder.exists():
        return folder
    try:
        _fetch(folder, group, artifact, version)
    except (OSError, subprocess.SubprocessError) as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{artifact} {version} cannot be fetched: {error}")
    return folder


def _fetch(folder: Path, group: str, artifact: str, version: str) -> None:
    if shutil.which("java") is None:
        raise FileNotFoundError("no Java here: apt-get install openjdk-17-jre-headless")
    partly = folder.with_name(f"{folder.name}.{os.getpid()}")
    subprocess.run(
        [
            "java", "-Xmx128m", "-jar", _ivy(), "-cache", CACHE / "ivy", "-confs", "default",
            "-dependency", group, artifact, version,
            "-retrieve", f"{partly}/[artifact]-[revision](-[classifier]).[ext]",
        ],
        check=True, timeout=SECONDS, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    partly.rename(folder)


def _ivy() -> Path:
    path = CACHE / "ivy.jar"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with urllib.request.urlopen(IVY, timeout=60) as answer:
            content = answer.read()
        found = hashlib.sha256(content).hexdigest()
        if found != IVY_SHA256:
            raise OSError(f"{IVY} has sha256 {found}, not {IVY_SHA256}")
        path.write_bytes(content)
    return path
