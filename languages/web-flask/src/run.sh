#!/bin/sh
# The function's handler: what the adapter starts in the runtime's place.
exec python3 -m gunicorn --bind "127.0.0.1:$PORT" --worker-tmp-dir /tmp app:app
