"""Fails with an error of its own that another one caused."""


class OrderError(Exception):
    """What went wrong with an order."""


def _load(order):
    return {"known": 1}[order]


def handler(event, context):
    try:
        return _load(event)
    except KeyError as error:
        raise OrderError("no order: " + str(event)) from error
