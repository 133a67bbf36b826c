"""Pins how ExaBGP answers, when it does not, and which words in a line it obeys."""

import time
from pathlib import Path

import pytest

from tests.daemons.stage import V4, V6, Stage
from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import Config, ExaBgp, Flavour
from tests.support.lab.netns import Network
from tests.support.lab.puppet import NoReplyError, Puppet


@pytest.mark.parametrize(
    "line",
    [
        "",
        "nonsense",
        "announce route nonsense next-hop self",
        f"announce route {V4}",
        f"announce route {V4} next-hop self nonsense 1",
        f"announce route {V4} next-hop self med -1",
        f"announce route {V4} next-hop self as-path [ 64699",
        "announce route 192.0.2.1/24 next-hop self",
        "announce route 192.0.2.1/33 next-hop self",
        "withdraw route 192.0.2.1/33",
        "announce attributes next-hop self nlri 192.0.2.1/32 192.0.2.2/x",
    ],
)
def test_a_line_that_is_wrong_is_an_error(stage: Stage, line: str) -> None:
    """The answer is the bare word `error`, and nothing is announced."""
    reply = stage.helper.ask(line)
    assert (reply.status, reply.lines) == ("error", ())
    assert stage.everywhere(V4) == {}


@pytest.mark.parametrize(
    "line",
    [
        "announce route 192.0.2.300/32 next-hop self",
        "announce route 2001:db8::zz/128 next-hop self",
        f"announce route {V4} next-hop self med 4294967296",
        f"announce route {V4} next-hop self community [ 70000:1 ]",
    ],
)
def test_some_wrong_lines_get_no_answer_from_4x(stage: Stage, flavour: Flavour, line: str) -> None:
    """5.x says `error`; 4.x never answers, and is in step again once `version` has been answered."""
    if flavour == "v5":
        assert stage.helper.ask(line).status == "error"
    else:
        with pytest.raises(NoReplyError):
            stage.helper.ask(line, within=0.3)
    answer = stage.helper.ask("version")
    assert answer.status == "done"
    assert answer.lines[0].startswith({"v4": "exabgp 4.", "v5": "exabgp 5."}[flavour])
    assert stage.everywhere(V4) == stage.everywhere(V6) == {}


def test_a_withdraw_of_the_unknown_is_done(stage: Stage) -> None:
    """With and without a next hop, for a prefix that was never announced."""
    stage.say("withdraw route 192.0.2.99/32", "withdraw route 192.0.2.99/32 next-hop self")
    stage.say(
        "withdraw route 2001:db8::99/128", f"withdraw route 2001:db8::99/128 next-hop {stage.hop6}"
    )


def test_replies_are_plain_words_between_json_lines(stage: Stage) -> None:
    """With one command in flight the next plain `done` or `error` is its reply, however long the listing before."""
    stage.say(f"announce route {V4} next-hop self")
    listing = stage.helper.ask("show adj-rib out extensive")
    assert listing.status == "done"
    assert sum(V4 in line for line in listing.lines) == len(stage.everywhere(V4))
    stage.say(f"withdraw route {V4}")


def test_the_community_by_its_number_is_harmless(stage: Stage) -> None:
    """GRACEFUL_SHUTDOWN as 65535:0 is announced like any other community."""
    stage.say(f"announce route {V4} next-hop self community [ 65535:0 ]")
    assert {route.communities for route in stage.everywhere(V4).values()} == {
        frozenset({"65535:0"})
    }
    stage.say(f"withdraw route {V4}")


def test_the_community_by_its_name_stops_exabgp(flavour: Flavour) -> None:
    """`graceful-shutdown` has `shutdown` in it, and that is obeyed wherever in a line it stands."""
    with Network() as network:
        stage = Stage(network, flavour)
        reply = stage.helper.ask(
            f"announce route {V4} next-hop self community [ graceful-shutdown ]"
        )
        assert "shutdown in progress" in reply.lines
        assert stage.exabgp.process.wait() == 0


def test_a_byte_beyond_ascii_costs_the_helper_its_life(flavour: Flavour) -> None:
    """ExaBGP ends the helper and starts another; sessions and routes stay."""
    with Network() as network:
        stage = Stage(network, flavour)
        stage.say(f"announce route {V4} next-hop self")
        stage.helper.send("announce route caf\u00e9")
        stage.helper.wait()
        stage.helper = stage.puppet.helper()
        assert set(stage.everywhere(V4)) == {stage.ebgp, stage.only4, stage.ibgp, stage.wide}


def test_a_helper_that_does_not_read_freezes_exabgp(flavour: Flavour) -> None:
    """Once its stdin is full, ExaBGP stops: no command, no session, not even SIGTERM, until it is read."""
    with Network() as network:
        stage = Stage(network, flavour)
        stage.say(f"announce route {V4} next-hop self")
        stage.settle()
        stage.helper.stop_reading()
        # 1,000 listings of some 2 KiB are far more than a pipe and a read that was already waiting take.
        stage.helper.send(*["show adj-rib out extensive"] * 1000)
        blocked = Path(f"/proc/{stage.exabgp.pid}/wchan")
        eventually(
            blocked.read_text,
            until=lambda where: "pipe_write" in where,
            within=5,
            what="ExaBGP stuck in a write",
        )
        stage.bird.restart_session(stage.ebgp.local)
        with pytest.raises(AssertionError, match="still runs"):
            stage.exabgp.terminate(within=1)
        assert not stage.bird.sessions()[stage.ebgp.local]
        assert stage.of(stage.only4, V4) is not None
        stage.helper.start_reading()
        eventually(
            lambda: not stage.exabgp.alive, within=10, what="ExaBGP to obey the SIGTERM at last"
        )


def test_how_many_routes_are_shown_at_once(flavour: Flavour) -> None:
    """`exabgp.api.chunk=20` shows the same, many times faster: one route in a turn is the default."""
    lines = [
        f"announce attributes next-hop self nlri {' '.join(f'192.0.{n}.{m}/32' for m in range(250))}"
        for n in range(4)
    ]
    taken = {}
    for chunk in (1, 20):
        with Network() as network:
            here, there = network.host("here"), network.host("there")
            session = network.link(here, there).session(64699, 64500)
            puppet = Puppet(here)
            config = Config([session], puppet.run)
            ExaBgp(here, flavour, config, env={"exabgp.api.chunk": str(chunk)})
            helper = puppet.helper()
            for line in lines:
                assert helper.ask(line).status == "done"
            times = []
            for _ in range(3):
                began = time.monotonic()
                assert len(helper.ask("show adj-rib out extensive").lines) == 1000
                times.append(time.monotonic() - began)
            taken[chunk] = min(times)
    assert taken[20] < taken[1] / 3, taken
