"""Takes in what others send, some of which cannot be read: {"weight": "12 kg"}."""


def handler(event, _context):
    """Return a weight in grams."""
    number, unit = event["weight"].split()
    return {"grams": int(number) * {"g": 1, "kg": 1000}[unit]}
