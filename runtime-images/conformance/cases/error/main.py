class ShopError(Exception):
    pass


def handler(event, context):
    print("called with", event)
    if event is not None:
        raise ShopError(event)
    return "fine"
