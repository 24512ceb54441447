"""Ruby projects: the gems of `Gemfile`, where Lambda looks for them.

Source: AWS Lambda Developer Guide, "Deploy Ruby Lambda functions with .zip file archives".
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from pilotlight.runtimes.ruby import NEWEST

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

__all__ = ["RubyBuilder"]

MANIFEST, LOCK, GEMS = "Gemfile", "Gemfile.lock", "vendor/bundle"
SETTINGS, CONFIG = ".bundle", ".bundle/config"
"""Of Bundler in the folder: where gems lie, passwords of their servers, and the like."""
_OWN = re.compile(r"^BUNDLE_(?:PATH\w*|WITHOUT|FROZEN):.*\n?(?:[ \t-].*\n?)*", re.MULTILINE)
"""Settings that are said here: of the folder they would come before variables.

Source: Bundler's documentation, "bundle config", "Configuration keys".
"""
_ASKS = re.compile(r"^\s*(?:gem|gemspec)\b", re.MULTILINE)
_NOT_PACKED = re.compile(r"^ruby/[^/]+/(?:bin|cache|doc|build_info)/|/(?:gem_make\.out|mkmf\.log)$")
"""What only installing needs, or names this machine's folders."""
_EXTENSION = re.compile(r"^ruby/[^/]+/extensions/.*\.(?:so|bundle)$")
"""What was compiled here; gems that come compiled may have libraries of several machines."""
_ADVICE = (
    NO_NETWORK,
    Advice(r"frozen|lockfile", f"{LOCK} is not of this {MANIFEST}: run `bundle lock`"),
    Advice(r"Could not find", f"a name or a version is not there: look at {MANIFEST}"),
    Advice(r"native extension", "a gem is compiled and fails: see its log above"),
)


class RubyBuilder:
    """Builds Ruby projects."""

    prefix = "ruby"
    handler: str | None = None

    def manifest(self, folder: Path) -> str | None:
        """Name `Gemfile` where it asks for gems."""
        return MANIFEST if _ASKS.search(read_text(folder / MANIFEST)) else None

    def runtime(self, folder: Path) -> str:
        """Choose what `.ruby-version` says, else the one that an image runs."""
        said = re.match(r"\s*(?:ruby-)?(\d+\.\d+)", read_text(folder / ".ruby-version"))
        return f"ruby{said[1]}" if said else NEWEST

    def build(self, folder: Path, target: Target, workshop: Workshop) -> Built:
        """Install what is not for development or tests alone."""
        bundle = workshop.tools.find("bundle", folder / MANIFEST, "install Ruby and Bundler")
        _check_version(folder, target, workshop)
        # A Gemfile may name any file: gems of the project's own lie where it says.
        key = key_of("bundle", *target, digest(folder, without=(GEMS,)))

        def install(work: Path) -> Mapping[str, Entry]:
            project = work / folder.name
            copy(folder, project, without=(GEMS,))
            _take_over(project / CONFIG)
            note(f"bundler installs for {target.runtime}")
            variables = _variables(frozen=(folder / LOCK).is_file())
            workshop.tools.run([bundle, "install"], project, advice=_ADVICE, variables=variables)
            return pack(project / GEMS, f"{GEMS}/", change=partial(_packed, target))

        return Built(workshop.kept(key, install), frozenset({GEMS, SETTINGS}))


def _take_over(config: Path) -> None:
    """Leave of a copy's settings what a build does not say itself."""
    if config.is_file():
        config.write_text(_OWN.sub("", read_text(config)), encoding="utf-8")


def _check_version(folder: Path, target: Target, workshop: Workshop) -> None:
    """Compare this machine's Ruby: gems lie in a folder of its version, compiled for it."""
    ruby = workshop.tools.find("ruby", folder / MANIFEST, "install Ruby and Bundler")
    found = workshop.tools.ask([ruby, "-e", "print RUBY_VERSION"], folder)
    if not found.startswith(f"{target.version}."):
        raise Failure(
            f"{folder / MANIFEST}: {target.runtime} wants its gems installed by Ruby "
            f"{target.version}, and {ruby} is {found}",
            USAGE,
        )


def _variables(*, frozen: bool) -> dict[str, str]:
    lock = {"BUNDLE_FROZEN": "true"} if frozen else {}
    return {"BUNDLE_PATH": GEMS, "BUNDLE_WITHOUT": "development:test", **lock}


def _packed(target: Target, name: str, content: bytes) -> bytes | None:
    if _EXTENSION.search(name):
        target.check(f"{GEMS}/{name}", content)
    return None if _NOT_PACKED.search(name) else content
