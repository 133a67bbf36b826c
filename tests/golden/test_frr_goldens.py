"""A live FRR says what is recorded of it. `./dev goldens tests/golden` records anew."""

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from speaker.backends.quagga.vtysh import Output
from tests.golden.scenarios import SCENARIOS, Scenario
from tests.golden.transcript import FOLDER, Entry, Transcript, line, steady
from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.fixtures import once
from tests.support.lab.frr import Frr, config
from tests.support.lab.netns import Namespace, Network
from tests.support.lab.release import Release
from tests.support.lab.requirements import require
from tests.support.lab.session import Session
from tests.support.lab.site import _become

NETWORKS4 = ("network 192.0.2.1/32 route-map BGP1", "network 192.0.2.2/32 route-map BGP2")
NETWORKS6 = ("network 2001:db8::1/128 route-map BGP1", "network 2001:db8::2/128 route-map BGP2")
REFRESH = os.environ.get("VIP_REFRESH_GOLDENS") == "1"
STILL = 1.5
"""Seconds for which an answer must have been the same before it is recorded."""


@dataclass
class Lab:
    """An FRR and a router beyond a link."""

    host: Namespace
    far: Namespace
    session: Session
    frr: Frr
    bird: Bird

    def begin(self, scenario: Scenario) -> None:
        """Start bgpd anew, as a scenario has it."""
        self.bird.process.stop()
        self.bird = Bird(self.far, [self.session], originate=scenario.originate)
        self.frr.stop()
        self.frr.write(self._text(scenario))
        self.frr.start()
        if scenario.peer:
            self.bird.wait_for_sessions()
        if scenario.down:
            self.frr.stop()

    def _text(self, scenario: Scenario) -> str:
        if "no instance" in scenario.options:
            return ""
        sessions = [] if "no neighbors" in scenario.options else [self.session.flipped()]
        own = [option for option in scenario.options if option != "no neighbors"]
        networks = (NETWORKS4, NETWORKS6) if scenario.networks else ((), ())
        return config(
            sessions, options=own, ipv4=networks[0], ipv6=networks[1], before=scenario.maps
        )

    def run(self, commands: tuple[str, ...], uid: int) -> Output:
        """Run commands in one vtysh, as a user."""
        words = [word for command in commands for word in ("-c", command)]
        argv = [*(_become(uid) if uid else []), str(self.frr.vtysh), "-d", "bgpd", *words]
        done = subprocess.run(self.host.command(*argv), capture_output=True, text=True, check=False)
        return Output(done.returncode, steady(done.stdout), steady(done.stderr))


@pytest.fixture(scope="module")
def lab(release: Release) -> Iterator[Lab]:
    require("bird")
    with Network() as network:
        host, far = network.host("lvs"), network.host("router")
        far.believe_addresses()  # bgpd shows a next hop of BIRD's, which sends what it has when it starts
        session = network.link(far, host).session(64500, 64699)
        yield Lab(host, far, session, Frr(host, "", root=release.root), Bird(far, [session]))


def check(lab: Lab, scenario: Scenario, recorded: Transcript) -> None:
    """Run a scenario; each run must give what is recorded, what bgpd does later within seconds."""
    assert [entry.line for entry in recorded.entries] == [line(run) for run in scenario.runs]
    lab.begin(scenario)
    for run, entry in zip(scenario.runs, recorded.entries, strict=True):
        said = lab.run(run, scenario.uid)
        if run[0].startswith("show") and said != entry.output:
            said = eventually(
                lambda: lab.run(run, scenario.uid),  # noqa: B023 - called at once
                until=lambda said: said == entry.output,  # noqa: B023 - likewise
                within=8,
                what=f"{entry}",
            )
        assert said == entry.output, line(run)


def record(lab: Lab, scenario: Scenario) -> Transcript:
    """Run a scenario and return what came of it."""
    lab.begin(scenario)
    return Transcript([Entry(line(run), _still(lab, run, scenario.uid)) for run in scenario.runs])


def _still(lab: Lab, run: tuple[str, ...], uid: int) -> Output:
    last, since = lab.run(run, uid), time.monotonic()
    if not run[0].startswith("show"):
        return last

    def still() -> bool:
        nonlocal last, since
        now = lab.run(run, uid)
        if now != last:
            last, since = now, time.monotonic()
        return time.monotonic() - since > STILL

    eventually(still, within=30, what=f"the same answer for {STILL} s", every=0.2)
    return last


@pytest.mark.parametrize("name", SCENARIOS)
def test_frr_says_what_is_recorded(lab: Lab, release: Release, name: str) -> None:
    """What the driver relies on in FRR is still so: each command's stdout, stderr and exit status."""
    if REFRESH:
        path = FOLDER / release.recorded / f"{name}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(str(record(lab, SCENARIOS[name])))
    check(lab, SCENARIOS[name], Transcript.load(release.recorded, name))


@once
def test_a_wrong_golden_fails(lab: Lab, release: Release) -> None:
    """A golden that claims what FRR does not do is found out: it has Quagga's words in it."""
    scenario = Scenario([("configure terminal", "router bgp 64699", "no network 192.0.2.200/32")])
    with pytest.raises(AssertionError, match=r"no network 192\.0\.2\.200/32"):
        check(lab, scenario, Transcript.load(release.recorded, "wrong"))
