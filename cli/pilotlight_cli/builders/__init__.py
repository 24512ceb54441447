"""Builds what folders are: dependencies installed, programs compiled, for the runtime's platform.

`Packager` makes the package of a folder: it looks for the folder's builder (`builder_of`, a file
for each kind of project), has it build in the `workshop`, and lays the folder's own files over it.
What asks for nothing is packed as it is, at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight.runtimes import family_of

from ..failures import USAGE, Failure
from ..package import Package, Packages
from .go import GoBuilder
from .maven import MavenBuilder
from .node import NodeBuilder
from .python import PythonBuilder
from .ruby import RubyBuilder
from .rust import RustBuilder
from .target import ARCHITECTURES, Target, this_machine
from .workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from .builder import Builder

__all__ = ["ARCHITECTURES", "Packager", "Target", "Workshop", "builder_of", "this_machine"]

BUILDERS: tuple[Builder, ...] = (
    PythonBuilder(), NodeBuilder(), GoBuilder(), RustBuilder(), MavenBuilder(), RubyBuilder(),
)  # fmt: skip


def builder_of(source: Path, runtime: str | None) -> Builder | None:
    """Find what builds a folder for a runtime, if it is known; None where nothing has to.

    Raises Failure where several could.
    """
    if not source.is_dir():
        return None
    prefix = family_of(runtime).prefix if runtime else None
    asked = [one for one in BUILDERS if prefix in {None, one.prefix}]
    found = {name: one for one in asked if (name := one.manifest(source))}
    if len(found) > 1:
        raise Failure(
            f"{source} has {' and '.join(found)}: a folder with one of them is expected, or "
            "--runtime that says which is built",
            USAGE,
        )
    return next(iter(found.values()), None)


class Packager:
    """Makes packages; keeps what it compressed and built from one time to the next."""

    def __init__(
        self,
        workshop: Workshop | None = None,
        *,
        architecture: str | None = None,
    ) -> None:
        """`architecture` is that of all that runs on this machine, whatever a function says."""
        self.workshop = workshop or Workshop()
        self._packages = Packages()
        self._architecture = architecture

    def package_of(
        self,
        source: Path,
        target: Target,
        *,
        without: Collection[Path] = (),
        build: bool = True,
    ) -> Package:
        """Build and zip a folder, or take a file as it is (`Packages.package_of`)."""
        builder = builder_of(source, target.runtime) if build else None
        if builder is None:
            return self._packages.package_of(source, without=without)
        target = Target(target.runtime, self._architecture or target.architecture)
        built = builder.build(source.resolve(), target, self.workshop)
        if built.whole:
            return built.package()
        return self._packages.package_of(source, without=without, built=built)
