"""Reads a topic of Kafka: the balance of each account, in the order of its payments."""

import base64
import json

balances = {}


def handler(event, _context):
    """Print balances; a batch that has a broken payment fails before it changes any."""
    for partition, records in event["records"].items():
        payments = [read(record) for record in records]
        for offset, account, amount in payments:
            balances[account] = balances.get(account, 0) + amount
            print(f"{partition} {offset}: {account} has {balances[account]}")


def read(record):
    """Return a payment's offset, account and amount."""
    payment = json.loads(base64.b64decode(record["value"]))
    return record["offset"], payment["account"], payment["amount"]
