import os
import subprocess


def handler(event, context):
    child = subprocess.run(["/bin/ls", "/proc/self/fd"], capture_output=True, check=True)
    return {
        "variables": dict(os.environ),
        "folder": os.getcwd(),
        "inherited": child.stdout.decode().split(),
    }
