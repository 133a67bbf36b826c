"""Pins what outlives what: helpers, sessions, signals, reloads."""

import signal
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.daemons.stage import ENVIRONMENT, V4, V6, Stage
from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import Flavour
from tests.support.lab.netns import Network

NOBODY = 65534
LIMIT = {"v4": 5, "v5": 6}


@pytest.fixture
def stage(flavour: Flavour) -> Iterator[Stage]:
    """A stage of one test's own, with a route of each family at every neighbour that takes it."""
    with Network() as network:
        stage = Stage(network, flavour)
        stage.say(f"announce route {V4} next-hop self as-path [ 64699 64699 ]")
        stage.say(f"announce route {V6} next-hop {stage.hop6}")
        stage.settle()
        yield stage


def untouched(stage: Stage) -> bool:
    """Return whether all sessions are up, and none of them has ever been down."""
    states = [stage.helper.states(session.remote) for session in stage.sessions]
    return all(stage.bird.sessions().values()) and not any("down" in seen for seen in states)


def kept(stage: Stage) -> bool:
    """Return whether every neighbour still has the routes."""
    return len(stage.everywhere(V4)) == len(stage.everywhere(V6)) == 4


def reload(stage: Stage, text: str, says: str) -> None:
    """Make ExaBGP read a configuration, and wait for what it logs then."""
    start = len(stage.exabgp.log())
    stage.exabgp.write(text)
    stage.exabgp.signal(signal.SIGUSR1)
    eventually(
        lambda: stage.exabgp.log()[start:],
        until=lambda log: says in log,
        within=5,
        what=f"{says!r} in the log",
    )


def test_helper_is_nobody(stage: Stage) -> None:
    """Started as root, ExaBGP runs its helper as nobody, in /, without capabilities, in its own environment."""
    who = stage.helper.identity
    assert (who["uid"], who["gid"], who["cwd"], who["umask"], who["capabilities"]) == (
        NOBODY,
        NOBODY,
        "/",
        0o137,
        0,
    )
    assert ENVIRONMENT.items() <= who["environment"].items()
    assert stage.helper.readable("/proc/net/dev")
    assert not stage.helper.readable("/etc/shadow")


def test_helper_that_exits_is_started_again(stage: Stage) -> None:
    """Routes and sessions stay; the new helper is told nothing of them, but may ask."""
    stage.helper.exit(1)
    stage.helper = stage.puppet.helper()
    assert stage.helper.ask("show adj-rib out").lines
    assert stage.helper.events == []
    assert all(stage.bird.sessions().values())
    assert kept(stage)


def test_helper_that_keeps_exiting_stops_exabgp(stage: Stage, flavour: Flavour) -> None:
    """After so many exits within about a minute, ExaBGP itself ends, and all routes with it."""
    for _ in range(LIMIT[flavour] - 1):
        stage.helper.exit(1)
        stage.helper = stage.puppet.helper()
    stage.helper.exit(1)
    stage.exabgp.process.wait()
    eventually(stage.bird.count, until=lambda count: count == 0, within=5, what="no route left")


def test_session_that_flaps_gets_its_routes_again(stage: Stage) -> None:
    """From ExaBGP's cache, with no help of the helper, which sees down, connected, up."""
    stage.bird.restart_session(stage.ebgp.local)
    eventually(
        lambda: stage.helper.states(stage.ebgp.remote),
        until=lambda seen: seen == ["connected", "up", "down", "connected", "up"],
        within=10,
        what="the session down and up",
    )
    assert kept(stage)


def test_sigusr1_with_the_same_file_changes_nothing(stage: Stage) -> None:
    """The helper lives on, the sessions stay up, the routes stay."""
    helpers = stage.exabgp.helpers()
    reload(stage, stage.config.text(), "loaded new configuration successfully")
    stage.settle()
    assert stage.exabgp.helpers() == helpers
    assert untouched(stage)
    assert kept(stage)


def test_neighbour_added_by_a_reload_has_nothing_until_told(stage: Stage) -> None:
    """It gets no route that was announced before; saying one again gives it that, and the others keep theirs."""
    others = [session for session in stage.sessions if session != stage.only4]
    reload(
        stage,
        replace(stage.config, sessions=others).text(),
        "loaded new configuration successfully",
    )
    eventually(
        stage.bird.sessions,
        until=lambda up: not up[stage.only4.local],
        within=5,
        what="the neighbour gone",
    )
    reload(stage, stage.config.text(), "loaded new configuration successfully")
    stage.bird.wait_for_sessions()
    assert set(stage.everywhere(V4)) == {stage.ebgp, stage.ibgp, stage.wide}
    stage.say(f"announce route {V4} next-hop self as-path [ 64699 64699 ]")
    assert kept(stage)
    assert "down" not in stage.helper.states(stage.ebgp.remote)


def test_sigusr2_starts_the_helper_anew(stage: Stage) -> None:
    """The helper gets SIGTERM, another one is started, and sessions and routes stay."""
    stage.exabgp.signal(signal.SIGUSR2)
    old, stage.helper = stage.helper, stage.puppet.helper()
    old.wait()
    assert old.signals == [signal.SIGTERM]
    assert all(stage.bird.sessions().values())
    assert kept(stage)


def test_broken_file_costs_all_later_reloads(stage: Stage) -> None:
    """The old configuration goes on, but a file that is right again is refused from then on."""
    text = stage.config.text()
    reload(stage, text + "nonsense { }\n", "section nonsense is invalid")
    assert untouched(stage)
    assert kept(stage)
    reload(stage, text, 'a process section called "speaker" already exists')
    assert untouched(stage)


def test_file_without_the_process_costs_the_helper(stage: Stage) -> None:
    """Broken before its process section, a reload ends the helper and starts none; the next good one does."""
    reload(stage, "nonsense { }\n", "section nonsense is invalid")
    stage.helper.wait()
    assert stage.helper.signals == [signal.SIGTERM]
    eventually(stage.exabgp.helpers, until=lambda pids: pids == [], within=5, what="no helper")
    reload(stage, stage.config.text(), "loaded new configuration successfully")
    stage.helper = stage.puppet.helper()
    assert all(stage.bird.sessions().values())
    assert kept(stage)


def test_sigterm_tells_the_helper_first(stage: Stage) -> None:
    """The last line says shutdown, then comes SIGTERM; the sessions close and the exit status is 0."""
    assert stage.exabgp.terminate() == 0
    stage.helper.wait()
    assert '"notification": "shutdown"' in stage.helper.events[-1]
    assert stage.helper.signals == [signal.SIGTERM]
    eventually(stage.bird.count, until=lambda count: count == 0, within=5, what="no route left")
