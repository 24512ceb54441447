"""Reads a stream of NATS JetStream: warns of heat; a broken reading comes again alone."""

import base64

HOT = 80.0


def handler(event, _context):
    """Print warnings, and name the messages that are no numbers."""
    failures = []
    for record in event["Records"]:
        try:
            degrees = float(base64.b64decode(record["data"]))
        except ValueError:
            failures.append({"itemIdentifier": record["messageId"]})
            continue
        if degrees > HOT:
            print(f"{record['subject']} is too hot: {degrees}")
    return {"batchItemFailures": failures}
