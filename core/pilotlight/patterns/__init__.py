"""Event patterns: EventBridge's language of what an event must hold, compiled once. Pure.

Event source mappings filter records with it (`filters`); rules of events can match with it as they
are. What a pattern means is what AWS's own library, event-ruler, does with it: its verdicts on
thousands of patterns and events are replayed in tests. Where Pilotlight deviates, it says so:
`addresses`, and `conditions`, which keeps the alternatives of a field apart.
"""

from .compiler import compile_pattern
from .errors import PatternError
from .filters import DYNAMODB, KAFKA, KINESIS, MQ, SQS, Content, FilterCriteria, compile_filters
from .matching import Pattern
from .numbers import load_json

__all__ = [
    "DYNAMODB",
    "KAFKA",
    "KINESIS",
    "MQ",
    "SQS",
    "Content",
    "FilterCriteria",
    "Pattern",
    "PatternError",
    "compile_filters",
    "compile_pattern",
    "load_json",
]
