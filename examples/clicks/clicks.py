"""Reads a stream of Kinesis: counts clicks by page, and says where a batch is to begin again."""

import base64
import json

counts = {}


def handler(event, _context):
    """Print counts; from the first click that cannot be read on, the batch comes again."""
    for record in event["Records"]:
        try:
            page = json.loads(base64.b64decode(record["kinesis"]["data"]))["page"]
        except (ValueError, KeyError):
            number = record["kinesis"]["sequenceNumber"]
            return {"batchItemFailures": [{"itemIdentifier": number}]}
        counts[page] = counts.get(page, 0) + 1
        print(f"{page}: {counts[page]}")
    return {"batchItemFailures": []}
