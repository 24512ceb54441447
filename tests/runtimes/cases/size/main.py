"""Gives a text of the wanted length."""


def handler(event, context):
    return "x" * event
