"""Works off a queue of SQS: what fails is named, so that only that comes again."""

import json


def handler(event, _context):
    """Print the sum of each order; what is none is named as failed."""
    failures = []
    for record in event["Records"]:
        try:
            print(summary(json.loads(record["body"])))
        except (ValueError, KeyError, TypeError) as error:
            tries = record["attributes"]["ApproximateReceiveCount"]
            print(f"{record['messageId']} failed, try {tries}: {error!r}")
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}


def summary(order):
    """Say what an order comes to."""
    total = sum(item["price"] * item["count"] for item in order["items"])
    return f"order {order['id']}: {len(order['items'])} items, {total} in all"
