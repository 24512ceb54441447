"""Fails with an error of its own while it is imported."""

print("before the failure")
SETTINGS = {}["missing"]


def handler(event, context):
    return SETTINGS
