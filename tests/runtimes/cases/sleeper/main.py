"""Takes longer than it may."""

import time


def handler(event, context):
    print("going to sleep")
    time.sleep(60)
