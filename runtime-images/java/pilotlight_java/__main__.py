"""`python -m pilotlight_java JAVA FOLDER`: how the image makes its folder."""

import sys
from pathlib import Path

from .folder import make

java, folder = map(Path, sys.argv[1:])
make(java, folder)
