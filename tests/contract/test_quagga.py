"""What is of the driver for bgpd alone, on all three dialects."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from dataclasses import replace
from pathlib import Path as File
from typing import TYPE_CHECKING

import pytest

from policy.plan import Announce, Change, Drift, Withdraw
from policy.route import Asn, Route, parse_prefix
from speaker.backends.base import BackendError, Daemon, Reading
from speaker.backends.quagga import writer
from speaker.backends.quagga.driver import QuaggaBackend
from speaker.backends.quagga.peer_texts import ASK
from speaker.backends.quagga.vtysh import NotRunningError, Output, Shell, VtyshError
from speaker.config.settings import QuaggaSettings
from tests.contract.quagga_worlds import SETTINGS, no_pause
from tests.contract.worlds import ASN, PROFILES
from tests.golden.transcript import DIALECTS
from tests.support.fakes.bgpd import Bgpd, Dialect, Path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy.route import Prefix

V4, V6, W4 = map(parse_prefix, ("192.0.2.1", "2001:db8::1", "192.0.2.2"))
PLAIN, ONE, THREE, FULL = (profile.attributes(ASN) for profile in PROFILES)
WHO = "show bgp ipv4 unicast 255.255.255.255/32"
"""The first of the commands that ask who was sent what."""
SITE = QuaggaSettings(File("/usr/bin/vtysh"), {"prepend-1": "BGP1", "prepend-3": "BGP3"})


@pytest.fixture(params=DIALECTS)
def bgpd(request: pytest.FixtureRequest) -> Bgpd:
    """A bgpd of each dialect."""
    dialect: Dialect = request.param
    return Bgpd(dialect)


def driver(bgpd: Bgpd, settings: QuaggaSettings = SETTINGS) -> QuaggaBackend:
    backend = QuaggaBackend(bgpd, pause=no_pause)
    backend.configure(ASN, settings, PROFILES)
    return backend


def cycle(
    backend: QuaggaBackend, *changes: Change
) -> tuple[Reading, Mapping[Prefix, str], Reading]:
    """Read, apply, read back, as a pass does."""

    async def run() -> tuple[Reading, Mapping[Prefix, str], Reading]:
        prefixes = [V4, V6, W4]
        before = await backend.read(prefixes)
        failures = await backend.apply(changes)
        return before, failures, await backend.read(prefixes)

    return asyncio.run(run())


def one(*prefixes: Prefix) -> list[Change]:
    return [Announce(Route(prefix, ONE)) for prefix in (V4, V6, W4) if prefix in prefixes]


def begins(run: Sequence[str]) -> str:
    """Return the first command of a run but for the question around it."""
    return next(command for command in run if command != ASK)


def test_one_read_and_one_write(bgpd: Bgpd) -> None:
    """A cycle is one reading and one batch, whatever the number of prefixes; then it is read back."""
    backend = driver(bgpd)
    many = [parse_prefix(f"192.0.2.{number}") for number in range(250)]
    asyncio.run(backend.read(many))  # the first one finds out what it may ask
    bgpd.runs.clear()
    asyncio.run(backend.read(many))
    asyncio.run(backend.apply([Announce(Route(prefix, ONE)) for prefix in many]))
    assert [*map(begins, bgpd.runs)] == ["show running-config", WHO, "configure terminal"]
    reading = asyncio.run(backend.read(many))
    assert reading.routes == {prefix: Route(prefix, ONE) for prefix in many}


def test_nothing_to_do_writes_nothing(bgpd: Bgpd) -> None:
    """Withdrawing what is not there is no command at all."""
    cycle(driver(bgpd), Withdraw(V4), Withdraw(V6))
    assert {*map(begins, bgpd.runs)} == {"show running-config", WHO}


def test_a_new_path_is_waited_for(bgpd: Bgpd) -> None:
    """For a moment a path is not the best, and a removed one still there: neither is reported."""
    backend = driver(bgpd)
    assert cycle(backend, *one(V4, V6))[2].routes[V6] == Route(V6, ONE)
    assert cycle(backend, Withdraw(V4))[2].routes == {V4: None, V6: Route(V6, ONE), W4: None}


def test_a_path_that_stays_invalid_is_said(bgpd: Bgpd) -> None:
    """It is announced in no form that a peer gets, and the remedy is in the reason."""
    bgpd.import_check = True
    found = cycle(driver(bgpd), *one(V4))[2].routes[V4]
    assert isinstance(found, Drift)
    assert "no bgp network import-check" in found.found


def test_the_lock_is_waited_for(bgpd: Bgpd) -> None:
    """Locked by another VTY, and then not: done."""
    bgpd.locked = 5
    _, failures, after = cycle(driver(bgpd), *one(V4))
    assert (failures, after.routes[V4]) == ({}, Route(V4, ONE))


def test_a_lock_that_stays(bgpd: Bgpd) -> None:
    """It is given up after so many tries, said, and nothing was changed."""
    bgpd.locked = 10_000
    _, failures, after = cycle(driver(bgpd), *one(V4))
    assert "locked by other VTY" in failures[V4]
    assert after.routes[V4] is None
    assert 10_000 - bgpd.locked == writer.LOCK_TRIES


@pytest.mark.parametrize("asn", [None, 64511])
def test_a_foreign_bgpd_is_never_written_to(bgpd: Bgpd, asn: int | None) -> None:
    """No `router bgp`, or another AS: an error, no configuration, and no instance afterwards."""
    bgpd.asn = asn
    backend = driver(bgpd)
    with pytest.raises(BackendError, match="this data centre is AS 64699"):
        asyncio.run(backend.read([V4]))
    failures = asyncio.run(backend.apply(one(V4)))
    assert failures.keys() == {V4}
    assert all(run[0].startswith("show") for run in bgpd.runs)
    assert bgpd.asn == asn


def test_sessions_of_a_bgpd_that_can_not_be_read(bgpd: Bgpd) -> None:
    """Which of them are up is not known then; it is again when it can be read."""
    backend = driver(bgpd)
    asyncio.run(backend.read([V4]))
    known = [peer.up for peer in backend.peers()]
    assert known
    assert None not in known
    asn, bgpd.asn = bgpd.asn, None
    with pytest.raises(BackendError):
        asyncio.run(backend.read([V4]))
    assert [peer.up for peer in backend.peers()] == [None] * len(known)
    bgpd.asn = asn
    asyncio.run(backend.read([V4]))
    assert [peer.up for peer in backend.peers()] == known


def test_a_cut_running_config_is_not_written_to(bgpd: Bgpd) -> None:
    """Half of it could name no instance, or too few lines: each change says so, nothing is written."""

    class Cut(Bgpd):
        async def __call__(self, commands: Sequence[str]) -> Output:
            output = await super().__call__(commands)
            if "show running-config" in commands:
                return Output(0, output.stdout.partition("\nend")[0], "")
            return output

    cut = Cut(bgpd.dialect)
    with pytest.raises(BackendError, match="incomplete"):
        asyncio.run(driver(cut).read([V4]))
    failures = asyncio.run(driver(cut).apply(one(V4)))
    assert "incomplete" in failures[V4]
    assert all(run[0].startswith("show") for run in cut.runs)


def test_bgpd_down_is_no_empty_table(bgpd: Bgpd) -> None:
    """Nothing is known then, and each change says why."""
    backend = driver(bgpd)
    cycle(backend, *one(V4))
    bgpd.up = False
    with pytest.raises(NotRunningError):
        asyncio.run(backend.read([V4]))
    assert asyncio.run(backend.apply(one(V4))).keys() == {V4}


def test_a_learned_route_is_not_ours(bgpd: Bgpd) -> None:
    """Alone it is no announcement; beside ours it changes nothing."""
    bgpd.learned[V4] = "64500 64511"
    before, _, after = cycle(driver(bgpd), *one(V4))
    assert before.routes[V4] is None
    assert after.routes[V4] == Route(V4, ONE)


def who(backend: QuaggaBackend, *prefixes: Prefix) -> list[dict[str, bool | None]]:
    """Read who was sent each prefix, a moment later."""
    asyncio.run(backend.read(prefixes))
    sent = asyncio.run(backend.read(prefixes)).sent
    return [dict(sent[prefix]) for prefix in prefixes]


def test_who_was_sent_what(bgpd: Bgpd) -> None:
    """A session that is up, from when it was sent a path until it was sent a withdrawal."""
    backend = driver(bgpd)
    peer = bgpd.peer[0]
    cycle(backend, *one(V4, V6))
    assert who(backend, V4, V6, W4) == [{peer: True}, {peer: True}, {peer: False}]
    assert asyncio.run(backend.apply([Withdraw(V4)])) == {}
    assert who(backend, V4, V6, W4) == [{peer: False}, {peer: True}, {peer: False}]
    bgpd.established = False
    assert who(backend, V4, V6, W4) == [{peer: False}] * 3


def test_what_is_still_to_be_withdrawn(bgpd: Bgpd) -> None:
    """No path any more, and the session has it all the same: it was sent it."""
    backend = driver(bgpd)
    cycle(backend, *one(V4, V6))
    who(backend, V4, V6)
    bgpd.networks.clear()
    bgpd.paths.clear()
    sent = asyncio.run(backend.read([V4, V6])).sent
    assert [dict(sent[prefix]) for prefix in (V4, V6)] == [{bgpd.peer[0]: True}] * 2
    assert who(backend, V4, V6) == [{bgpd.peer[0]: False}] * 2


def test_a_session_without_the_family_has_no_say(bgpd: Bgpd) -> None:
    """Not negotiated: of that family nobody was sent anything, and nobody lacks it."""
    bgpd.families = (4,)
    cycle(driver(bgpd), *one(V4, V6))
    assert who(driver(bgpd), V4, V6) == [{bgpd.peer[0]: True}, {}]


def test_a_session_without_a_policy_was_sent_nothing() -> None:
    """As FRR has it by default."""
    bgpd = Bgpd("frr-10.3", policy=False)
    cycle(driver(bgpd), *one(V4))
    assert who(driver(bgpd), V4, W4) == [{bgpd.peer[0]: False}] * 2


def test_a_bgpd_that_does_not_tell_who(bgpd: Bgpd) -> None:
    """Not known, of a session that is up; what is announced is read all the same."""
    backend = driver(bgpd)
    cycle(backend, *one(V4))
    bgpd.mute = True
    assert asyncio.run(backend.read([V4])).routes == {V4: Route(V4, ONE)}
    assert who(backend, V4, W4) == [{bgpd.peer[0]: None}] * 2
    bgpd.established = False
    assert who(backend, V4, W4) == [{bgpd.peer[0]: False}] * 2


def test_what_is_passed_on_was_not_sent_by_us(bgpd: Bgpd) -> None:
    """A route of another data centre for the same VIP, though its next hop be shown as ours."""
    bgpd.learned[V4] = "64500 64511"
    assert who(driver(bgpd), V4) == [{bgpd.peer[0]: False}]


def test_an_operator_waits_until_it_was_sent(bgpd: Bgpd) -> None:
    """For what bgpd has still to send; and not for ever for what it never sends."""
    backend = driver(bgpd)
    cycle(backend, *one(V4))
    bgpd.advertised.clear()
    bgpd.runs.clear()
    asyncio.run(backend.until_sent([V4, W4]))
    assert len(bgpd.runs) == 4, "not yet; then it was"
    bgpd.families = ()
    bgpd.runs.clear()
    asyncio.run(backend.until_sent([V4, W4]))
    assert len(bgpd.runs) == 1, "there is nobody to be waited for"


def test_an_operator_does_not_wait_for_what_is_filtered(bgpd: Bgpd) -> None:
    """bgpd announces, and a session is never sent it: a second, and Quagga's 3 s more."""
    waited: list[float] = []

    async def pause(seconds: float) -> None:
        waited.append(seconds)

    backend = QuaggaBackend(bgpd, pause=pause)
    backend.configure(ASN, SETTINGS, PROFILES)
    bgpd.filtered = True
    cycle(backend, *one(V4))
    waited.clear()
    asyncio.run(backend.until_sent([V4]))
    assert 1 <= sum(waited) <= (2 if bgpd.frr else 5)


def test_a_line_without_a_path_is_entered_again(bgpd: Bgpd) -> None:
    """As after Quagga's boot bug: running-config has it, the table has not."""
    backend = driver(bgpd)
    cycle(backend, *one(V4, W4))
    del bgpd.paths[V4]
    before, _, after = cycle(backend, *one(V4))
    assert isinstance(before.routes[V4], Drift)
    assert after.routes[V4] == Route(V4, ONE)


def test_a_mended_route_map_is_in_force_for_all_its_lines(bgpd: Bgpd) -> None:
    """Changed by somebody, mended for one VIP: Quagga looks at a line only when it is entered."""
    backend = driver(bgpd)
    cycle(backend, *one(V4, V6, W4))
    wrong = ["set as-path prepend 64699 64699 64699", "set metric 9"]
    bgpd.maps["VIP-prepend-1"] = {"route-map VIP-prepend-1 permit 10": wrong}
    for prefix in bgpd.networks:
        bgpd.paths[prefix] = Path(list(wrong))
    before, failures, after = cycle(backend, *one(V4))
    assert {type(found) for found in before.routes.values()} == {Drift}
    assert failures == {}
    assert after.routes == {prefix: Route(prefix, ONE) for prefix in (V4, V6, W4)}


def test_a_route_map_is_never_removed(bgpd: Bgpd) -> None:
    """Whatever it was before: FRR 8.4 crashes where one goes that a network line names."""
    backend = driver(bgpd)
    cycle(backend, *one(V4))
    tampered: list[dict[str, list[str]]] = [
        {"deny 10": []},
        {"permit 5": ["set metric 4"], "permit 10": ["set as-path prepend 64699"]},
        {"permit 10": ["set community 64699:1", "set origin egp"], "deny 20": []},
    ]
    for clauses in tampered:
        name = "route-map VIP-prepend-1"
        bgpd.maps["VIP-prepend-1"] = {f"{name} {head}": [*sets] for head, sets in clauses.items()}
        _, failures, after = cycle(backend, *one(V4))
        assert (failures, after.routes[V4]) == ({}, Route(V4, ONE))
        assert bgpd.maps["VIP-prepend-1"] == {f"{name} permit 10": ["set as-path prepend 64699"]}
    assert not any(command == "no route-map VIP-prepend-1" for run in bgpd.runs for command in run)


def test_a_route_map_that_should_set_nothing(bgpd: Bgpd) -> None:
    """Whatever its clause had is taken out of it, each in the one way that all daemons take."""
    backend = driver(bgpd)
    had = ["set as-path prepend 64699 64699", "set metric 4", "set origin egp"]
    had += ["set community 64699:1", "set large-community 64699:1:1"]
    had += ["set extcommunity rt 64699:1", "set extcommunity soo 64699:1"]
    bgpd.maps["VIP-prepend-0"] = {"route-map VIP-prepend-0 permit 10": had}
    _, failures, after = cycle(backend, Announce(Route(V4, PLAIN)))
    assert (failures, after.routes[V4]) == ({}, Route(V4, PLAIN))


def test_only_what_is_refused_is_left_out(bgpd: Bgpd) -> None:
    """Refused at any place of a batch: all other changes are made."""
    for place in range(2, 8):
        backend = driver(bgpd)
        asyncio.run(backend.read([V4]))
        bgpd.faults[:] = [*[False] * place, True]
        _ = asyncio.run(backend.apply([*one(V4, V6), Withdraw(W4)]))
        bgpd.faults.clear()
        reading = asyncio.run(driver(bgpd).read([V4, V6]))
        assert reading.routes == {V4: Route(V4, ONE), V6: Route(V6, ONE)}
        cycle(driver(bgpd), Withdraw(V4), Withdraw(V6))


def test_a_warning_with_exit_status_0_is_a_refusal() -> None:
    """As Quagga gives: success is silent, and nothing else is success."""

    class Grumbling(Bgpd):
        async def __call__(self, commands: Sequence[str]) -> Output:
            output = await super().__call__(commands)
            if commands[0] == "configure terminal":
                return Output(0, "% Something or other.\n", "")
            return output

    bgpd = Grumbling("quagga-1.2.4")
    assert asyncio.run(driver(bgpd).apply(one(V4))) == {V4: "bgpd: refused: % Something or other."}


def test_frr_refuses_one_for_ever() -> None:
    """A link-local prefix: named with FRR's words; those before and behind it are announced."""
    bgpd = Bgpd("frr-8.4.4")
    bad = parse_prefix("fe80::1")
    last = parse_prefix("2001:db8::9")
    changes = [Announce(Route(prefix, ONE)) for prefix in (V4, V6, bad, last)]
    failures = asyncio.run(driver(bgpd).apply(changes))
    assert failures == {bad: "bgpd: refused: % Malformed prefix (link-local address)"}
    assert {V4, V6, last} == bgpd.networks.keys()


def test_the_daemon_is_named(bgpd: Bgpd) -> None:
    """FRR by its version, by the reading that there is anyway; Quagga, which tells none there, by its name."""
    backend = driver(bgpd)
    assert backend.daemon() is None
    asyncio.run(backend.read([V4]))
    runs = len(bgpd.runs)
    name, _, number = bgpd.dialect.partition("-")
    daemon = backend.daemon()
    assert daemon is not None
    if name == "frr":
        assert daemon == Daemon(f"FRR {number}")
    else:
        assert daemon == Daemon("Quagga")
    assert len(bgpd.runs) == runs


class Obstinate(Bgpd):
    """An FRR that refuses all lines of a kind."""

    refused = "network "

    async def __call__(self, commands: Sequence[str]) -> Output:
        for number, command in enumerate(commands):
            if command.startswith(self.refused):
                done = await super().__call__(commands[:number])
                return Output(1, f"{done.stdout}% No.\n", "")
        return await super().__call__(commands)

    def readings(self) -> int:
        """How often its configuration was read, which is as long as the batch."""
        return sum("show running-config" in run for run in self.runs)


@pytest.mark.parametrize("refused", ["network ", "set as-path", "route-map VIP-prepend-3"])
def test_refusing_everything_takes_few_readings(refused: str) -> None:
    """However many changes are refused, bgpd's configuration is read once for halves of a size, or route-map."""
    bgpd = Obstinate("frr-10.3")
    bgpd.refused = refused
    many = [parse_prefix(f"198.51.{n // 256}.{n % 256}") for n in range(512)]
    changes = [Announce(Route(p, (ONE, THREE)[n % 2])) for n, p in enumerate(many)]
    failures = asyncio.run(driver(bgpd).apply(changes))
    wrong = many[1::2] if refused.startswith("route-map") else many
    assert failures == dict.fromkeys(wrong, "bgpd: refused: % No.")
    assert bgpd.networks.keys() == {*many} - {*wrong}
    assert bgpd.readings() <= 2 + 2 * len(PROFILES) + 10


class Meddled(Obstinate):
    """A bgpd of which somebody else changes a route-map before it is read for the fourth time."""

    refused = "no network 192.0.2."

    async def __call__(self, commands: Sequence[str]) -> Output:
        if commands[0] == "show running-config" and self.readings() == 3:
            self.maps["VIP-prepend-1"] = {"route-map VIP-prepend-1 permit 10": ["set metric 7"]}
        return await super().__call__(commands)


def test_what_was_withdrawn_stays_so_whatever_is_refused() -> None:
    """A route-map that is made anew has its network lines entered again: not those that were just removed."""
    bgpd = Meddled("frr-10.3")
    gone = [parse_prefix(f"2001:db8::{n}") for n in range(10, 14)]
    new = [parse_prefix(f"2001:db8::{n}") for n in range(20, 22)]
    had = [Announce(Route(prefix, ONE)) for prefix in (V4, W4, *gone)]
    assert asyncio.run(driver(bgpd).apply(had)) == {}
    # Quarters: two are done as they are, two are refused, and the last one makes the route-map.
    order = (gone[0], gone[1], V4, gone[2], W4, gone[3])
    changes: list[Change] = [
        *map(Withdraw, order),
        *(Announce(Route(prefix, ONE)) for prefix in new),
    ]
    failures = asyncio.run(driver(bgpd).apply(changes))
    assert failures == dict.fromkeys((V4, W4), "bgpd: refused: % No.")
    assert bgpd.networks.keys() == {V4, W4, *new}


# --- route-maps of the site ----------------------------------------------------------------------


def site_map(prepended: str) -> dict[str, list[str]]:
    return {"route-map BGP1 permit 10": [f"set as-path prepend {prepended}"]}


def test_the_sites_own_route_maps(bgpd: Bgpd) -> None:
    """Right: used. Missing or wrong: said, and neither made, nor changed, nor used."""
    backend = driver(bgpd, SITE)
    assert "does not exist" in cycle(backend, *one(V4))[1][V4]
    assert bgpd.maps == {}
    bgpd.maps["BGP1"] = site_map("64699 64699")
    assert "the profile wants" in cycle(backend, *one(V4))[1][V4]
    assert bgpd.networks == {}
    bgpd.maps["BGP1"] = site_map("64699")
    assert cycle(backend, *one(V4))[2].routes[V4] == Route(V4, ONE)
    bgpd.maps["BGP1"] = site_map("64699 64699 64699")
    before, failures, _ = cycle(backend, *one(V4))
    assert isinstance(before.routes[V4], Drift)
    assert failures.keys() == {V4}
    assert bgpd.maps == {"BGP1": site_map("64699 64699 64699")}


def test_a_profile_that_no_route_map_is_named_for(bgpd: Bgpd) -> None:
    """Said with the key; the others are announced."""
    bgpd.maps["BGP1"] = site_map("64699")
    changes = [Announce(Route(V4, ONE)), Announce(Route(V6, FULL))]
    _, failures, after = cycle(driver(bgpd, SITE), *changes)
    assert failures.keys() == {V6}
    assert "backend.quagga.route_map does not name" in failures[V6]
    assert after.routes[V4] == Route(V4, ONE)


def test_a_route_of_no_profile(bgpd: Bgpd) -> None:
    """As a new configuration may want before the driver has it: said, and the others are announced."""
    strange = replace(ONE, med=77)
    failures = asyncio.run(driver(bgpd).apply([Announce(Route(V4, strange)), *one(V6)]))
    assert failures.keys() == {V4}
    assert "no profile" in failures[V4]
    assert bgpd.networks.keys() == {V6}


# --- vtysh itself --------------------------------------------------------------------------------


def program(directory: File, *lines: str) -> File:
    path = directory / "vtysh"
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return path


def run(path: File, commands: Sequence[str], timeout: float = 60) -> Output:
    return asyncio.run(Shell(path, timeout)(commands))


def test_vtysh_gets_an_argument_list(tmp_path: File) -> None:
    """Always `-d bgpd`; each command with its own `-c`; no shell, no stdin, no pager."""
    path = program(tmp_path, 'for word; do echo "$word"; done; cat; echo "$VTYSH_PAGER"')
    output = run(path, ["show running-config", "; echo $HOME"])
    words = ["-d", "bgpd", "-c", "show running-config", "-c", "; echo $HOME", "cat"]
    assert output == Output(0, "".join(f"{word}\n" for word in words), "")


def test_vtysh_that_hangs(tmp_path: File) -> None:
    """It is ended after its time, and what it did is unknown."""
    pid = tmp_path / "pid"
    pid.touch()
    path = program(tmp_path, f"echo $$ > {pid}", "exec sleep 600")
    for patience in (0.2, 2, 20):  # a busy machine may not have begun it by then
        with pytest.raises(VtyshError, match="what it did is unknown"):
            run(path, ["show running-config"], patience)
        if pid.read_text():
            break
    assert not File(f"/proc/{int(pid.read_text())}").exists()


def test_vtysh_that_leaves_a_child(tmp_path: File) -> None:
    """Its end is not waited for until whoever else has its output ends too."""
    path = program(tmp_path, "sleep 600 &", f"echo $! > {tmp_path / 'child'}", "exec sleep 600")
    began = time.monotonic()
    with pytest.raises(VtyshError, match="what it did is unknown"):
        run(path, ["show running-config"], 2)
    os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)
    assert time.monotonic() - began < 120


def test_vtysh_missing(tmp_path: File) -> None:
    """The key that names it is said."""
    with pytest.raises(VtyshError, match=r"backend\.quagga\.vtysh names it"):
        run(tmp_path / "none", ["show running-config"])


def test_vtysh_that_reaches_nobody(tmp_path: File) -> None:
    """bgpd down, or not in the group: an error that keeps what vtysh said."""
    path = program(tmp_path, 'echo "Exiting: failed to connect to any daemons." >&2', "exit 1")
    with pytest.raises(NotRunningError) as caught:
        run(path, ["show running-config"])
    assert caught.value.output is not None
    assert caught.value.output.status == 1
    assert caught.value.commands == ("show running-config",)


def test_the_as_is_not_taken_from_bgpd() -> None:
    """The data centre's own AS is written in front of every batch, and checked before."""
    bgpd = Bgpd("frr-8.4.4", asn=64511)
    backend = QuaggaBackend(bgpd, pause=no_pause)
    backend.configure(Asn(64511), SETTINGS, PROFILES)
    attributes = PROFILES[1].attributes(Asn(64511))
    assert asyncio.run(backend.apply([Announce(Route(V4, attributes))])) == {}
    assert "router bgp 64511" in bgpd.runs[-1]


def test_vtysh_that_says_too_much(tmp_path: File) -> None:
    """It is ended, and what it said is no answer."""
    path = program(tmp_path, "exec yes")
    with pytest.raises(VtyshError, match="vtysh: more than 1000000 bytes"):
        asyncio.run(Shell(path, 60, max_output=1_000_000)(["show running-config"]))
