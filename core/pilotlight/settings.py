"""Settings of a process: fields of one dataclass, each an option and an environment variable.

`setting` describes a field. The command line makes options of them (`pilotlight_cli.options`), the
chart gives the variables; a test holds the chart against the fields.
"""

from __future__ import annotations

import dataclasses
from dataclasses import MISSING, Field, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["PREFIX", "Setting", "names", "one_of", "setting", "settings_of"]

PREFIX = "PILOTLIGHT_"
_KEY = "pilotlight"


@dataclasses.dataclass(frozen=True, slots=True)
class Setting:
    """One field, as whoever reads settings sees it."""

    name: str
    kind: str
    """The type, as it is annotated: `str`, `int`, `float`, `Path` …"""
    help: str
    default: Any
    """`dataclasses.MISSING` where it must be given."""
    parse: Callable[[str], Any] | None
    """Makes the value of a text, where the type's own constructor does not; raises ValueError."""

    @property
    def variable(self) -> str:
        """The environment variable."""
        return PREFIX + self.name.upper()

    @property
    def option(self) -> str:
        """The command line's option."""
        return "--" + self.name.replace("_", "-")

    @property
    def required(self) -> bool:
        """Whether it must be given."""
        return self.default is MISSING


def setting(
    text: str,
    *,
    default: Any = MISSING,
    parse: Callable[[str], Any] | None = None,
    secret: bool = False,
) -> Any:
    """Make a field of a settings dataclass; what is secret is not shown in its repr."""
    metadata = {_KEY: (text, parse)}
    return field(default=default, metadata=metadata, repr=not secret)


def settings_of(kind: type) -> Iterator[Setting]:
    """Yield the settings of a dataclass, in its order."""
    for one in dataclasses.fields(kind):
        yield _setting_of(one)


def one_of(*known: str) -> Callable[[str], str]:
    """Make a parser that takes some words and, by ValueError, refuses all others."""

    def parse(text: str) -> str:
        if text not in known:
            raise ValueError(f"{text!r} came, one of {', '.join(known)} is expected")
        return text

    return parse


def names(text: str) -> tuple[str, ...]:
    """Take a comma-separated list apart."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _setting_of(one: Field[Any]) -> Setting:
    text, parse = one.metadata[_KEY]
    return Setting(one.name, str(one.type), text, one.default, parse)
