"""Gives an answer that JSON has no form for."""


def handler(event, context):
    circle = []
    circle.append(circle)
    return {"set": {1, 2}, "circle": circle, "key": {(1, 2): 3}, "object": object}[event]
