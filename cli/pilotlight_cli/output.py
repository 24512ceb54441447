"""What commands print: data on standard output, everything else on standard error.

Text for a person or, with `-o json`, JSON for a program; ticks and colours only on a terminal
(click strips colours elsewhere, and `main` does for NO_COLOR).
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Literal

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Format", "columns", "emit_json", "note", "size", "tick"]

Format = Literal["text", "json"]
KILO = 1000


def emit_json(value: object, *, indent: int | None = 2) -> None:
    """Print a document; `indent` None makes it one line."""
    click.echo(json.dumps(value, indent=indent, ensure_ascii=False))


def columns(rows: Iterable[Sequence[object]], *, gap: int = 2) -> str:
    """Align rows; the last column is not padded."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return "\n".join(
        "".join(f"{cell:<{width + gap}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in texts
    )


def note(text: str) -> None:
    """Tell a person how it goes."""
    click.echo(text, err=True)


def tick() -> str:
    """Return a green tick and a blank on a terminal, nothing elsewhere."""
    return click.style("✓ ", fg="green") if sys.stdout.isatty() else ""


def size(count: int) -> str:
    """Say a number of bytes for a person: 812 B, 3.2 kB, 1.5 MB."""
    if count < KILO:
        return f"{count} B"
    if count < KILO * KILO:
        return f"{count / KILO:.1f} kB"
    return f"{count / KILO / KILO:.1f} MB"
