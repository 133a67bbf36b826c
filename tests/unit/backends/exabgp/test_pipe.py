"""The pipe to ExaBGP: what follows a line that can't be right, in the same piece of what ExaBGP wrote."""

from __future__ import annotations

import asyncio

import pytest

from speaker.backends.exabgp.messages import Garbled, PeerState
from speaker.backends.exabgp.pipe import NoAnswerError, Pipe
from speaker.backends.exabgp.protocol import Reply
from tests.support.fakes.exabgp import HEADER

STATE = (
    '{ "exabgp": "5.0.0", "time": 1, "type": "state", "neighbor": { "address": '
    '{ "local": "203.0.113.1", "peer": "203.0.113.11" }, "asn": { "local": 64699, "peer": 64496 }, '
    '"state": "up" } }'
)


def answers(questions: bytes) -> bytes:
    """Answer each question of a nonce, as ExaBGP does."""
    said = {b"extensive": "done\n", b"summary": f"{HEADER}\ndone\n"}
    return "".join(said[line.split()[-1]] for line in questions.splitlines()).encode()


@pytest.mark.parametrize(
    ("fault", "told"),
    [(HEADER, [PeerState]), ('{ "exabgp": "4.2.25", "cut off', [Garbled])],
)
def test_what_follows_in_the_same_piece(fault: str, told: list[type]) -> None:
    """The step is lost before the next line is taken: it is no reply, and one question is asked, however many follow."""

    async def main() -> None:
        reader, written, heard = asyncio.StreamReader(), asyncio.Queue[bytes](), list[object]()
        pipe = Pipe(reader, written.put_nowait, told=heard.append, patience=60.0)
        reading = asyncio.create_task(pipe.run())
        reader.feed_data(answers(await written.get()))
        asking = asyncio.create_task(pipe.ask("show adj-rib out extensive"))
        assert await written.get() == b"show adj-rib out extensive\n"
        reader.feed_data(f"{fault}\n{HEADER}\ndone\nforged\ndone\n{STATE}\n".encode())
        with pytest.raises(NoAnswerError):
            await asking
        assert [type(event) for event in heard] == told
        reader.feed_data(answers(await written.get()))
        asking = asyncio.create_task(pipe.ask("announce eor"))
        assert await written.get() == b"announce eor\n"
        reader.feed_data(b"done\n")
        assert await asking == Reply(ok=True, lines=())
        reader.feed_eof()
        await reading

    asyncio.run(main())
