"""What comes over a connection in large pieces is handed on in small ones, and no more than may."""

from __future__ import annotations

import asyncio

import pytest

from speaker.supervision.stream import PIECE, Stream


class Reader(asyncio.Protocol):
    """Notes what it is handed."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.turns: list[int] = []
        self.ended = asyncio.get_running_loop().create_future()
        self._turn = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        del transport
        self.next_turn()

    def next_turn(self) -> None:
        """Count the turns of the loop: in each, others may do something."""
        self._turn += 1
        if not self.ended.done():
            asyncio.get_running_loop().call_soon(self.next_turn)

    def data_received(self, data: bytes) -> None:
        self.pieces.append(data)
        self.turns.append(self._turn)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.ended.set_result(None)


def received(sent: bytes, most: float) -> tuple[Reader, Stream]:
    """Return who read what was sent at once, and its stream."""

    async def main() -> tuple[Reader, Stream]:
        async def send(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(sent)
            try:
                await writer.drain()
            finally:
                writer.close()

        async with await asyncio.start_server(send, "127.0.0.1", 0) as server:
            reader = Reader()
            stream = Stream(reader, most)
            port = server.sockets[0].getsockname()[1]
            await asyncio.get_running_loop().create_connection(lambda: stream, "127.0.0.1", port)
            await reader.ended
            return reader, stream

    return asyncio.run(main())


def test_small_pieces() -> None:
    """Others have their turn after each piece; nothing is lost."""
    sent = bytes(range(256)) * 1000
    reader, stream = received(sent, len(sent))
    assert (b"".join(reader.pieces), stream.is_too_much) == (sent, False)
    assert max(map(len, reader.pieces)) <= PIECE <= 16_384
    assert len({*reader.turns}) == len(reader.turns)


@pytest.mark.parametrize("sent", [PIECE + 1, 10 * PIECE])
def test_too_much(sent: int) -> None:
    """A connection over which more comes than may is closed, and what is too much is handed to nobody."""
    reader, stream = received(b"x" * sent, PIECE)
    assert (stream.is_too_much, sum(map(len, reader.pieces)) <= PIECE) == (True, True)
