"""Java projects: their classes, and the jars that they need below `lib/`, by Maven.

Source: AWS Lambda Developer Guide, "Deploy Java Lambda functions with .zip or JAR file archives".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pilotlight.runtimes.java import NEWEST, Java

from ..failures import USAGE, Failure
from ..output import note
from ..package import Built
from .builder import NO_NETWORK, read_text
from .tool import Advice
from .tree import copy, digest, pack
from .workshop import key_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ..archive import Entry
    from .target import Target
    from .workshop import Workshop

__all__ = ["MavenBuilder"]

MANIFEST, TARGET, JARS = "pom.xml", "target", "lib"
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
_CLASS_MARK, _CLASS_VERSION = b"\xca\xfe\xba\xbe", slice(6, 8)
_BEFORE_JAVA_1 = 44
"""Java 17's classes have version 61 (The Java Virtual Machine Specification, 4.1)."""
_RELEASE = re.compile(
    r"<(?:maven\.compiler\.)?(?:release|target|java\.version)>\s*(?:1\.)?(\d+)\s*<"
)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_SNAPSHOT = re.compile(
    r"<(dependency|parent|properties)>(?:(?!</\1>).)*?-SNAPSHOT\s*<", re.DOTALL | re.IGNORECASE
)
"""A version of what is asked for; that of the project itself, which is often one, is elsewhere."""
_ADVICE = (
    NO_NETWORK,
    Advice(
        r"Non-resolvable parent POM",
        "its parent is in another folder: run `mvn package` there and deploy the jar",
    ),
    Advice(r"Could not (?:find|resolve)", f"a name or a version is not there: look at {MANIFEST}"),
    Advice(
        r"release version \d+ not supported|invalid target release",
        "this machine's JDK is older than the project asks for: JAVA_HOME names another",
    ),
)


class MavenBuilder:
    """Builds Java projects."""

    prefix = "java"
    handler: str | None = None

    def manifest(self, folder: Path) -> str | None:
        """Name `pom.xml`."""
        return MANIFEST if (folder / MANIFEST).is_file() else None

    def runtime(self, folder: Path) -> str:
        """Choose the usual one, or the first that runs what the project is compiled for."""
        release = _RELEASE.search(read_text(folder / MANIFEST))
        at_least = int(release[1]) if release else 0
        newer = sorted(one for one in Java().supported if _version(one) >= at_least)
        return NEWEST if NEWEST in newer or not newer else newer[0]

    def build(self, folder: Path, target: Target, workshop: Workshop) -> Built:
        """Compile without the tests, for what is deployed was tested before."""
        mvn = workshop.tools.find("mvn", folder / MANIFEST, "install Maven (maven.apache.org)")
        key = None
        if not _changes(read_text(folder / MANIFEST)):
            key = key_of("maven", *target, digest(folder, without=(TARGET,)))

        def compile_(work: Path) -> Mapping[str, Entry]:
            project, jars = work / "project" / folder.name, work / "jars"
            copy(folder, project, without=(TARGET,))
            note(f"maven builds for {target.runtime}")
            command = [
                mvn, "-B", "-ntp", "-DskipTests", "package", COPY, "-DincludeScope=runtime",
                "-Dmdep.prependGroupId=true", f"-DoutputDirectory={jars}",
            ]  # fmt: skip
            workshop.tools.run(command, project, advice=_ADVICE)
            return _packed(project / TARGET / "classes", jars, target)

        return Built(workshop.kept(key, compile_), whole=True)


def _changes(manifest: str) -> bool:
    """Say whether it asks for a snapshot, which is another one tomorrow under the same version."""
    return bool(_SNAPSHOT.search(_COMMENT.sub("", manifest)))


def _packed(classes: Path, jars: Path, target: Target) -> Mapping[str, Entry]:
    if not classes.is_dir():
        raise Failure(f"{MANIFEST}: no classes came of it: sources in src/main/java are expected")

    def checked(name: str, content: bytes) -> bytes:
        made_for = int.from_bytes(content[_CLASS_VERSION]) - _BEFORE_JAVA_1
        if content.startswith(_CLASS_MARK) and made_for > _version(target.runtime):
            raise Failure(
                f"{name} is compiled for Java {made_for}, which {target.runtime} does not run: set "
                f"maven.compiler.release to {_version(target.runtime)}, or give another --runtime",
                USAGE,
            )
        return content

    own = pack(classes, change=checked)
    return own | (pack(jars, f"{JARS}/") if jars.is_dir() else {})


def _version(runtime: str) -> int:
    """Return 21 of `java21` and 8 of `java8.al2`."""
    return int(runtime.removeprefix("java").partition(".")[0])
