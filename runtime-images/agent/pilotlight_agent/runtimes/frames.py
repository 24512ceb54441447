"""The conversation with a managed runtime: frames over a socket pair.

The format is `pilotlight_wire.frames`; an event costs one write and one read on either side. The
runtime's end is `pilotlight_python.channel` or `pilotlight_node/channel.mjs`. The function's code
shares a process with that end, so nothing it sends is believed: sizes are bounded and headers are
checked.
"""

import asyncio
import json
import re
import socket
from collections.abc import Sequence
from functools import partial
from json.encoder import encode_basestring_ascii as _quote

from pilotlight_agent.errors import NotStartableError
from pilotlight_agent.invocations import failure
from pilotlight_agent.invocations.invocation import Invocation, Result
from pilotlight_agent.processes.output import Output
from pilotlight_agent.processes.spawner import Spawner
from pilotlight_wire.frames import LENGTHS, Field, Type, Word
from pilotlight_wire.protocol import RESPONSE_LIMIT

from .family import Setting
from .link import Listener
from .prepared import PreparedSpawner
from .variables import MAX_CONCURRENCY
from .wrapped import wrapper_of

_HEADER_LIMIT = 65_536
_INPUT = bytearray(65_536)
_INPUT_VIEW = memoryview(_INPUT)
_CONTENT_TYPE = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,255}")
_JSON = "application/json"
_EVENT = (
    f'{{"{Field.REQUEST_ID}":%s,"{Field.CONTENT_TYPE}":%s,"{Field.FUNCTION_ARN}":%s,'
    f'"{Field.DEADLINE}":%d,"{Field.TRACE_ID}":%s,"{Field.TENANT_ID}":%s,'
    f'"{Field.CLIENT_CONTEXT}":%s,"{Field.COGNITO_IDENTITY}":%s}}'
)
_decode = json.JSONDecoder().raw_decode

Header = dict[str, object]


def start(  # noqa: PLR0913 -- what every family has, and the two sides of the descriptor
    setting: Setting,
    spawner: Spawner,
    output: Output,
    listener: Listener,
    command: Sequence[str],
    *,
    behind: Sequence[str] = (),
) -> tuple["FrameLink", int]:
    """Start a managed runtime that prints to `output`, or take the process that waits for one.

    Its end's descriptor follows the command, and then what is `behind`. Raises NotStartableError.
    Returns how it is spoken with, and its process id.
    """
    command, variables = (*wrapper_of(setting), *command), setting.variables
    if isinstance(spawner, PreparedSpawner):
        prepared = spawner.take(command, variables, setting.places.task_root)
        if prepared is not None and prepared.channel is not None:
            output.adopt(prepared.output)
            return _link_over(prepared.channel, setting, listener), prepared.pid
    ours, theirs = socket.socketpair()
    link = _link_over(ours, setting, listener)
    fd = theirs.fileno()
    argv, fds = (*command, str(fd), *behind), (output.writer, fd)
    try:
        return link, spawner.spawn(argv, variables, setting.places.task_root, fds)
    except OSError as error:
        link.close()
        raise NotStartableError(str(error)) from error
    finally:
        theirs.close()


def _link_over(connection: socket.socket, setting: Setting, listener: Listener) -> "FrameLink":
    return FrameLink(listener, connection, takes_several=MAX_CONCURRENCY in setting.variables)


class FrameReader:
    """Bytes into frames; ValueError when the other side does not keep to the format."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes | memoryview) -> list[tuple[Header, bytes]]:
        """Return the frames that `data` completes."""
        self._buffer += data
        frames = []
        while self._buffer and (frame := self._take()) is not None:
            frames.append(frame)
        return frames

    def _take(self) -> tuple[Header, bytes] | None:
        if len(self._buffer) < LENGTHS.size:
            return None
        head, body = LENGTHS.unpack_from(self._buffer)
        if head > _HEADER_LIMIT or body > RESPONSE_LIMIT:
            raise ValueError("oversized frame")
        start, end = LENGTHS.size + head, LENGTHS.size + head + body
        if len(self._buffer) < end:
            return None
        header, _ = _decode(self._buffer[LENGTHS.size : start].decode())
        if not isinstance(header, dict):
            raise ValueError("frame header is not an object")  # noqa: TRY004 -- one error for all
        content = bytes(self._buffer[start:end])
        del self._buffer[:end]
        return header, content


class FrameLink:
    """The agent's end of the socket pair, which is `connection`."""

    def __init__(
        self, listener: Listener, connection: socket.socket, *, takes_several: bool = False
    ) -> None:
        self._listener: Listener | None = listener
        self._takes_several = takes_several
        self._socket = connection
        self._socket.setblocking(False)  # noqa: FBT003 -- the socket module's signature
        self._reader = FrameReader()
        self._unsent = memoryview(b"")
        self._running: dict[str, Invocation] = {}
        """By request id."""
        self._ends = False
        """Whether the process has said its last."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._read)

    @property
    def taken(self) -> bool:
        """A written event counts as taken: the process may have seen it."""
        return not self._ends

    def deliver(self, invocation: Invocation) -> None:
        """Write the event; what the socket does not take at once follows as it can.

        A process that is ending gets none: it is for the next one.
        """
        if self._ends:
            return
        self._running[invocation.request_id] = invocation
        header = _EVENT % (
            _quote(invocation.request_id),
            _quote(invocation.content_type),
            _quote(invocation.function_arn),
            invocation.deadline,
            _quote(invocation.trace_id),
            _quote(invocation.tenant_id),
            _quote(invocation.client_context),
            _quote(invocation.cognito_identity),
        )
        lengths = LENGTHS.pack(len(header), len(invocation.event))
        self._send(b"".join((lengths, header.encode(), invocation.event)))

    def withdraw(self, invocation: Invocation) -> bool:
        """Forget one that runs; another one the process may have, too, and not have seen yet."""
        if invocation.began is not None:
            self._running.pop(invocation.request_id, None)
        return False

    def catch_up(self) -> bool:
        """Read the frames that the process had written before it ended."""
        while self._listener is not None and self._read():
            pass
        return False

    def close(self) -> None:
        """Close the agent's end; the runtime reads an end of file."""
        if self._listener is not None:
            self._listener = None
            self._running.clear()
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._socket.close()

    def _send(self, frame: bytes) -> None:
        waits = bool(self._unsent)
        self._unsent = memoryview(b"".join((self._unsent, frame)) if waits else frame)
        if not waits:
            self._write()

    def _write(self) -> None:
        try:
            sent = self._socket.send(self._unsent)
        except BlockingIOError:
            sent = 0
        except OSError:
            return  # the process is gone: its exit is what counts
        self._unsent = self._unsent[sent:]
        if self._unsent:
            self._loop.add_writer(self._socket, self._write_rest)

    def _write_rest(self) -> None:
        self._loop.remove_writer(self._socket)
        self._write()

    def _read(self) -> bool:
        """Read once; False when there is nothing more."""
        try:
            size = self._socket.recv_into(_INPUT)
            frames = self._reader.feed(_INPUT_VIEW[:size])
        except BlockingIOError:
            return False
        except (OSError, ValueError, RecursionError):
            size, frames = 0, []
        for header, body in frames:
            self._tell(header, body)
        if not size and self._listener is not None:
            self._loop.remove_reader(self._socket)  # its exit follows, or the timeout
        return size > 0

    def _tell(self, header: Header, body: bytes) -> None:
        listener, kind = self._listener, header.get(Field.TYPE)
        if listener is None:
            return
        if kind == Type.READY:
            listener.on_ready()
        elif kind == Type.INIT_ERROR:
            listener.on_init_error(_text(header, Field.ERROR_TYPE), body)
        elif (running := self._running.get(_text(header, Field.REQUEST_ID))) is not None:
            self._take(listener, running, header, body)
        elif kind in {Type.RESPONSE, Type.ERROR, Type.TOO_LARGE}:  # after its time
            listener.on_result(_text(header, Field.REQUEST_ID), _result(kind, header, body))

    def _take(self, listener: Listener, running: Invocation, header: Header, body: bytes) -> None:
        """Take a piece or the end of the answer to what runs."""
        kind = header.get(Field.TYPE)
        running.begin()
        if kind == Type.TAKEN:
            return
        if kind == Type.CHUNK:
            running.write(body, _content_type(header))
            if self._takes_several:  # the others' answers come by the same way
                request_id = running.request_id
                pause = partial(self._tell_runtime, Word.PAUSE, request_id)
                running.when_full(pause, partial(self._tell_runtime, Word.RESUME, request_id))
            else:
                running.when_full(self._pause, self._resume)
        else:
            del self._running[running.request_id]
            self._ends = header.get(Field.LAST) is True
            result = running.complete(_result(kind, header, body))
            listener.on_result(running.request_id, result)

    def _tell_runtime(self, word: str, request_id: str) -> None:
        if self._listener is not None:
            header = json.dumps({Field.TYPE: word, Field.REQUEST_ID: request_id}).encode()
            self._send(LENGTHS.pack(len(header), 0) + header)

    def _pause(self) -> None:
        self._loop.remove_reader(self._socket)

    def _resume(self) -> None:
        if self._listener is not None:
            self._loop.add_reader(self._socket, self._read)


def _result(kind: object, header: Header, body: bytes) -> Result:
    peak = header.get(Field.PEAK_KILOBYTES)
    peak_kilobytes = peak if isinstance(peak, int) else None
    if kind == Type.ERROR:
        problem = failure.by_function(_text(header, Field.ERROR_TYPE), body)
    elif kind == Type.TOO_LARGE:
        problem = failure.too_large()
    else:
        return Result(body, _content_type(header), None, peak_kilobytes)
    return Result(problem.body, _JSON, problem, peak_kilobytes)


def _content_type(header: Header) -> str:
    content_type = _text(header, Field.CONTENT_TYPE)
    if content_type == _JSON or _CONTENT_TYPE.fullmatch(content_type) is None:
        return _JSON
    return content_type


def _text(header: Header, name: str) -> str:
    value = header.get(name)
    return value if isinstance(value, str) else ""
