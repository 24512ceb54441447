"""Deployment packages: good ones arrive whole, hostile ones leave nothing behind."""

import contextlib
import io
import os
import stat
import struct
import tracemalloc
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from pilotlight_wire import archive, archive_directory
from pilotlight_wire.archive import ArchiveError

Entry = tuple[str | zipfile.ZipInfo, bytes]


def pack(*entries: Entry, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip archive of entries, doubtful ones too."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as package, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of the doubles that are wanted here
        for name, content in entries:
            package.writestr(name, content)
    return buffer.getvalue()


def entry(name: str, mode: int = 0o644, kind: int = stat.S_IFREG) -> zipfile.ZipInfo:
    """Return an entry's description with a Unix mode."""
    info = zipfile.ZipInfo(name)
    info.external_attr = (kind | mode) << 16
    return info


def patch(data: bytes, signature: bytes, offset: int, value: bytes) -> bytes:
    """Overwrite a field of the first record with a signature."""
    start = data.index(signature) + offset
    return data[:start] + value + data[start + len(value) :]


def nameless() -> bytes:
    """Return an archive with an entry whose name has become a byte of its extra field."""
    lengths = struct.pack("<HH", 0, 1)
    return patch(patch(pack(("a", b"x")), b"PK\x03\x04", 26, lengths), b"PK\x01\x02", 28, lengths)


def overlapping() -> bytes:
    """Return an archive whose two entries share one body."""
    data = bytearray(pack(("a", b"x" * 1000), ("b", b"x" * 1000)))
    second = data.rindex(b"PK\x01\x02")
    data[second + 42 : second + 46] = struct.pack("<I", 0)  # its body is where the first one's is
    return bytes(data)


def understated() -> bytes:
    """Return an archive with an entry far larger than it says, checksum included."""
    content = b"\0" * 1_000_000
    claimed = struct.pack("<I", 10)
    data = patch(pack(("a", content)), b"PK\x03\x04", 22, claimed)
    return patch(data, b"PK\x01\x02", 24, claimed)


def overstated() -> bytes:
    """Return an archive that says it unpacks to just over the limit."""
    claimed = struct.pack("<I", archive.UNPACKED_LIMIT + 1)
    return patch(pack(("a", b"x")), b"PK\x01\x02", 24, claimed)


def sixty_four() -> bytes:
    """Return an archive with the locator of a 64-bit directory."""
    data = pack(("a", b"x"))
    end = data.index(b"PK\x05\x06")
    return data[:end] + b"PK\x06\x07" + bytes(16) + data[end:]


CENTRAL = b"PK\x01\x02"
HOSTILE: dict[str, Callable[[], bytes]] = {
    "no zip": lambda: b"#!/bin/sh\n",
    "empty": lambda: b"",
    "cut off": lambda: pack(("a", b"x" * 1000))[:-10],
    "directory cut": lambda: pack(("a", b"x"))[:40],
    "no name": nameless,
    "absolute": lambda: pack(("/etc/passwd", b"x")),
    "upwards": lambda: pack(("../x", b"x")),
    "upwards inside": lambda: pack(("a/../../x", b"x")),
    "upwards folder": lambda: pack(("a/../", b"")),
    "only upwards": lambda: pack(("..", b"x")),
    "dot": lambda: pack((".", b"x")),
    "link to nothing": lambda: pack((entry("link", 0o777, stat.S_IFLNK), b"")),
    "link to no path": lambda: pack((entry("link", 0o777, stat.S_IFLNK), b"a\0b")),
    "link to a long path": lambda: pack((entry("link", 0o777, stat.S_IFLNK), b"a" * 4096)),
    "link upwards": lambda: pack((entry("../link", 0o777, stat.S_IFLNK), b"a")),
    "through a link, then the link": lambda: pack(
        ("link/x", b"x"), (entry("link", 0o777, stat.S_IFLNK), b"/tmp")
    ),
    "through a link spelt differently": lambda: pack(
        (entry("./link", 0o777, stat.S_IFLNK), b"/tmp"), ("link/x", b"x")
    ),
    "link, then through it": lambda: pack(
        (entry("link", 0o777, stat.S_IFLNK), b"/tmp"), ("link/x", b"x")
    ),
    "device": lambda: pack((entry("null", 0o666, stat.S_IFCHR), b"")),
    "block device": lambda: pack((entry("disk", 0o666, stat.S_IFBLK), b"")),
    "fifo": lambda: pack((entry("pipe", 0o666, stat.S_IFIFO), b"")),
    "socket": lambda: pack((entry("socket", 0o666, stat.S_IFSOCK), b"")),
    "file and folder": lambda: pack(("a", b"1"), ("a/b", b"2")),
    "folder and file": lambda: pack(("a/b", b"1"), ("a", b"2")),
    "folder entry and file": lambda: pack(("a/", b""), ("a", b"2")),
    "overlap": overlapping,
    "wrong checksum": lambda: patch(pack(("a", b"x" * 99)), CENTRAL, 16, b"\0\0\0\0"),
    "more than announced": understated,
    "announces too much": overstated,
    "encrypted": lambda: patch(pack(("a", b"x")), CENTRAL, 8, b"\x01\x00"),
    "unknown method": lambda: patch(pack(("a", b"x")), CENTRAL, 10, b"\x63\x00"),
    "lzma": lambda: pack(("a", b"x" * 100), method=zipfile.ZIP_LZMA),
    "bzip2": lambda: pack(("a", b"x" * 100), method=zipfile.ZIP_BZIP2),
    "broken stream": lambda: patch(pack(("a", os.urandom(999))), b"PK\x03\x04", 40, b"\xff" * 99),
    "other local name": lambda: patch(pack(("abc", b"x")), b"PK\x03\x04", 30, b"xyz"),
    "NUL in name": lambda: pack(("abc", b"x")).replace(b"abc", b"a\0c"),
    "no entries": pack,
    "deep folders": lambda: pack(*(("d/" * 400 + f"{n}", b"") for n in range(9))),
    "64-bit form": sixty_four,
    "long name": lambda: pack(("n" * 256, b"x")),
    "long path": lambda: pack(("d/" * 600 + "x", b"x")),
    "offset beyond": lambda: patch(pack(("a", b"x")), CENTRAL, 42, b"\xff\xff\xff\x7f"),
}


def install(data: bytes, root: Path) -> None:
    """Take an archive as the agent does."""
    archive.check_entries(io.BytesIO(data))
    archive.unpack(io.BytesIO(data), root)


def test_a_folder_is_one_whatever_its_mode(tmp_path: Path) -> None:
    """Maven's jars have folders with every bit of the mode set, which is no type of file."""
    install(pack((entry("META-INF/maven/", 0o7777, 0o170000), b""), ("a", b"1")), tmp_path)
    assert (tmp_path / "META-INF/maven").is_dir()


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_hostile_archives_are_refused_by_both_doors(
    make: Callable[[], bytes], tmp_path: Path
) -> None:
    """The API's verdict and the agent's are the same, and nothing is left."""
    data = make()
    with pytest.raises(ArchiveError) as refusal:
        archive.check(io.BytesIO(data))
    assert str(refusal.value)
    root = tmp_path / "task"
    with pytest.raises(ArchiveError):
        install(data, root)
    assert not root.exists() or not list(root.iterdir())
    assert [path.name for path in tmp_path.iterdir()] in ([], ["task"])


@pytest.mark.parametrize("cut", range(1, 95, 7))
def test_an_archive_cut_anywhere_is_refused(cut: int) -> None:
    data = pack(("a", b"x"))[:cut]
    """No prefix of an archive passes."""
    with pytest.raises(ArchiveError):
        archive.check(io.BytesIO(data))


def test_a_good_archive_arrives_whole(tmp_path: Path) -> None:
    """Contents, folders, names and modes are there; modes are never less than readable."""
    data = pack(
        (entry("bootstrap", 0o755), b"#!/bin/sh\n"),
        (entry("secret.py", 0o600), b"KEY = 1\n"),
        (entry("tool", 0o700), b"x"),
        ("pkg/sub/__init__.py", b""),
        ("./dotted/file", b"1"),
        ("folder/", b""),
        ("grüße.txt", b"hello"),
        ("back\\slash", b"kept as it is"),
        ("big", b"\0" * 3_000_000),
    )
    archive.check(io.BytesIO(data))
    archive.unpack(io.BytesIO(data), tmp_path)
    names = [path.name for path in tmp_path.iterdir()]
    modes = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in names}
    assert modes["bootstrap"] == modes["tool"] == 0o755
    assert modes["secret.py"] == 0o644
    assert (tmp_path / "pkg/sub/__init__.py").read_bytes() == b""
    assert (tmp_path / "dotted/file").read_bytes() == b"1"
    assert (tmp_path / "folder").is_dir()
    assert (tmp_path / "grüße.txt").read_bytes() == b"hello"
    assert (tmp_path / "back\\slash").is_file()
    assert zlib.crc32((tmp_path / "big").read_bytes()) == zlib.crc32(b"\0" * 3_000_000)


def test_too_large_a_package_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """The packed limit is exact; a sparse file stands for the package."""
    package = tmp_path / "package.zip"
    with package.open("wb") as file:
        file.truncate(archive.PACKED_LIMIT + 1)
    with pytest.raises(ArchiveError, match=f"{archive.PACKED_LIMIT + 1} bytes"):
        archive.check(package)


def test_the_number_of_entries_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """One entry too many is refused."""
    monkeypatch.setattr(archive_directory, "ENTRY_LIMIT", 3)
    archive.check(io.BytesIO(pack(("a", b""), ("b", b""))))
    with pytest.raises(ArchiveError, match="3 entries"):
        archive.check(io.BytesIO(pack(("a", b""), ("b", b""), ("c", b""))))


def test_a_bomb_is_stopped_while_it_unpacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What counts is what comes out, not what was announced."""
    monkeypatch.setattr(archive, "UNPACKED_LIMIT", 500_000)
    with pytest.raises(ArchiveError):
        archive.unpack(io.BytesIO(pack(("a", b"\0" * 500_001))), tmp_path)
    assert not list(tmp_path.iterdir())
    archive.unpack(io.BytesIO(pack(("a", b"\0" * 500_000))), tmp_path)


def test_links_are_unpacked_as_links_wherever_they_lead(tmp_path: Path) -> None:
    """As Lambda does; nothing is written through one, in whatever order entries come."""
    link = stat.S_IFLNK
    data = pack(
        (entry("link.txt", 0o777, link), b"real/a.txt"),
        (entry("folder", 0o777, link), b"real"),
        (entry("opt", 0o777, link), b"/opt/python"),
        ("real/a.txt", b"hello"),
    )
    archive.check(io.BytesIO(data))
    install(data, tmp_path)
    assert (tmp_path / "link.txt").readlink() == Path("real/a.txt")
    assert (tmp_path / "opt").readlink() == Path("/opt/python")
    assert (tmp_path / "folder" / "a.txt").read_bytes() == b"hello"


def test_of_entries_for_one_place_the_last_one_counts(tmp_path: Path) -> None:
    """Tools make such packages, and spell a name in two ways; a link is an entry like any other."""
    link, outside = stat.S_IFLNK, tmp_path / "outside"
    outside.write_bytes(b"untouched")
    target = str(outside).encode()
    data = pack(
        ("a", b"1"), ("a", b"2"),
        ("d/b", b"1"), ("d//./b", b"2"),
        (entry("was-link", 0o777, link), target), ("was-link", b"2"),
        ("now-link", b"1"), (entry("./now-link", 0o777, link), b"a"),
    )  # fmt: skip
    archive.check(io.BytesIO(data))
    root = tmp_path / "task"
    install(data, root)
    assert (root / "a").read_bytes() == (root / "d/b").read_bytes() == b"2"
    assert (root / "was-link").read_bytes() == b"2"
    assert (root / "now-link").readlink() == Path("a")
    assert outside.read_bytes() == b"untouched"


def test_an_archive_of_nothing_is_refused_in_lambdas_words() -> None:
    with pytest.raises(archive.EmptyArchiveError, match="Uploaded file must be a non-empty zip"):
        archive.check(io.BytesIO(pack()))


BOMBS = {
    "deep folders": lambda: pack(*(("a/" * 60 + f"{n}", b"") for n in range(5_000))),
    "many entries": lambda: pack(*((f"{n}", b"") for n in range(9_000))),
    "many folders": lambda: pack(*((f"{n}/" + "b/" * 60, b"") for n in range(5_000))),
}


@pytest.mark.parametrize("make", BOMBS.values(), ids=BOMBS)
def test_a_small_archive_costs_little_memory(make: Callable[[], bytes]) -> None:
    """Whatever its directory names; what is above the limits is refused before it is read."""
    data = make()
    assert len(data) < 2_000_000
    tracemalloc.start()
    with contextlib.suppress(ArchiveError):
        archive.check(io.BytesIO(data))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40_000_000


def test_a_huge_directory_is_refused_before_zipfile_reads_it() -> None:
    """A million entries of one byte each would become a million objects."""
    name = struct.pack("<4s24xHHH12xc", b"PK\x01\x02", 1, 0, 0, b"a")
    directory = name * 300_000
    end = struct.pack("<4s6xHII2x", b"PK\x05\x06", 65_535, len(directory), 0)
    tracemalloc.start()
    with pytest.raises(ArchiveError, match="65535 entries came"):
        archive.check(io.BytesIO(directory + end))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2.5 * len(directory)
