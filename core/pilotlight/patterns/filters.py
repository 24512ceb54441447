"""The filters of an event source mapping: patterns that records must match, any one of them.

What Lambda adds to EventBridge's patterns (Developer Guide, "Control which events Lambda sends to
your function"): how many there may be and how long, and that what a sender wrote, a message's
`body` or a record's `data`, is decoded first. Where a filter asks for fields of it, it must be
JSON; where a filter asks for its text, it must be none; a record of the other form is dropped.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .compiler import compile_pattern
from .errors import PatternError, UnjudgedError
from .matching import Work
from .numbers import load_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .matching import Pattern

__all__ = [
    "DYNAMODB",
    "KAFKA",
    "KINESIS",
    "MQ",
    "SQS",
    "Content",
    "FilterCriteria",
    "compile_filters",
]

MOST_FILTERS = 10
"""Lambda's quota; five where nobody asked for more."""
LONGEST_PATTERN = 4096
"""Bytes."""


@dataclass(frozen=True, slots=True)
class Content:
    """Where the records of a source have what their senders wrote."""

    keys: tuple[str, ...]
    encoded: bool = False
    """In Base64."""
    inside: str | None = None
    """The member that has the keys; filters see its members as if they were the record's own."""


SQS = Content(("body",))
KINESIS = Content(("data",), encoded=True, inside="kinesis")
KAFKA = Content(("key", "value"), encoded=True)
MQ = Content(("data",), encoded=True)
DYNAMODB = Content(())


class FilterCriteria:
    """Compiled filters of a mapping."""

    def __init__(self, patterns: Sequence[Pattern], content: Content) -> None:
        self._patterns = [_Filter(pattern, content) for pattern in patterns]
        self._content = content

    def __bool__(self) -> bool:
        """Whether there are filters."""
        return bool(self._patterns)

    def accepts(self, record: Mapping[str, Any]) -> bool:
        """Say whether the function gets a record, in Lambda's form; no filters accept all.

        It gets one, too, that takes too long to judge: whatever is not wanted is lost.
        """
        if not self._patterns:
            return True
        shown = dict(record)
        if self._content.inside is not None:
            shown |= record[self._content.inside]
        forms = {key: _decoded(shown.get(key), self._content) for key in self._content.keys}
        shown |= {key: value for key, value in forms.items() if value is not None}
        work = Work()
        try:
            return any(one.accepts(shown, forms, work) for one in self._patterns)
        except UnjudgedError:
            return True


def compile_filters(patterns: Sequence[str], content: Content) -> FilterCriteria:
    """Compile filters of a source; raises PatternError that names the filter and what is wrong."""
    if len(patterns) > MOST_FILTERS:
        raise PatternError(f"{len(patterns)} filters came, at most {MOST_FILTERS} are allowed")
    return FilterCriteria([_compile(at, text) for at, text in enumerate(patterns)], content)


def _compile(position: int, text: str) -> Pattern:
    size = len(text.encode(errors="surrogatepass"))
    wrong = f"Invalid filter pattern definition. Filters[{position}].Pattern: "
    if size > LONGEST_PATTERN:
        raise PatternError(f"{wrong}{size} bytes came, at most {LONGEST_PATTERN} are allowed")
    try:
        return compile_pattern(text)
    except PatternError as error:
        raise PatternError(f"{wrong}{error}") from error


class _Filter:
    def __init__(self, pattern: Pattern, content: Content) -> None:
        self._pattern = pattern
        self._as_json = {
            key for key in content.keys if any(one.startswith(f"{key}.") for one in pattern.fields)
        }
        self._as_text = pattern.fields & set(content.keys)

    def accepts(self, shown: Mapping[str, Any], forms: Mapping[str, Any], work: Work) -> bool:
        # With `$or` a filter may take both forms: then the pattern alone decides.
        for key in self._as_json ^ self._as_text:
            wanted = (dict, list) if key in self._as_json else str
            if not isinstance(forms[key], wanted):
                return False
        return self._pattern.matches(shown, work)


def _decoded(content: Any, where: Content) -> Any:
    """Return an object or array, else the text; None where it is no text.

    Other JSON, a bare number or a quoted text, stays the text that it is: no filter could ask for
    `17` otherwise, since a number has no fields.
    """
    if not isinstance(content, str):
        return None
    try:
        text = base64.b64decode(content).decode() if where.encoded else content
    except (binascii.Error, UnicodeDecodeError):
        return None
    try:
        document = load_json(text)
    except ValueError:
        return text
    return document if isinstance(document, dict | list) else text
