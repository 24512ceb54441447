"""A destination: gets the record of each invocation that ended, and tells of it."""


def handler(record, _context):
    """Say how an order ended, from the event that was sent and what the function answered."""
    order = record["requestPayload"]["order"]
    condition, answer = record["requestContext"]["condition"], record["responsePayload"]
    text = f"{condition}, {answer.get('errorMessage') or answer['total']}"
    print(f"order {order}: {text}")
    return {"told": text}
