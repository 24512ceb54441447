"""Managed Java: its code comes compiled, as a jar or as classes and `lib/*.jar` in a zip."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .family import Family, Handler, Sources

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NEWEST", "Java"]

NEWEST = "java21"
"""Of those that an image runs."""
_PACKAGE = re.compile(r"^\s*package\s+([\w.]+)\s*;", re.MULTILINE)
_CLASS = re.compile(
    r"\bpublic\s+(?:final\s+)?(?:class|record)\s+(\w+)[^{;]*?"
    r"\bimplements\b[^{]*?\bRequest(?:Stream)?Handler\b"
)
PROJECT = """<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>first</groupId>
  <artifactId>first</artifactId>
  <version>1</version>
  <properties>
    <maven.compiler.release>17</maven.compiler.release>
    <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
  </properties>
  <dependencies>
    <dependency> <!-- Lambda has it: it is for the compiler alone -->
      <groupId>com.amazonaws</groupId>
      <artifactId>aws-lambda-java-core</artifactId>
      <version>1.4.0</version>
      <scope>provided</scope>
    </dependency>
  </dependencies>
  <build>
    <plugins>
      <plugin>
        <artifactId>maven-compiler-plugin</artifactId>
        <version>3.14.0</version>
      </plugin>
    </plugins>
  </build>
</project>
"""
FIRST = """package first;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.util.Map;

/** A first function: it greets whom its event names. */
public class Greeter implements RequestHandler<Map<String, String>, Map<String, String>> {
    @Override
    public Map<String, String> handleRequest(Map<String, String> event, Context context) {
        System.out.println("called as " + context.getFunctionName());
        return Map.of("greeting", "Hello, " + event.getOrDefault("name", "world") + "!");
    }
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Java(Family):
    """The family of `java21`."""

    prefix: str = "java"
    supported: frozenset[str] = frozenset({
        "java8.al2", "java11", "java17", NEWEST, "java25", "java8.al2023", "java11.al2023",
        "java17.al2023",
    })  # fmt: skip
    deprecated: frozenset[str] = frozenset({"java8"})
    one_call: frozenset[str] = frozenset({
        "java8.al2", "java11", "java17", "java8.al2023", "java11.al2023", "java17.al2023",
    })  # fmt: skip
    needs_image: bool = False
    pooled: bool = True

    def find_handler(self, sources: Sources) -> Handler | None:
        """Find the only public class that implements one of Lambda's interfaces."""
        texts = (
            text.decode(errors="replace")
            for name, text in sources.files.items()
            if name.endswith(".java")
        )
        found = [name for text in texts for name in _handlers(text)]
        return Handler(NEWEST, found[0]) if len(found) == 1 else None

    def first_files(self) -> Mapping[str, str]:
        """Return a project of Maven's, which `deploy` and `dev` compile."""
        return {"pom.xml": PROJECT, "src/main/java/first/Greeter.java": FIRST}

    def looks_for(self, only: str | None) -> str:  # noqa: ARG002  sources lie in folders
        """Name interfaces and the folder."""
        return "one class in src/main/java that implements RequestHandler or RequestStreamHandler"


def _handlers(text: str) -> list[str]:
    """Return the full names of classes; what it looks like counts, nothing is parsed."""
    package = _PACKAGE.search(text)
    prefix = f"{package[1]}." if package else ""
    return [f"{prefix}{name}" for name in _CLASS.findall(text)]
