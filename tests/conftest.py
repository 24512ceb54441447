"""Makes asynchronous tests leave no event loop behind."""

import asyncio

# pytest-asyncio asks for the current loop before each test, and asyncio makes one that nobody
# closes as long as none was ever set; then a garbage collection fails some later test.
asyncio.set_event_loop(None)
