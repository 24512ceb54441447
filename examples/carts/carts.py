"""Reads a stream of Redis: what comes into which cart."""


def handler(event, _context):
    """Print items; a batch with an entry that has none is halved until that one is alone."""
    for record in event["Records"]:
        fields = record["fields"]
        print(f"cart {fields['cart']}: {fields['item']}")
