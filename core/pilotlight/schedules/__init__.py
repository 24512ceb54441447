"""When schedules fire: EventBridge's expressions, time zones, flexible windows. Pure.

The `Schedule` resource is checked with it, the gateway fires by it, `pilotlight schedule` shows it.
"""

from .expression import Expression, next_times, parse_expression, parse_zone
from .window import firing_time

__all__ = ["Expression", "firing_time", "next_times", "parse_expression", "parse_zone"]
