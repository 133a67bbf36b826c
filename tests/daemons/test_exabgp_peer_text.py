"""Pins what a peer's texts and sizes do to ExaBGP and its helper, and what only ExaBGP can answer."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from speaker.backends.exabgp.protocol import MAX_LINE
from tests.daemons.stage import V4, Stage
from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import Config, ExaBgp, Flavour
from tests.support.lab.netns import Network
from tests.support.lab.puppet import Helper, NoReplyError, Puppet
from tests.support.lab.rogue import Rogue

BITS = "0110100110010110"
ALL = "negotiated; receive { parsed; open; update; notification; refresh; }"
"""All that a helper can be told of a peer, but its KEEPALIVEs."""
UPDATE = 2
TEXT = b'A"}\nforged\n'


def test_two_questions_have_answers_of_two_shapes(stage: Stage) -> None:
    """About a neighbour that is not there; asked at once, they are answered in order, after what was asked before."""
    stage.say(f"announce route {V4} next-hop self")
    what = {"0": "extensive", "1": "summary"}
    questions = [f"show neighbor nobody {what[bit]}" for bit in BITS]
    stage.helper.send("show neighbor extensive", f"withdraw route {V4}", *questions)
    assert len(stage.helper.reply().lines) > len(stage.sessions)
    assert stage.helper.reply().lines == ()
    heads = [stage.helper.reply().lines for _ in BITS]
    assert "".join(str(len(lines)) for lines in heads) == BITS
    assert all(line.startswith("Peer ") for lines in heads for line in lines)


@dataclass
class Pair:
    """An ExaBGP, its helper, and a peer that says what the test wants."""

    exabgp: ExaBgp
    helper: Helper
    rogue: Rogue


@contextmanager
def pair(flavour: Flavour, *, changes: bool = True, capabilities: bytes = b"") -> Iterator[Pair]:
    """The session is up; the helper is told of its changes, or is not; where the peer can do more, of all that it says."""
    with Network() as network:
        host, far = network.host("speaker"), network.host("rogue")
        session = network.link(host, far).session(64699, 64501, families=("ipv4",))
        rogue = Rogue(far, session.flipped(), capabilities)
        puppet = Puppet(host)
        text = Config([session], puppet.run).text()
        if not changes:
            text = text.replace("neighbor-changes;", "")
        if capabilities:
            text = text.replace("neighbor-changes;", f"neighbor-changes; {ALL}")
            text = text.replace("ipv4 unicast;", "ipv4 unicast; bgp-ls bgp-ls;")
        exabgp = ExaBgp(host, flavour, text)
        found = Pair(exabgp, puppet.helper(), rogue)
        rogue.wait_until_up()
        yield found


def test_newlines_reach_the_helper_of_4x(flavour: Flavour) -> None:
    """4.x tells quotes escaped and brackets as parentheses, newlines as they are; in 5.x a message is one line."""
    with pair(flavour) as at:
        at.rogue.end('bye {}[]"\nforged\ndone\nrest')
        if flavour == "v4":
            reply = at.helper.reply()
            assert (reply.status, reply.lines) == ("done", ("forged",))
            assert at.helper.events[-1].endswith('error(Cease / Connection Rejected / bye ()()\\"')
        else:
            at.rogue.wait_until_up()
            with pytest.raises(NoReplyError):
                at.helper.reply(within=0.1)


@pytest.mark.parametrize("changes", [True, False])
def test_a_letter_beyond_ascii_ends_4x(flavour: Flavour, *, changes: bool) -> None:
    """4.x ends where it should tell such a text, which it does not have to tell without `neighbor-changes`."""
    with pair(flavour, changes=changes) as at:
        at.rogue.end("à bientôt")
        if flavour == "v4" and changes:
            assert at.exabgp.process.wait() == 1
        else:
            at.rogue.wait_until_up()
            assert at.exabgp.alive


def tlv(code: int, value: bytes) -> bytes:
    """Return a capability, or a part of one."""
    return struct.pack("!BB", code, len(value)) + value


def attribute(flags: int, code: int, value: bytes) -> bytes:
    """Return a path attribute with a length of two bytes (RFC 4271 §4.3)."""
    return struct.pack("!BBH", flags | 0x10, code, len(value)) + value


def update(*attributes: bytes, nlri: bytes = b"") -> bytes:
    """Return the body of an UPDATE."""
    always = attribute(0x40, 1, b"\0") + attribute(0x40, 2, struct.pack("!BBI", 2, 1, 64501))
    joined = always + attribute(0x40, 3, bytes([192, 0, 2, 1])) + b"".join(attributes)
    return struct.pack("!HH", 0, len(joined)) + joined + nlri


def node(name: bytes) -> list[bytes]:
    """Return the attributes of an UPDATE that tells a node's name by BGP-LS (RFC 7752 §3.3.1.3)."""
    described = struct.pack("!HHHHI", 256, 8, 512, 4, 64501)
    nlri = b"\3" + bytes(8) + described
    reach = b"\x40\x04\x47\x04" + bytes([192, 0, 2, 1, 0]) + struct.pack("!HH", 1, len(nlri)) + nlri
    return [
        attribute(0x80, 14, reach),
        attribute(0x80, 29, struct.pack("!HH", 1026, len(name)) + name),
    ]


def test_all_else_is_one_line(flavour: Flavour) -> None:
    """Names in an OPEN, attributes that nobody knows, and the largest UPDATE; in 4.x a node's name of BGP-LS is not."""
    name = bytes([len(TEXT)]) + TEXT
    texts = tlv(73, name * 2) + tlv(75, name) + tlv(200, TEXT)
    with pair(flavour, capabilities=texts + tlv(1, b"\x40\x04\x00\x47") + tlv(6, b"")) as at:
        at.rogue.say(UPDATE, update(attribute(0xC0, 250, TEXT), nlri=b"\x20\xc6\x33\x64\x01"))
        at.rogue.say(UPDATE, update(nlri=bytes(65_000)))
        at.rogue.say(UPDATE, update(*node(b"last" + TEXT)))
        eventually(
            lambda: at.helper.events[-1:],
            until=lambda last: '"node-name": "last' in "".join(last),
            within=20,
            what="the last message",
        )
        assert 1_600_000 < max(map(len, at.helper.events)) < MAX_LINE
        at.helper.send("show neighbor nobody extensive")
        assert at.helper.reply().lines[:1] == (("forged",) if flavour == "v4" else ())
