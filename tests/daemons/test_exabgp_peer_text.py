"""Pins what a peer's text in a NOTIFICATION does to ExaBGP and its helper, and what only ExaBGP can answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.daemons.stage import V4, Stage
from tests.support.lab.exabgp import Config, ExaBgp, Flavour
from tests.support.lab.netns import Network
from tests.support.lab.puppet import Helper, NoReplyError, Puppet
from tests.support.lab.rogue import Rogue

BITS = "0110100110010110"


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
def pair(flavour: Flavour, *, changes: bool = True) -> Iterator[Pair]:
    """The session is up; the helper is told of its changes, or is not."""
    with Network() as network:
        host, far = network.host("speaker"), network.host("rogue")
        session = network.link(host, far).session(64699, 64501, families=("ipv4",))
        rogue = Rogue(far, session.flipped())
        puppet = Puppet(host)
        text = Config([session], puppet.run).text()
        if not changes:
            text = text.replace("neighbor-changes;", "")
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
