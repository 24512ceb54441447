"""Raises, so that you see what a caller gets: {"amount": "a lot"}."""


class InvalidAmountError(Exception):
    """The amount is no number."""


def handler(event, _context):
    """Double an amount."""
    try:
        return {"double": 2 * int(event["amount"])}
    except ValueError as error:
        raise InvalidAmountError(f"amount {event['amount']!r}: a number is expected") from error
