"""Gives answers that JSON encoders treat differently."""

import datetime
from collections import OrderedDict, namedtuple
from decimal import Decimal

Point = namedtuple("Point", "x y")


def handler(event, context):
    return {
        "decimal": {"price": Decimal("12.340"), "list": [Decimal(7), Decimal("1E+3")]},
        "decimal_nan": Decimal("NaN"),
        "unicode": "grüße \u2028 \U0001f680 \u0001 \" \\ / \u007f",
        "nothing": None,
        "number": 0.1,
        "big": 10**30,
        "nan": float("nan"),
        "infinity": float("-inf"),
        "tuple": (1, (2, 3)),
        "named": [Point(1, Point(2, 3))],
        "bytes": {"inside": b"text"},
        "bytes_key": {b"key": 1},
        "ordered": OrderedDict(b=[Point(1, 2)], a=1),
        "keys": {1: "a", 1.5: "b", None: "c", False: "d"},
        "raw": b"\x00\xffraw",
        "text": "plain",
        "date": datetime.date(2026, 1, 1) if event == "date" else "",
        "bad_bytes": [b"\xff"],
    }[event]
