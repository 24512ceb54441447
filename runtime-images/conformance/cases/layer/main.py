import shared


def handler(event, context):
    return shared.told
