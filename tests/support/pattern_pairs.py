"""Patterns with events, made by chance from a seed: what `event_ruler` is asked about.

Values come from a small vocabulary and from what the pattern asks for, so that many match. Left out
is what event-ruler gets wrong by its construction and Pilotlight does not repeat: numbers and IPv6
addresses that begin like the digits of an IPv4 network; equals-ignore-case beside a wildcard, where
a value that begins like the one can be lost to the other; characters beyond 16 bits ignoring case;
numbers beyond a double that are spelt in two ways.
"""

from __future__ import annotations

import json
import random
from typing import Any

__all__ = ["pairs"]

TEXTS = [
    "",
    "a",
    "ab",
    "abc",
    "ABC",
    "aXc",
    "b",
    "ba.png",
    "A*c",
    "a\\c",
    "5",
    "true",
    "ß",
    "SS",
    "Ω",
    "大",
]
NUMBERS = ["0", "-0", "1", "1.0", "5", "5e0", "-3.5", "100", "1e2", "1E2", "0.1", "3.018e2",
           "9007199254740993", "123456789012345678901"]  # fmt: skip
ORDERED = [*NUMBERS[:-2] * 3, NUMBERS[-1], "7", "-4", "99.5"]
ADDRESSES = ["10.0.0.1", "10.1.2.3", "010.1.2.3", "192.168.7.9", "203.0.113.255", "256.1.1.1",
             "2001:db8::1", "2001:DB8:0:0:0:0:0:1", "fe80::ff", "::ffff:a00:1", "1:2"]  # fmt: skip
NETWORKS = [
    "10.0.0.0/8",
    "10.0.0.0/31",
    "192.168.0.0/17",
    "203.0.113.7/24",
    "2001:db8::/32",
    "2001:db8::/127",
    "fe80::/10",
    "192.168.7.9/31",
]
BAD_NETWORKS = ["10.0.0.0/32", "10.0.0/8", "10.0.0.0", "::/128", "10.0.0.0/x"]  # fmt: skip
WILDCARDS = ["*", "a*", "*c", "a*c", "*b*", "a*b*c", "A\\*c", "a\\\\c", "*.png", "a*a"]
BAD_WILDCARDS = ["**", "a**", "a\\b", "b\\"]
PLAIN = [True, False, None]
NAMES = ["a", "b", "c", "d.e"]


class _Number(str):
    """A number as it is spelt."""

    __slots__ = ()


def pairs(seed: int, count: int) -> list[tuple[str, str]]:
    """Return patterns and events as JSON texts, four events to a pattern."""
    maker = _Maker(random.Random(seed))
    return [pair for _ in range(count // 4) for pair in maker.of_one_pattern()]


def _json(value: Any) -> str:
    """Write JSON with numbers as they are spelt."""
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{_json(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_json, value)) + "]"
    return json.dumps(value)


class _Maker:
    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._with_wildcards = True

    def of_one_pattern(self) -> list[tuple[str, str]]:
        self._with_wildcards = self._likely(0.5)
        pattern = self._object(depth=0)
        if self._chance.random() < 0.06:
            pattern = self._broken(pattern)
        text = _json(pattern)
        return [(text, _json(self._event(pattern))) for _ in range(4)]

    def _pick(self, *among: Any) -> Any:
        # By `random` alone, whose numbers a seed fixes for every version of Python.
        return among[int(self._chance.random() * len(among))]

    def _likely(self, share: float) -> bool:
        return self._chance.random() < share

    def _object(self, depth: int, *, inside_or: bool = False) -> dict[str, Any]:
        shuffled = sorted(NAMES, key=lambda _: self._chance.random())
        names = shuffled[: self._pick(1, 1, 2, 2, 3)]
        made: dict[str, Any] = {
            name: self._object(depth + 1, inside_or=inside_or)
            if depth < 2 and self._likely(0.3)
            else [self._alternative() for _ in range(self._pick(1, 1, 1, 2))]
            for name in names
        }
        if depth < 2 and self._likely(0.15):
            made["$or"] = [
                self._object(depth + 1, inside_or=True) for _ in range(self._pick(2, 2, 3))
            ]
        elif self._likely(0.03):
            made["$or"] = self._pick(
                ["a"], [{"prefix": "a"}], [1], [{"exists": False}], [{"a": ["a"]}]
            )
        return made

    def _alternative(self) -> Any:
        either = self._wildcard if self._with_wildcards else self._ignore_case
        texts = [self._text, self._text, self._prefix, self._suffix, either]
        others = [self._a_number, self._plain, self._address, self._numeric, self._cidr]
        both = [self._anything_but, self._anything_but, self._exists, self._exists]
        return self._pick(*texts, *others, *both)()

    def _text(self) -> str:
        return str(self._pick(*TEXTS))

    def _a_number(self) -> _Number:
        return _Number(self._pick(*NUMBERS))

    def _plain(self) -> Any:
        return self._pick(*PLAIN)

    def _address(self) -> str:
        return str(self._pick(*ADDRESSES))

    def _prefix(self) -> Any:
        return {"prefix": self._perhaps_ignoring_case(self._text())}

    def _suffix(self) -> Any:
        return {"suffix": self._perhaps_ignoring_case(self._pick("c", "C", "png", ".png", "ß"))}

    def _perhaps_ignoring_case(self, text: str) -> Any:
        if self._with_wildcards or self._likely(0.5):
            return text
        return {"equals-ignore-case": text}

    def _ignore_case(self) -> Any:
        return {"equals-ignore-case": self._text()}

    def _wildcard(self) -> Any:
        return {"wildcard": self._pick(*(WILDCARDS if self._likely(0.9) else BAD_WILDCARDS))}

    def _anything_but(self) -> Any:
        either = "wildcard" if self._with_wildcards else "equals-ignore-case"
        kind = self._pick("text", "texts", "number", "numbers", "prefix", "suffix", either)
        if kind in {"text", "texts"}:
            return {
                "anything-but": [self._text(), self._text()] if kind == "texts" else self._text()
            }
        if kind in {"number", "numbers"}:
            some = [_Number(self._pick(*ORDERED)) for _ in range(2)]
            return {"anything-but": some if kind == "numbers" else some[0]}
        words = WILDCARDS if kind == "wildcard" else TEXTS
        one = self._pick(*words)
        return {"anything-but": {kind: self._pick(one, [one, self._pick(*words)])}}

    def _numeric(self) -> Any:
        low, high = (_Number(self._pick(*ORDERED)) for _ in range(2))
        if float(low) > float(high) and self._likely(0.8):
            low, high = high, low
        operand = self._pick(
            ["=", low], ["<", low], ["<=", low], [">", low], [">=", low],
            [">", low, "<", high], [">=", low, "<=", high], [">=", low, "<", high],
            ["<", low, ">", high],
        )  # fmt: skip
        return {"numeric": operand}

    def _exists(self) -> Any:
        return {"exists": self._pick(*PLAIN[:2])}

    def _cidr(self) -> Any:
        return {"cidr": self._pick(*(NETWORKS if self._likely(0.9) else BAD_NETWORKS))}

    def _broken(self, pattern: dict[str, Any]) -> dict[str, Any]:
        mistake: Any = self._pick(
            [], {}, "a", 1, None, [[]], [{}], [{"prefx": "a"}], [{"prefix": 1}], [{"suffix": {}}],
            [{"prefix": "a", "suffix": "b"}], [{"exists": "yes"}], [{"numeric": []}],
            [{"numeric": "="}],
            [{"numeric": ["=", "1"]}], [{"numeric": ["~", 1]}], [{"numeric": [">", 1, ">", 2]}],
            [{"anything-but": []}], [{"anything-but": ["a", 1]}], [{"anything-but": True}],
            [{"anything-but": {"prefix": ""}}], [{"anything-but": {"cidr": "10.0.0.0/8"}}],
            [{"cidr": 1}], [{"wildcard": 1}],
             [{"equals-ignore-case": ["a"]}],
            [{"prefix": {"suffix": "a"}}],
        )  # fmt: skip
        return pattern | {self._pick(*NAMES): mistake}

    def _event(self, pattern: Any) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for part in [pattern, *self._some_of(pattern)]:
            for name, asked in part.items():
                if name != "$or" and not self._likely(0.06):
                    made[name] = self._held(asked)
        if self._likely(0.3):
            made[self._pick(*NAMES, "other")] = self._value()
        return self._nested(made)

    def _some_of(self, pattern: dict[str, Any]) -> list[dict[str, Any]]:
        either = pattern.get("$or")
        objects = (
            [one for one in either if isinstance(one, dict)] if isinstance(either, list) else []
        )
        return [one for one in objects if self._likely(0.6)]

    def _held(self, asked: Any) -> Any:
        """Return what may stand where a pattern asks for something."""
        if isinstance(asked, dict):
            if self._likely(0.35):
                return [self._event(asked) for _ in range(self._pick(1, 2, 2, 3))]
            return self._event(asked)
        if self._likely(0.2):
            return [self._near(asked) for _ in range(self._pick(0, 1, 2))]
        if self._likely(0.05):
            return [[self._near(asked)], self._near(asked)]
        return self._near(asked)

    def _near(self, asked: Any) -> Any:
        operands = [
            one
            for one in _leaves(asked)
            if isinstance(one, _Number) or one not in {"=", "<", "<=", ">", ">="}
        ]
        if operands and self._likely(0.75):
            one = self._pick(*operands)
            return one if isinstance(one, _Number) or not isinstance(one, str) else self._like(one)
        return self._value()

    def _like(self, text: str) -> Any:
        text = text.partition("/")[0] if "::" in text or text[:2].isdigit() else text
        return self._pick(
            text,
            text,
            text,
            text.replace("*", "b"),
            text.replace("*", ""),
            text + "c",
            "a" + text,
            text.swapcase(),
        )

    def _value(self) -> Any:
        return self._pick(self._text, self._a_number, self._plain, self._address)()

    def _nested(self, event: dict[str, Any]) -> dict[str, Any]:
        """Write some names with a point as an object in an object, the same to patterns."""
        if "d.e" in event and self._likely(0.5):
            return event | {"d": {"e": event.pop("d.e")}}
        return event


def _leaves(asked: Any) -> list[Any]:
    if isinstance(asked, dict):
        return [leaf for inner in asked.values() for leaf in _leaves(inner)]
    if isinstance(asked, list):
        return [leaf for inner in asked for leaf in _leaves(inner)]
    return [asked]
