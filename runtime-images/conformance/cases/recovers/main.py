import os
import tempfile

mark = os.path.join(tempfile.gettempdir(), "tried")
if not os.path.exists(mark):
    open(mark, "w").close()
    raise OSError("the first time")


def handler(event, context):
    return "recovered"
