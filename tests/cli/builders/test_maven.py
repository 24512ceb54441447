"""Java projects become classes and the jars that they need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pilotlight_cli.builders import Target
from pilotlight_cli.failures import Failure
from tests.cli.builders.projects import project
from tests.support.packed import read_package

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pilotlight_cli.builders import Packager

JAVA = Target("java21", "x86_64")
JAVA_25 = r"\312\376\272\276\0\0\0\105"
"""How a class that was compiled for Java 25 begins."""
MAVEN = """for one in "$@"; do case $one in -DoutputDirectory=*) jars=${{one#*=}};; esac; done
mkdir -p target/classes/shop "$jars"
echo jar > "$jars/a.jar"
printf '{0}' > target/classes/shop/Quote.class
"""


def test_java(tmp_path: Path, packager: Packager, tool: Callable[[str, str], Path]) -> None:
    """Classes and the jars that they need; nothing is written into the folder."""
    asked = tool("mvn", MAVEN.format("class"))
    folder = project(tmp_path / "java", {"pom.xml": "<project/>", "target/old.jar": "old"})
    made = packager.package_of(folder, JAVA)
    assert list(read_package(made)) == ["lib/a.jar", "shop/Quote.class"]
    project(folder, {"target/old.jar": "older"})
    assert packager.package_of(folder, JAVA) == made
    assert len(asked.read_text().splitlines()) == 1
    assert not (folder / "target" / "classes").exists()


def test_classes_that_the_runtime_cannot_load(
    tmp_path: Path, packager: Packager, tool: Callable[[str, str], Path]
) -> None:
    tool("mvn", MAVEN.format(JAVA_25))
    folder = project(tmp_path / "java", {"pom.xml": "<project/>"})
    with pytest.raises(Failure, match=r"Quote\.class is compiled for Java 25, which java21 does"):
        packager.package_of(folder, JAVA)
