"""An answer on its way to the gateway while the function writes it.

It begins with the first piece; a function that fails before has an answer like any other
(`gateway_api`). Whoever brings the pieces stops while it is `full`, which is how a slow client
slows the function down.
"""

from collections.abc import Callable

from .http.server import Connection


class AnswerStream:
    """The body of one answer, in chunks."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.begun = False
        self._ended = False
        self._on_room: Callable[[], None] | None = None

    @property
    def full(self) -> bool:
        """Whether the gateway must read first; one that is gone takes everything."""
        return not (self._connection.writable or self._connection.closed)

    def wait_for_room(self, on_room: Callable[[], None]) -> None:
        """Call `on_room` once there is room again."""
        self._on_room = on_room

    def write(self, piece: bytes, content_type: str) -> None:
        """Send a piece; only the first one's media type counts. After the end it is dropped."""
        if self._ended or not piece:
            return
        if not self.begun:
            self.begun = True
            self._connection.stream(content_type, self._make_room, self._make_room)
        if not self._connection.closed:
            self._connection.send_chunk(piece)

    def end(self, last_piece: bytes, trailers: bytes) -> None:
        """Send what remains, and what is to be said of the whole."""
        self.write(last_piece, "")
        self._ended = True
        if not self._connection.closed:
            self._connection.end_stream(trailers)

    def break_off(self) -> None:
        """End the connection, so that nobody takes what came for the whole."""
        self._ended = True
        self._connection.transport.abort()

    def _make_room(self) -> None:
        on_room, self._on_room = self._on_room, None
        if on_room is not None:
            on_room()
