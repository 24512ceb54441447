#!/bin/sh
# The function's handler: what the adapter starts in the runtime's place.
exec node app.js
