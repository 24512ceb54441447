"""What services push over HTTP, turned into the event that Lambda would get of them: a file each.

A route's `payloadFormat` names the format. Its function runs later, as of any event, and the sender
gets 202 once the event is on disk (docs/http.md, "Events that are pushed").
"""

from .formats import PushFormat, push_formats
from .pushed import Pushed

__all__ = ["PushFormat", "Pushed", "push_formats"]
