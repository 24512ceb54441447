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


def test_a_project_called_lib(
    tmp_path: Path, packager: Packager, tool: Callable[[str, str], Path]
) -> None:
    """Its sources are no jars."""
    tool("mvn", MAVEN.format("class"))
    folder = project(tmp_path / "lib", {"pom.xml": "<project/>", "src/main/java/A.java": "source"})
    assert list(read_package(packager.package_of(folder, JAVA))) == [
        "lib/a.jar",
        "shop/Quote.class",
    ]


@pytest.mark.parametrize(
    ("said", "times"),
    [
        ("<dependencies><dependency><version>2-SNAPSHOT</version></dependency></dependencies>", 2),
        ("<parent>\n<version>\n1-SNAPSHOT\n</version>\n</parent>", 2),
        ("<properties><a>1-snapshot</a></properties>", 2),
        ("<parent><version>1</version></parent><version>1-SNAPSHOT</version>", 1),
        ("<!-- <parent><version>1-SNAPSHOT</version></parent> -->", 1),
    ],
)
def test_a_snapshot_is_asked_for_each_time(
    tmp_path: Path, packager: Packager, tool: Callable[[str, str], Path], said: str, times: int
) -> None:
    """Another one may have come under the same version; the project's own is in its folder."""
    asked = tool("mvn", MAVEN.format("class"))
    folder = project(tmp_path / "java", {"pom.xml": f"<project>{said}</project>"})
    made = [packager.package_of(folder, JAVA) for _ in range(2)]
    assert made[0] == made[1]
    assert len(asked.read_text().splitlines()) == times
    assert len([*(tmp_path / "cache").iterdir()]) == 2 - times
