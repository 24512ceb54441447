"""Work of a schedule: the event says for which time it fired."""

from datetime import datetime


def handler(event, _context):
    """Say what is done, and for which day."""
    day = datetime.fromisoformat(event["time"]).date()
    print(f"{event['task']} of {day}")
    return {"day": day.isoformat(), "done": event["task"]}
