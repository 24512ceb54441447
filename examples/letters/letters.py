"""Takes messages from a queue of RabbitMQ, as AmazonMQ's come."""

import base64


def handler(event, _context):
    """Print each letter; one that raises goes back to its queue."""
    for queue, messages in event["rmqMessagesByQueue"].items():
        for message in messages:
            text = base64.b64decode(message["data"]).decode()
            print(f"{queue}: {text}")
