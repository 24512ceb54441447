"""Makes asynchronous tests leave no event loop behind, and properties hold at any speed."""

import asyncio

from hypothesis import settings

# pytest-asyncio asks for the current loop before each test, and asyncio makes one that nobody
# closes as long as none was ever set; then a garbage collection fails some later test.
asyncio.set_event_loop(None)

# A property says what holds, not how fast: a machine that is busy fails none.
settings.register_profile("busy", deadline=None)
settings.load_profile("busy")
