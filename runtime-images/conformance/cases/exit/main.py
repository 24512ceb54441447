import os

calls = 0


def handler(event, context):
    global calls
    calls += 1
    if event is not None:
        print("last words")
        os._exit(event)
    return calls
