"""Pins the lines that the driver reads: listings, states, what was received and sent."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence

import pytest

from tests.daemons.golden import compare
from tests.daemons.stage import V4, V6, Stage
from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import Flavour
from tests.support.lab.netns import Network
from tests.support.lab.session import Session

RICH = "as-path [ 64699 64699 ] med 10 community [ 65535:0 64699:100 ] large-community [ 64699:1:2 64699:3:4 ]"


@pytest.fixture
def stage(flavour: Flavour) -> Iterator[Stage]:
    """A stage of one test's own, its helper told of all that is received and sent."""
    with Network() as network:
        yield Stage(network, flavour, told=True)


def events(stage: Stage, session: Session, *words: str) -> list[str]:
    """Return the JSON lines about a neighbour that have all the words."""
    wanted = (f'"peer": "{session.remote}"', *words)
    return [event for event in stage.helper.events if all(word in event for word in wanted)]


def told(stage: Stage, sessions: Sequence[Session], *words: str, lines: int) -> list[str]:
    """Return such lines about several neighbours, once there are so many."""
    return eventually(
        lambda: [event for session in sessions for event in events(stage, session, *words)],
        until=lambda seen: len(seen) == lines,
        within=5,
        what=f"{lines} lines with {words}",
    )


def test_listings(stage: Stage, flavour: Flavour) -> None:
    """`version`, `show neighbor`, and `show adj-rib out`, short and long, with a neighbour and without, up and down, and empty."""

    def listed(
        command: str, name: str, order: Callable[[Iterable[str]], Iterable[str]] = sorted
    ) -> None:
        reply = stage.helper.ask(command)
        assert reply.status == "done"
        compare(flavour, name, stage.sessions, order(reply.lines))

    listed("version", "version")
    listed("show neighbor configuration", "neighbor-configuration", tuple)
    listed("show neighbor extensive", "neighbor-extensive", tuple)
    listed("show adj-rib out extensive", "adj-rib-out-empty")
    stage.say(
        f"announce route {V4} next-hop self {RICH}",
        "announce route 192.0.2.2/32 next-hop self",
        "announce route 192.0.2.3/32 next-hop self med 0 community [ 64699:100 ] large-community [ 64699:1:2 ]",
        "announce route 192.0.2.4/32 next-hop self origin incomplete as-path [ ] local-preference 50",
        f"neighbor {stage.ebgp.remote} announce route 203.0.113.0/24 next-hop self origin egp as-path [ 64699 ]",
        f"announce route {V6} next-hop {stage.hop6} {RICH}",
        f"announce route 2001:db8::2/128 next-hop {stage.hop6} as-path [ 65551 ]",
    )
    listed("show adj-rib out extensive", "adj-rib-out-extensive")
    listed("show adj-rib out", "adj-rib-out")
    listed(f"show adj-rib out {stage.ebgp.remote} extensive", "adj-rib-out-neighbor")
    stage.bird.disable(stage.ebgp.local)
    eventually(
        lambda: "down" in stage.helper.states(stage.ebgp.remote), within=5, what="a session down"
    )
    listed(f"show adj-rib out {stage.ebgp.remote} extensive", "adj-rib-out-neighbor-down")


def test_states(stage: Stage, flavour: Flavour) -> None:
    """Each session tells connected, up, down with a reason; a shutdown is told without a neighbour."""
    compare(flavour, "state-up", stage.sessions, told(stage, stage.sessions, '"state"', lines=10))
    stage.say(f"neighbor {stage.ebgp.remote} teardown 2")
    stage.bird.restart_session(stage.only6.local)
    down = told(stage, [stage.ebgp, stage.only6], '"state": "down"', lines=2)
    compare(flavour, "state-down", stage.sessions, down)
    stage.exabgp.terminate()
    stage.helper.wait()
    compare(flavour, "shutdown", stage.sessions, stage.helper.events[-1:])


def test_the_reason_of_4x_is_not_always_json(stage: Stage, flavour: Flavour) -> None:
    """4.x puts the control characters of a shutdown message into the line as they are; 5.x has no message in it."""
    stage.say(f"neighbor {stage.ebgp.remote} teardown 2")
    (line,) = told(stage, [stage.ebgp], '"state": "down"', lines=1)
    assert json.loads(line, strict=False)["neighbor"]["state"] == "down"
    if flavour == "v4":
        with pytest.raises(json.JSONDecodeError, match="control character"):
            json.loads(line)


def test_updates_received(stage: Stage, flavour: Flavour) -> None:
    """What a peer announces comes with attributes, next hop and family; End-of-RIB closes a family."""
    received = told(
        stage, [stage.ebgp, stage.ibgp, stage.only6], '"direction": "receive"', lines=10
    )
    compare(flavour, "update-received", stage.sessions, received)


def test_updates_sent(stage: Stage, flavour: Flavour) -> None:
    """With `send { parsed; update; }` each UPDATE is told when it is written, as the peer gets it."""
    sent, ebgp = ('"direction": "send"',), [stage.ebgp]
    told(stage, ebgp, *sent, lines=2)  # End-of-RIB, twice
    stage.say(f"announce route {V4} next-hop self {RICH}")
    told(stage, ebgp, *sent, lines=3)
    stage.say(f"announce attributes next-hop {stage.hop6} med 0 nlri {V6} 2001:db8::2/128")
    told(stage, ebgp, *sent, lines=5)
    stage.say("announce attributes next-hop self as-path [ 64699 ] nlri 192.0.2.4/32 192.0.2.5/32")
    told(stage, ebgp, *sent, lines=6)
    stage.say(
        f"withdraw route {V4}",
        f"withdraw attributes next-hop {stage.hop6} nlri {V6} 2001:db8::2/128",
    )
    told(stage, ebgp, *sent, lines=9)
    stage.say("withdraw attributes next-hop self nlri 192.0.2.4/32 192.0.2.5/32")
    compare(flavour, "update-sent", stage.sessions, told(stage, ebgp, *sent, lines=10))
