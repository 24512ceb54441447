"""A real PostgreSQL of a test's own: Debian's binaries, a folder that goes, a free port."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
SETTINGS = ("fsync=off", "listen_addresses=127.0.0.1", "shared_buffers=16MB")


class Postgres:
    """A server that a test may stop and start."""

    def __init__(self, folder: Path, primary: Postgres | None = None) -> None:
        """Make a server, or a standby of another one."""
        self._binaries = BINARIES[-1]
        self._data = folder / ("standby" if primary else "data")
        self._folder = folder
        self.port = free_port()
        self.url = f"postgresql://pilotlight@127.0.0.1:{self.port}/postgres"
        if primary is None:
            self._run("initdb", "-U", "pilotlight", "-A", "trust", "-N", "-D", str(self._data))
        else:
            copied = ("-R", "-X", "stream", "-c", "fast", "-D", str(self._data))
            self._run("pg_basebackup", "-d", primary.url, *copied)

    def standby(self) -> Postgres:
        """Make and start a server that follows this one."""
        standby = Postgres(self._folder, primary=self)
        standby.start()
        return standby

    def promote(self) -> None:
        """Let a standby lead, and wait until it does."""
        self._run("pg_ctl", "-w", "-D", str(self._data), "promote")

    def start(self) -> None:
        """Start it and wait until it answers."""
        settings = " ".join(f"-c {setting}" for setting in SETTINGS)
        options = f"-p {self.port} -k {self._folder} {settings}"
        log = str(self._data.with_suffix(".log"))
        self._run("pg_ctl", "-w", "-D", str(self._data), "-l", log, "-o", options, "start")

    def stop(self) -> None:
        """Stop it at once."""
        self._run("pg_ctl", "-w", "-m", "immediate", "-D", str(self._data), "stop")

    def back_up(self) -> Path:
        """Make a dump as docs/backup.md says."""
        file = self._folder / "pilotlight.dump"
        self._run("pg_dump", "--format", "custom", "--file", str(file), self.url)
        return file

    def restore(self, file: Path) -> None:
        """Put a dump in the place of what is there, as docs/backup.md says."""
        how = ("--clean", "--if-exists", "--no-owner", "--single-transaction")
        self._run("pg_restore", *how, "--dbname", self.url, str(file))

    def _run(self, program: str, *arguments: str) -> None:
        # PostgreSQL refuses to run as root.
        user = "postgres" if os.geteuid() == 0 else None
        subprocess.run(
            [self._binaries / program, *arguments],
            user=user,
            cwd=self._folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Run a server for as long as the block lasts."""
    if not BINARIES:
        raise FileNotFoundError("no PostgreSQL here: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="pilotlight-postgres-"))
    if os.geteuid() == 0:
        os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
    server = Postgres(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)
