"""A peer that writes into ExaBGP's pipe: whatever its text is, nothing is believed that ExaBGP did not say.

4.2 tells the text of a NOTIFICATION with its newlines as they are, in a message in JSON that it says
at any time between two lines of its answers. What a peer can't know is the nonce.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from hypothesis import example, given
from hypothesis import strategies as st

from speaker.backends.exabgp.feed import SentUpdate
from speaker.backends.exabgp.messages import Garbled, PeerState, Shutdown
from speaker.backends.exabgp.protocol import NONCE_BITS, Conversation, InStep, OutOfStep, Reply
from tests.support.fakes.exabgp import HEADER, Daemon
from tests.support.fakes.site import NEIGHBORS, PEER

if TYPE_CHECKING:
    from collections.abc import Callable

    from speaker.backends.exabgp.protocol import Event

DAEMON = Daemon(NEIGHBORS, 4)
UP = DAEMON.state(PEER, "up")
SENT = DAEMON.sent(
    DAEMON.sessions[PEER], {"announce": {"ipv4 unicast": {"self": [{"nlri": "192.0.2.1/32"}]}}}
)
STOP = '{ "exabgp": "4.0.1", "type": "notification", "notification": "shutdown" }'
RIB = "neighbor 203.0.113.11 ipv4 unicast 192.0.2.1/32 next-hop self"
FORGED = ["done", "error", HEADER, f"{HEADER}\ndone", "lines of 0", "{", "}", '"', "\\", UP, SENT]
CLOSED = '" } } } } } }'
"""What makes the message complete in which nothing is escaped."""
TEXTS = st.lists(
    st.one_of(
        st.sampled_from(
            [*FORGED, STOP, RIB, CLOSED, '", "state": "up", "x": "', f"{CLOSED}\ndone"]
        ),
        st.lists(st.sampled_from(["done", f"{HEADER}\ndone"]), max_size=90).map("\n".join),
        st.text(max_size=8),
    ),
    max_size=12,
).flatmap(lambda parts: st.sampled_from(["\n", "", "\r\n"]).map(lambda by: by.join(parts)))


def in_reason(text: str) -> str:
    """As the reason of a session's end, which has no quotes, brackets and braces of the peer's."""
    return DAEMON.state(PEER, "down", f"peer reset, error[Cease / {text}]")


def in_raw_reason(text: str) -> str:
    """As if nothing were escaped, but its quotes."""
    raw = text.replace('"', '\\"')
    return DAEMON.state(PEER, "down", "TEXT").replace("TEXT", raw)


def in_name(text: str) -> str:
    """As a node's name of BGP-LS, of which nothing is escaped."""
    names = f'"attribute": {{ "bgp-ls": {{ "node-name": "{text}" }} }}'
    message = f'"direction": "receive", "message": {{ "update": {{ {names} }} }}'
    return f'{{ "exabgp": "4.0.1", "type": "update", "neighbor": {{ {message} }} }}'


def by_text_encoder(text: str) -> str:
    """As the encoder that is not JSON tells of a session's end."""
    return f"neighbor {PEER} down - peer reset, error[Cease / {text}]\n"


WAYS = st.sampled_from([in_reason, in_raw_reason, in_name, by_text_encoder])


@dataclass
class Both:
    """ExaBGP 4.2 with a peer, and the driver's conversation with it, which always has a command in flight."""

    nonces: Random
    conversation: Conversation = field(default_factory=Conversation)
    asked: deque[str] = field(default_factory=deque)
    """What ExaBGP has yet to answer, oldest first."""
    left: list[str] = field(default_factory=list)
    """What it has yet to say of an answer."""
    pipe: str = ""
    commands: int = 0
    answered: dict[int, Reply] = field(default_factory=dict)
    """What it has answered, by the number of the command."""
    events: list[Event] = field(default_factory=list)

    def command(self) -> None:
        """Send the next command."""
        self.commands += 1
        name = f"show adj-rib out {self.commands}"
        assert self.conversation.send(name) == f"{name}\n".encode()
        self.asked.append(name)

    def resynchronise(self) -> None:
        """Give up on the command, and ask for step."""
        question = self.conversation.resynchronise(self.nonces.getrandbits(NONCE_BITS))
        self.asked.extend(question.decode().splitlines())

    def answer(self) -> None:
        """Answer all that is asked, the oldest first; no answer is cut by another message inside a line."""
        self.finish()
        while self.asked:
            self.one()
            self.finish()

    def one(self) -> None:
        """Begin to answer the oldest."""
        line = self.asked.popleft()
        if not line.startswith("show adj-rib"):
            self.left = DAEMON.answer(line)
            return
        number = int(line.split()[-1])
        ok = number % 3 != 0
        self.answered[number] = Reply(ok, (f"lines of {number}",))
        self.left = [f"lines of {number}", "done" if ok else "error"]

    def half(self) -> None:
        """Answer the oldest, but for the last line."""
        self.finish()
        if self.asked:
            self.one()
        self.finish(but=1)

    def speak(self, way: Callable[[str], str], text: str) -> None:
        """Tell a text of the peer."""
        self.pipe += f"{way(text)}\n"

    def finish(self, *, but: int = 0) -> None:
        """Say what is left of an answer, but for some lines."""
        while len(self.left) > but:
            self.pipe += f"{self.left.pop(0)}\n"

    def lose(self) -> None:
        """Never answer the oldest, if it is a command, as 4.2 does with one that it can't use."""
        self.finish()
        if self.asked and self.asked[0].startswith("show adj-rib"):
            self.asked.popleft()

    def read(self) -> None:
        """Read all that is in the pipe, and act on it as the driver does."""
        data, self.pipe = self.pipe, ""
        for event in self.conversation.receive(data.encode("utf-8", "surrogatepass")):
            self.events.append(event)
            match event:
                case Reply():
                    assert self.answered.get(self.commands) == event
                    self.command()
                case InStep():
                    self.command()
                case OutOfStep():
                    self.resynchronise()

    def settle(self) -> None:
        """Let all be answered and read, while nobody speaks any more: it comes in step without being asked again."""
        for _ in range(3):
            self.answer()
            self.read()
        assert self.conversation.in_step


OURS: list[Callable[[Both], None]] = [
    Both.answer,
    Both.half,
    Both.lose,
    Both.read,
    Both.resynchronise,
]
SPEECH = st.builds(lambda way, text: partial(Both.speak, way=way, text=text), WAYS, TEXTS)


@example([partial(Both.speak, way=in_name, text=f"{CLOSED}\ndone")], 0)
@example([partial(Both.speak, way=in_reason, text="\ndone"), Both.half], 0)
@example([Both.resynchronise, *[Both.half] * 9, partial(Both.speak, way=in_reason, text="\n")], 0)
@given(st.lists(st.one_of(st.sampled_from(OURS), SPEECH), max_size=30), st.integers(0, 2**32))
def test_a_peer_is_not_believed(actions: list[Callable[[Both], None]], seed: int) -> None:
    """No reply but ExaBGP's own to that very command; no session, no UPDATE, no end; and it comes in step again."""
    both = Both(Random(seed))
    both.command()
    for action in actions:
        action(both)
    both.settle()
    if not both.asked:  # the last command was lost
        both.resynchronise()
        both.settle()
    assert both.asked, "the next command"
    told = [e for e in both.events if isinstance(e, (PeerState, SentUpdate, Shutdown))]
    assert not [event for event in told if not isinstance(event, PeerState) or event.up]


def test_a_message_that_is_complete_is_told() -> None:
    """A text without newlines that is escaped is the reason of the session's end, and no more."""
    (event,) = Conversation().receive(f"{in_reason('bye {} done')}\n".encode())
    assert isinstance(event, PeerState)
    assert event.reason.endswith("(Cease / bye () done)")


def test_what_is_said_twice() -> None:
    """A message in which a peer's text says again what ExaBGP said is not believed."""
    twice = in_name(
        '"}}}}}, "type": "notification", "notification": "shutdown", "x": {"a": {"b": {"c": {"d": {"e": "'
    )
    json.loads(twice)
    for message in (twice, twice.replace("node-name", "name")):
        kinds = [type(event) for event in Conversation().receive(f"{message}\n".encode())]
        assert kinds == [Garbled, OutOfStep]
