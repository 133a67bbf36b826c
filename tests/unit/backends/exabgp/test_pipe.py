"""The pipe to ExaBGP: what follows a line that can't be right, in the same piece of what ExaBGP wrote."""

from __future__ import annotations

import asyncio

import pytest

from speaker.backends.exabgp.messages import Garbled, PeerState
from speaker.backends.exabgp.pipe import NoAnswerError, Pipe, SilentError
from speaker.backends.exabgp.protocol import Reply
from speaker.backends.exabgp.version import UNTESTED
from tests.support.fakes import virtual_time
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


ACK = "ExaBGP: does not answer; is exabgp.api.ack=true, and is ExaBGP not stopped?"
REFUSES = f"ExaBGP that answers nothing but error: {UNTESTED}"
OTHER = f"ExaBGP: answers, and not what it is asked; it is busy, or of another version: {UNTESTED}"


@pytest.mark.parametrize(
    ("first", "each", "said"),
    [
        ("", "", ACK),
        ("", HEADER, ACK),  # with exabgp.api.ack=false
        ("", "error", REFUSES),
        ("", '{ "answer": "error", "message": "unknown" }', REFUSES),
        ("", "done", OTHER),
        ("", f"{HEADER}\ndone", OTHER),
        ("error", "done", OTHER),  # to what another process asked
        ("done", "error", OTHER),
    ],
)
def test_how_it_does_not_answer(first: str, each: str, said: str) -> None:
    """The hint at its acknowledgements is for one that gives none; any other that is not understood is named, time and again."""

    async def main() -> None:
        reader = asyncio.StreamReader()

        def answer(questions: bytes) -> None:
            lines = [first, *([each] * questions.count(b"\n"))]
            reader.feed_data("".join(f"{line}\n" for line in lines if line).encode())

        pipe = Pipe(reader, answer, told=lambda _: None, patience=5.0)
        reading = asyncio.create_task(pipe.run())
        await asyncio.sleep(0)  # it reads from here on
        for _ in range(3):
            with pytest.raises(SilentError) as raised:
                await pipe.ask("version")
            assert str(raised.value) == said
        reader.feed_eof()
        await reading

    virtual_time.run(main())
