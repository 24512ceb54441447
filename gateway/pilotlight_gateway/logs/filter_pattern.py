"""CloudWatch Logs' filter patterns: which log lines are wanted.

Three languages, told apart by their first character: terms (`ERROR -timeout "a phrase"`, `?one
?other`), JSON (`{ $.level = "ERROR" && $.ms > 100 }`), and words by position (`[time, level=ERROR,
...]`). After the CloudWatch Logs User Guide, "Filter pattern syntax". Regular expressions (`%…%`)
are refused: Python's may run for ever. `compile_filter` reads a pattern once; its result is asked
line by line (`apis.logs`, `subscriptions`).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from .conditions import FilterPatternError, Tokens, parse_any
from .selectors import field_selector, json_selector

if TYPE_CHECKING:
    from collections.abc import Callable

    Filter = Callable[[str], bool]

__all__ = ["Filter", "FilterPatternError", "compile_filter"]

_TERM = re.compile(r'(?P<sign>[?-]?)(?:"(?P<phrase>(?:[^"\\]|\\.)*)"|(?P<word>[^\s"]+))')
_WORD = re.compile(r'\[[^\]]*\]|"[^"]*"|\S+')
"""What counts as one word of a line: text in brackets or quotes stays together."""
ELLIPSIS = "..."


def compile_filter(pattern: str) -> Filter:
    """Return what says whether a line is wanted; raises FilterPatternError."""
    text = pattern.strip()
    if "%" in text and re.search(r"%\S[^%]*%", text):
        raise FilterPatternError("regular expressions (%...%) are not supported here")
    if text.startswith("{"):
        return _json(text)
    if text.startswith("["):
        return _words(text)
    return _terms(text)


def _terms(text: str) -> Filter:
    wanted, unwanted, either = _sorted_terms(text)
    if wanted or unwanted:
        either = []  # as AWS says: beside other terms a ? is ignored

    def matches(line: str) -> bool:
        return (
            all(term in line for term in wanted)
            and not any(term in line for term in unwanted)
            and (not either or any(term in line for term in either))
        )

    return matches


def _sorted_terms(text: str) -> tuple[list[str], list[str], list[str]]:
    wanted: list[str] = []
    unwanted: list[str] = []
    either: list[str] = []
    end = 0
    for term in _TERM.finditer(text):
        if text[end : term.start()].strip():
            raise FilterPatternError(f"{text[end:][:40]!r} is no term: is a quote missing?")
        phrase = term["phrase"]
        said = term["word"] if phrase is None else re.sub(r"\\(.)", r"\1", phrase)
        {"": wanted, "-": unwanted, "?": either}[term["sign"]].append(said)
        end = term.end()
    if text[end:].strip():
        raise FilterPatternError(f"{text[end:][:40]!r} is no term: is a quote missing?")
    return wanted, unwanted, either


def _json(text: str) -> Filter:
    if not text.endswith("}"):
        raise FilterPatternError("a pattern that begins with { ends with }")
    tokens = Tokens(text[1:-1])
    condition = parse_any(tokens, json_selector)
    tokens.expect_end()

    def matches(line: str) -> bool:
        if not line.lstrip().startswith("{"):
            return False
        try:
            document = json.loads(line)
        except (ValueError, RecursionError):
            return False
        return condition(document)

    return matches


def _words(text: str) -> Filter:
    if not text.endswith("]"):
        raise FilterPatternError("a pattern that begins with [ ends with ]")
    fields = [field.strip() for field in _fields(text[1:-1])]
    if fields.count(ELLIPSIS) > 1:
        raise FilterPatternError("... may stand once")
    before = fields.index(ELLIPSIS) if ELLIPSIS in fields else len(fields)
    conditions = [_field(field) for field in fields if field != ELLIPSIS]

    def matches(line: str) -> bool:
        words = _WORD.findall(line)
        if ELLIPSIS in fields:
            if len(words) < len(conditions):
                return False
            words = words[:before] + words[len(words) - (len(conditions) - before) :]
        return len(words) == len(conditions) and all(
            condition(_bare(word)) for condition, word in zip(conditions, words, strict=True)
        )

    return matches


def _fields(text: str) -> list[str]:
    return re.findall(r'(?:"[^"]*"|[^,"])+', text)


def _field(text: str) -> Callable[[object], bool]:
    name = re.match(r"\w*", text)
    if name is not None and name.end() == len(text):
        return lambda _: True
    tokens = Tokens(text)
    condition = parse_any(tokens, field_selector)
    tokens.expect_end()
    return condition


def _bare(word: str) -> str:
    if len(word) > 1 and (word[0], word[-1]) in {("[", "]"), ('"', '"')}:
        return word[1:-1]
    return word
