"""Counts the words of a text: {"text": "…", "most": 5}."""

import re
from collections import Counter

WORD = re.compile(r"[\w']+")


def handler(event, _context):
    """Return the number of words and the most frequent ones."""
    words = WORD.findall(event["text"].lower())
    counts = Counter(words)
    return {
        "words": len(words),
        "different": len(counts),
        "most": counts.most_common(event.get("most", 5)),
    }
