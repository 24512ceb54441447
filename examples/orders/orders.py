"""Confirms an order: {"order": 7, "items": {"lamp": 39}}. What came of it goes to `notify`."""


class EmptyOrderError(Exception):
    """Nothing was ordered."""


def handler(event, _context):
    """Return the total; an order without items fails."""
    if not event["items"]:
        raise EmptyOrderError(f"order {event['order']} has no items")
    return {"total": sum(event["items"].values())}
