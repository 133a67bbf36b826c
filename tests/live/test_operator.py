"""What an operator does with vip_mgmt, what it says, and what the far peer has then."""

import json
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.lab.bird import Bird
from tests.support.lab.dns import DnsServer, Reply, records
from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import Flavour
from tests.support.lab.history import TRACE, History
from tests.support.lab.inside import inside
from tests.support.lab.installed import NOBODY, Installed
from tests.support.lab.netns import Network
from tests.support.lab.site import Site, misses, sees, vip

DAEMON = 1
"""The uid of a user who may not use the control socket."""
BUDGET = 10.0
"""A limit for `vip_mgmt -d NAME` to the loss at the peer on any machine, in seconds.

On an idle one it is 0.5, which `./dev bench` measures.
"""

SERVFAIL = Reply(rcode="SERVFAIL")
DNS = {
    "vip-1.tld A": records("vip-1.tld. A 192.0.2.1"),
    "vip-1.tld AAAA": records("vip-1.tld. AAAA 2001:db8::1"),
    "www.tld A": records("www.tld. CNAME vip-1.tld.", "vip-1.tld. A 192.0.2.1"),
    "www.tld AAAA": records("www.tld. CNAME vip-1.tld.", "vip-1.tld. AAAA 2001:db8::1"),
    "vip-2.tld A": records("vip-2.tld. A 192.0.2.2", "vip-2.tld. A 192.0.2.99"),
    "vip-2.tld AAAA": Reply(),
    "vip-3.tld A": SERVFAIL,
    "vip-3.tld AAAA": SERVFAIL,
    "half.tld A": records("half.tld. A 192.0.2.1"),
    "half.tld AAAA": SERVFAIL,
    "stranger.tld A": records("stranger.tld. A 192.0.2.98"),
    "stranger.tld AAAA": Reply(),
}
LIVE, DEAD = 8081, 8082
V4, V6 = "192.0.2.1/32", "2001:db8::1/128"
TWO, THREE, FLAPPING, UNKNOWN, UNCHECKED = (f"192.0.2.{number}/32" for number in range(2, 7))
ANNOUNCED = {V4, V6, TWO, "2001:db8::2/128", THREE, UNCHECKED}
TABLES = {
    "vip": {
        "vip-1.tld": vip("192.0.2.1", "2001:db8::1", ports=[LIVE]),
        "vip-2.tld": vip("192.0.2.2", "2001:db8::2", ports=[LIVE]),
        "vip-3.tld": vip("192.0.2.3", ports=[LIVE]),
        "flapping.tld": vip("192.0.2.4", ports=[DEAD]),
        # No route leads there, which is this machine's fault: unknown, not down.
        "unknown.tld": {
            "addresses": ["192.0.2.5"],
            "services": {"tcp/80": {"realservers": ["198.51.100.1:80"]}},
        },
        "unchecked.tld": {"addresses": ["192.0.2.6"], "health": {"source": "none"}},
    },
}


@dataclass
class Lab:
    """A data centre, an operator's DNS, and a far peer that remembers."""

    site: Site
    bird: Bird
    history: History
    touched: bool = False

    def mgmt(
        self, *arguments: str, uid: int | None = None, gid: int | None = None
    ) -> tuple[int, str]:
        """Run vip_mgmt; return its exit status and what it said on stderr."""
        self.touched |= "--dry-run" not in arguments
        done = self.site.mgmt(*arguments, uid=uid, gid=gid)
        return done.returncode, done.stderr

    def last_of(self, prefix: str, *verbs: str) -> float:
        """Wait until the peer remembers just this of a prefix, and return when the last was."""
        eventually(
            lambda: self.history.verbs(prefix),
            until=lambda seen: seen == [*verbs],
            within=5,
            what=f"{prefix}: {verbs}",
        )
        return self.history.events(prefix)[-1].time

    def restore(self) -> None:
        """Undo what was done: all is as at the start, but for unknown.tld, which stays drained."""
        self.site.realservers.close(DEAD)
        if self.touched:
            self.site.mgmt("-a", *ANNOUNCED, FLAPPING)
        self.touched = False


@pytest.fixture(scope="module")
def shared(lab: Network, flavour: Flavour, installed: Installed) -> Iterator[Lab]:
    """The lab of all tests here."""
    host = lab.host("par1")
    link = lab.link(lab.host("bird"), host)
    session = link.session(64500, 64699)
    bird = Bird(link.a.namespace, [session], options=TRACE)
    with inside(host):
        server = DnsServer(DNS).__enter__()
    try:
        address, port = server.endpoint
        here = {
            "node": {"resolver": f"{address}:{port}"},
            "backend": {"exabgp": {"next_hop": {"ipv6": link.b.ipv6}}},
        }
        site = Site(host, flavour, installed, [session.flipped()], {**TABLES, **here}, up=[LIVE])
        bird.wait_for_sessions()
        site.ready()
        yield Lab(site, bird, History(bird))
    finally:
        server.__exit__(None, None, None)


@pytest.fixture
def op(shared: Lab) -> Iterator[Lab]:
    """The lab with every VIP as it is at first, before each test and after."""
    sees(shared.bird, *ANNOUNCED)
    misses(shared.bird, FLAPPING, UNKNOWN)
    shared.history.start()
    yield shared
    shared.restore()


spoken = pytest.mark.one_exabgp
"""What the command means and says does not depend on the ExaBGP: what it does with each, the other tests
here show beside both, and tests/contract/test_backend.py for the driver."""


def test_unknown_health(op: Lab) -> None:
    """A VIP of unknown health is held; `-a` announces it with a warning, `-d` withdraws it."""
    (route,) = op.site.status(UNKNOWN)["routes"]
    assert (route["health"], route["announced"]) == ("unknown", False)
    status, said = op.mgmt("-a", UNKNOWN)
    assert status == 0
    assert said.startswith(f"bgp_mgt: Adding route to {UNKNOWN}\nbgp_mgt: {UNKNOWN}: warning: ")
    sees(op.bird, UNKNOWN)
    assert op.mgmt("-d", UNKNOWN)[0] == 0
    misses(op.bird, UNKNOWN)


def test_drain_and_restore_by_name(op: Lab) -> None:
    """`-d NAME` withdraws every address of the name at once; `-a NAME` announces them again.

    Both may be said twice. Only these prefixes change.
    """
    assert op.mgmt("-d", "vip-1.tld") == (
        0,
        f"bgp_mgt: Deleting route to {V4}\nbgp_mgt: Deleting route to {V6}\n",
    )
    misses(op.bird, V4, V6)
    status, said = op.mgmt("-d", "vip-1.tld")
    replaced, _, said = said.partition("\n")
    assert replaced.startswith(f"bgp_mgt: {V4}, {V6}: replaced: drained by root at ")
    assert (status, said) == (0, f"Route {V4} already removed\nRoute {V6} already removed\n")
    assert op.mgmt("-a", "vip-1.tld") == (
        0,
        f"bgp_mgt: Adding route to {V4}\nbgp_mgt: Adding route to {V6}\n",
    )
    sees(op.bird, V4, V6)
    again = f"Route {V4} already exists\nRoute {V6} already exists\n"
    assert op.mgmt("-a", "vip-1.tld") == (0, again)
    assert op.history.verbs(V4) == op.history.verbs(V6) == ["removed", "added"]
    assert {event.prefix for event in op.history.events()} == {V4, V6}


def test_drain_is_fast(op: Lab) -> None:
    """From the start of `vip_mgmt -d NAME` to the loss at the peer it takes less than the budget."""
    began = time.time()
    status, _ = op.mgmt("-d", "vip-1.tld")
    assert status == 0
    misses(op.bird, V4, V6)
    took = max(event.time for event in op.history.events(V4, V6)) - began
    print(f"vip_mgmt -d NAME to the loss at the peer: {took:.3f} s")  # noqa: T201
    assert took < BUDGET


@spoken
@pytest.mark.parametrize("target", ["192.0.2.1", V4])
def test_drain_by_address_or_prefix(op: Lab, target: str) -> None:
    """An address or a prefix means itself alone."""
    assert op.mgmt("-d", target) == (0, f"bgp_mgt: Deleting route to {V4}\n")
    misses(op.bird, V4)
    assert op.mgmt("-a", target) == (0, f"bgp_mgt: Adding route to {V4}\n")
    sees(op.bird, V4)
    assert {event.prefix for event in op.history.events()} == {V4}


@spoken
def test_drain_by_a_name_that_only_dns_knows(op: Lab) -> None:
    """CNAMEs are followed, and the addresses found are enough where vip.toml has them."""
    status, said = op.mgmt("-d", "www.tld")
    assert (status, sorted(said.splitlines())) == (
        0,
        [f"bgp_mgt: Deleting route to {prefix}" for prefix in (V4, V6)],
    )
    misses(op.bird, V4, V6)


def test_all_is_every_vip(op: Lab) -> None:
    """`all` drains everything of vip.toml, and restores what is healthy."""
    status, said = op.mgmt("-d", "all", "--reason", "move of the rack")
    assert status == 0
    deleted = {line.split()[-1] for line in said.splitlines() if "Deleting" in line}
    assert deleted == ANNOUNCED
    misses(op.bird, *ANNOUNCED)
    assert {route["intent"] for route in op.site.status()["routes"]} == {"drained"}
    status, said = op.mgmt("-a", "all")
    assert (status, said.count("stays withdrawn")) == (1, 1), "flapping.tld is dead"
    sees(op.bird, *ANNOUNCED, UNKNOWN)
    assert op.mgmt("-d", UNKNOWN)[0] == 0


REFUSED = [
    (("nowhere.tld",), "Unable to lookup nowhere.tld. Exiting..\n"),
    (("vip-1.tld", "nowhere.tld"), "Unable to lookup nowhere.tld. Exiting..\n"),
    (("vip-1.tld", "half.tld"), "half.tld: not in vip.toml, and "),
    (("vip-1.tld", "stranger.tld"), "stranger.tld: 192.0.2.98 not in vip.toml"),
    (("vip-1.tld", "198.51.100.1"), "198.51.100.1: not in vip.toml"),
    (("vip-1.tld", "192.0.2.0/24"), "192.0.2.0/24: not in vip.toml"),
    (("vip-1.tld", "--reason", "two\nlines"), "reason: "),
    (("vip-1.tld", "--for", "0s"), "--for: "),
    (("vip-1.tld", "--force"), "--force is only valid with -a"),
]


@spoken
def test_what_can_not_be_meant_changes_nothing(op: Lab) -> None:
    """One bad NAME or option: exit 255 with the reason, and nothing is changed for any NAME."""
    for names, expected in REFUSED:
        status, said = op.mgmt("-d", *names)
        assert (status, expected in said) == (255, True), (names, said)
    assert {route["intent"] for route in op.site.status("vip-1.tld")["routes"]} == {"auto"}
    assert not op.history.events()


@spoken
def test_dns_and_vip_toml_differ(op: Lab) -> None:
    """A name means what DNS has and what vip.toml has; what differs is said, strangers stay alone."""
    status, said = op.mgmt("-d", "vip-2.tld")
    assert status == 0
    assert "vip-2.tld: DNS has 192.0.2.99, which vip.toml lacks; ignored" in said
    assert "vip-2.tld: vip.toml has 2001:db8::2/128, which DNS lacks; included anyway" in said
    misses(op.bird, TWO, "2001:db8::2/128")


@spoken
def test_dns_does_not_answer_for_a_known_name(op: Lab) -> None:
    """A name of vip.toml works without DNS, and it is said."""
    status, said = op.mgmt("-d", "vip-3.tld")
    assert status == 0
    assert "using what vip.toml has" in said
    misses(op.bird, THREE)


@spoken
def test_owner_reason_and_history(op: Lab) -> None:
    """An intent has its owner, its reason and its time, in `status`, `explain` and `history`."""

    def wait_for(event: str) -> None:
        """Wait until it is history: it is read back first, half a second later."""
        eventually(
            lambda: op.site.mgmt("history", V4).stdout.splitlines()[-1:],
            until=lambda lines: any(event in line for line in lines),
            within=5,
            what=f"{event} in history",
        )

    assert op.mgmt("-d", V4, "--reason", "disk full")[0] == 0
    (route,) = op.site.status(V4)["routes"]
    assert (route["intent"], route["announced"]) == ("drained", False)
    assert route["reason"].startswith("drained by root at ")
    assert route["reason"].endswith(": disk full")
    explained = op.site.mgmt("explain", V4)
    assert explained.returncode == 0
    assert "withdraw, by operator" in explained.stdout
    assert "disk full" in explained.stdout
    wait_for("withdrawn")
    op.mgmt("-a", V4)
    wait_for("announced")
    shown = op.site.mgmt("history", V4).stdout.splitlines()[-4:]
    assert [line.split()[2].rstrip(":") for line in shown] == [
        "drained",
        "withdrawn",
        "auto",
        "announced",
    ]
    assert "disk full" in shown[0]


@spoken
def test_expiry(op: Lab) -> None:
    """`--for 4s` comes back by itself, not before its time, in which `-d` can see that it is done."""
    began = time.time()
    assert op.mgmt("-d", V4, "--for", "4s")[0] == 0
    assert op.last_of(V4, "removed", "added") - began >= 4
    (route,) = op.site.status(V4)["routes"]
    assert route["intent"] == "auto"


@spoken
def test_an_unhealthy_vip_stays_withdrawn(op: Lab) -> None:
    """`-a` of a dead VIP: exit 1 with the reason; `--force` announces it until the next `-a`."""
    reason = "down: 0 realservers: tcp/80 down with 0"
    assert op.mgmt("-a", FLAPPING) == (1, f"bgp_mgt: {FLAPPING}: stays withdrawn: {reason}\n")
    assert op.mgmt("-a", "--force", FLAPPING) == (0, f"bgp_mgt: Adding route to {FLAPPING}\n")
    sees(op.bird, FLAPPING)
    (route,) = op.site.status(FLAPPING)["routes"]
    assert (route["intent"], route["health"], route["announced"]) == ("forced", "down", True)
    assert op.mgmt("-a", FLAPPING)[0] == 1
    misses(op.bird, FLAPPING)
    op.site.realservers.open(DEAD)
    sees(op.bird, FLAPPING)


@spoken
def test_force_expires(op: Lab) -> None:
    """`-a --force --for 4s` is over after its time."""
    began = time.time()
    assert op.mgmt("-a", "--force", "--for", "4s", FLAPPING)[0] == 0
    assert op.last_of(FLAPPING, "added", "removed") - began >= 4


@spoken
def test_a_drained_vip_ignores_its_realservers(op: Lab) -> None:
    """A drain holds whatever the realservers do; `-a` then obeys health."""
    op.site.realservers.open(DEAD)
    sees(op.bird, FLAPPING)
    assert op.mgmt("-d", FLAPPING)[0] == 0
    misses(op.bird, FLAPPING)
    op.site.realservers.close(DEAD)
    eventually(
        lambda: op.site.routes(FLAPPING)[FLAPPING]["health"],
        until=lambda health: health == "down",
        within=5,
        what="down",
    )
    op.site.realservers.open(DEAD)
    eventually(
        lambda: op.site.routes(FLAPPING)[FLAPPING]["health"],
        until=lambda health: health == "up",
        within=5,
        what="up",
    )
    assert op.history.verbs(FLAPPING) == ["added", "removed"]
    assert op.mgmt("-a", FLAPPING)[0] == 0
    sees(op.bird, FLAPPING)


def test_an_unchecked_vip_is_the_operators(op: Lab) -> None:
    """With `source = "none"` a VIP is announced, and only the operator changes that."""
    assert op.mgmt("-d", "192.0.2.6")[0] == 0
    misses(op.bird, UNCHECKED)
    assert op.mgmt("-a", "192.0.2.6")[0] == 0
    sees(op.bird, UNCHECKED)


@spoken
def test_dry_run_changes_nothing(op: Lab) -> None:
    """`--dry-run` says what would be done, and neither the peer nor the intents change."""
    assert op.mgmt("-d", "--dry-run", V4) == (0, f"bgp_mgt: would be: Deleting route to {V4}\n")
    assert op.mgmt("-a", "--dry-run", V4) == (0, f"would be: Route {V4} already exists\n")
    status, said = op.mgmt("-a", "--dry-run", FLAPPING)
    assert status == 1
    assert "stays withdrawn: down: 0 realservers" in said
    assert op.site.routes()[V4]["intent"] == "auto"
    assert not op.history.events()


@spoken
def test_the_control_socket_is_for_its_group(op: Lab) -> None:
    """The socket has mode 0660; whoever may not use it is told so, and changes nothing."""
    control = op.site.state / "control.sock"
    assert stat.S_IMODE(control.stat().st_mode) == 0o660
    assert control.stat().st_uid == NOBODY
    status, said = op.mgmt("-d", V4, uid=DAEMON)
    assert status == 1
    assert "you must be its owner, or in its group" in said
    assert not op.history.events()


@spoken
def test_the_caller_is_the_owner(op: Lab) -> None:
    """The owner of an intent is the user at the other end of the socket."""
    assert op.mgmt("-d", V4, uid=NOBODY)[0] == 0
    assert op.site.routes(V4)[V4]["reason"].startswith("drained by nobody at ")


@spoken
def test_who_may_not_write_the_directory(op: Lab) -> None:
    """A member of the socket's group drains and restores by it, and asks, with no right to what is beside it."""
    op.site.state.chmod(0o751)  # it has the socket, too
    assert op.mgmt("-d", V4, uid=DAEMON, gid=NOBODY)[0] == 0
    assert op.site.routes(V4)[V4]["reason"].startswith("drained by daemon at ")
    assert op.mgmt("-a", V4, uid=DAEMON, gid=NOBODY)[0] == 0
    assert op.mgmt("history", V4, uid=DAEMON, gid=NOBODY)[0] == 0
    assert op.mgmt("status", uid=DAEMON, gid=NOBODY)[1] == ""


def test_plan_and_check(op: Lab) -> None:
    """`plan` finds nothing to do at a healthy site, and its file is taken: exit 0."""
    planned = op.site.mgmt("plan")
    assert (planned.returncode, planned.stdout) == (
        0,
        "no changes: the daemon has what was decided\n",
    )
    checked = op.site.mgmt("check", "--form")
    assert (checked.returncode, checked.stderr) == (0, "")


@spoken
def test_check_asks_the_world(op: Lab) -> None:
    """`check` asks DNS and the watchdog; what does not answer is a note, and no finding."""
    checked = op.site.mgmt("check", "--json")
    assert (checked.returncode, checked.stderr) == (2, "")
    answer = json.loads(checked.stdout)
    assert {(finding["code"], finding["object"]) for finding in answer["findings"]} == {
        ("unequal-load", "dc par1"),
        ("unequal-load", "dc lyo1"),
        ("dns-extra", "vip-2.tld"),
        ("dns-missing", "vip-2.tld"),
    }
    failed, absent = answer["notes"]
    assert failed.startswith("not checked: DNS: vip-3.tld: A: SERVFAIL from ")
    assert absent.endswith("and 1 more: not in DNS at all; only vip.toml has it")
