"""The managed Java runtime: AWS's own runtime client, unmodified, laid out for a quick start.

A folder that `make` fills has `bin/java` and, in `lib/`, the client's jars, its native library, an
archive of the classes that every function loads, and the options that all this is started with
(`pilotlight_agent.runtimes.java`). The image has such a folder; in local mode the first function
makes one.
"""

from .folder import make

__all__ = ["make"]
