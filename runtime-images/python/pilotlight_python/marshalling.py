"""Events from JSON and answers to it, as Lambda's Python runtime does.

AWS's runtime uses simplejson where a plain `json` would differ: a Decimal is a number, a named
tuple an object, bytes inside an answer are text, and from Python 3.12 on text is not escaped.
"""

import json
import math
import os
import secrets
from decimal import Decimal

_ESCAPING_RUNTIMES = frozenset({"AWS_Lambda_python3.10", "AWS_Lambda_python3.11"})


class _Encoder(json.JSONEncoder):
    """Standard JSON, but for a Decimal: it travels as marked text, which `encode` unmarks."""

    def __init__(self) -> None:
        escaping = os.environ.get("AWS_EXECUTION_ENV") in _ESCAPING_RUNTIMES
        super().__init__(ensure_ascii=escaping, allow_nan=True)
        self.mark = ""

    def default(self, o: object) -> object:
        if not isinstance(o, Decimal):
            return super().default(o)
        if o.is_nan():
            return math.nan
        self.mark = self.mark or secrets.token_hex(16)
        return f"{self.mark}{o}{self.mark}"

    def encode(self, o: object) -> str:
        try:
            plain = _plain(o)
        except RecursionError:
            plain = o  # circular, which the json module says better
        text = super().encode(plain)
        return text.replace(f'"{self.mark}', "").replace(f'{self.mark}"', "") if self.mark else text


def _plain(value: object) -> object:
    """Return the value with named tuples as dicts and bytes as text."""
    if type(value) in _ATOMS:
        return value
    if isinstance(value, dict):
        return {_plain_key(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        as_dict = getattr(value, "_asdict", None)
        return _plain(as_dict()) if callable(as_dict) else [_plain(each) for each in value]
    return value.decode() if isinstance(value, bytes) else value


def _plain_key(key: object) -> object:
    return key.decode() if isinstance(key, bytes) else key


_ATOMS = frozenset({str, int, float, bool, type(None)})
_encoder: _Encoder | None = None


def encode(value: object) -> str:
    """Return the JSON text of an answer or an error; raises what the json module raises."""
    global _encoder  # noqa: PLW0603 -- it depends on the environment, which is not there at import
    if _encoder is None:
        _encoder = _Encoder()
    return _encoder.encode(value)
