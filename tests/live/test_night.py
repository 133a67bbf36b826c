"""A machine is broken in ten ways: each is named, with what to do, in status, log, page and metrics, as docs/night.md has it."""

import html
import http.client
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from policy.intent import Intent, Mode
from policy.route import parse_prefix
from speaker.state.store import Store
from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.inside import inside
from tests.support.lab.installed import Installed
from tests.support.lab.netns import End, Network
from tests.support.lab.requirements import require
from tests.support.lab.site import Site, vip
from tests.support.night_page import Shown, sections

ONE, SIX, OTHER = "192.0.2.1/32", "2001:db8::1/128", "192.0.2.3/32"
SEVEN = "2001:db8::7/128"
PORT, OTHER_PORT = 8081, 8082
LISTEN = 9180
SECTIONS = sections()
WRITTEN: Mapping[str, Any] = {
    "vip": {
        "vip-1.tld": vip(ONE[:-3], SIX[:-4], ports=[PORT]),
        "vip-2.tld": vip(OTHER[:-3], ports=[OTHER_PORT]),
    },
    "metrics": {"listen": f"127.0.0.1:{LISTEN}"},
}


class Machine:
    """A load balancer, the router that it announces to, and the four places where an operator looks."""

    def __init__(self, network: Network, stack: ExitStack) -> None:
        self.link = network.link(network.host("router"), network.host("lb1"))
        self.host, self.router = self.link.b.namespace, self.link.a.namespace
        self.session = self.link.session(64500, 64699)
        self.bird = Bird(self.router, [self.session])
        self.disk = self.host.directory / "disk"
        self.disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", self.disk], check=True)
        stack.callback(lambda: subprocess.run(["umount", "--lazy", self.disk], check=True))
        self.state = self.disk / "state.sqlite3"
        here = {
            **WRITTEN,
            "node": {"state": str(self.state)},
            "backend": {"exabgp": {"next_hop": {"ipv6": self.link.b.ipv6}}},
        }
        own = Installed(Path(sys.prefix))
        sessions, ports = [self.session.flipped()], [PORT, OTHER_PORT]
        self.site = Site(self.host, "v5", own, sessions, here, up=ports, user="root")
        self.good = self.site.tables
        self.logged = 0
        self.is_gone = False
        """Whether there is nobody to serve a page."""

    # --- the places ------------------------------------------------------------------------

    def as_documented(self, text: str) -> str:
        """Return a text with the paths and addresses that the page has for those of this lab."""
        for own, shown in (
            (str(self.site.file), "/etc/vip-speaker/vip.toml"),
            (str(self.state), "/var/lib/vip-speaker/state.sqlite3"),
            (str(self.site.state / "control.sock"), "/run/vip-speaker/control.sock"),
            (self.session.local, "192.0.2.251"),
        ):
            text = text.replace(own, shown)
        return text

    def get(self, path: str) -> str:
        """Return what is served at the address of metrics.

        Raises:
            ConnectionRefusedError: nobody serves it.
        """
        connection = http.client.HTTPConnection("127.0.0.1", LISTEN, timeout=30)
        with inside(self.host):
            connection.connect()
        with closing(connection):
            connection.request("GET", path)
            return connection.getresponse().read().decode()

    def metrics(self) -> str:
        """Return the metrics, or the one that Prometheus has where nobody tells it any."""
        try:
            return self.as_documented(self.get("/metrics"))
        except ConnectionRefusedError:
            return 'up{job="vip-speaker"} 0'

    def answer(self, *arguments: str) -> str:
        """Return all that vip_mgmt prints."""
        done = self.site.mgmt(*arguments)
        return self.as_documented(done.stdout + done.stderr)

    def trouble(self) -> str:
        """Return what the page has under Trouble, as text."""
        section = re.search(r'<section id="trouble".*?</section>', self.get("/"), re.DOTALL)
        assert section is not None
        return self.as_documented(html.unescape(re.sub(r"<[^>]+>", "\n", section[0])))

    def log(self) -> str:
        """Return what was logged since the machine was well."""
        return self.as_documented(self.site.exabgp.log()[self.logged :])

    # --- what the page says ----------------------------------------------------------------

    def missing(self, shown: Shown) -> list[str]:
        """Return the lines of the page that are not to be seen where it says."""
        places: Mapping[str, Callable[[], str]] = {
            "status": lambda: self.answer("status"),
            "log": self.log,
            "metric": self.metrics,
            "mgmt": lambda: self.answer("status", "vip-1.tld"),
            "page": self.trouble,
        }
        prefix = re.compile(r"(TROUBLE|DOWN):\\ ")
        on_page = [re.compile(prefix.sub("", line.pattern)) for line in shown["status"]]
        wanted = dict(shown) if self.is_gone else {**shown, "page": on_page}
        found = {place: places[place]() for place in wanted}
        return [
            f"{place}: {line.pattern}: {found[place]}"
            for place, lines in wanted.items()
            for line in lines
            if not any(map(line.fullmatch, map(str.strip, found[place].splitlines())))
        ]

    def shows(self, title: str, number: int = 0) -> None:
        """Wait until all that a section of the page says is to be seen."""
        eventually(
            lambda: self.missing(SECTIONS[title][number]),
            until=lambda left: not left,
            within=20,
            what=f"what the page says of: {title}",
            every=0.5,
        )

    def well(self) -> None:
        """Wait until nothing is wrong, in no place."""

        def wrong() -> list[str]:
            status = self.answer("status").splitlines()
            texts = [line for line in status if line.startswith(("TROUBLE", "DOWN"))]
            metrics = [line for line in self.metrics().splitlines() if not line.endswith(" 0")]
            texts += [line for line in metrics if line.startswith("vip_alarm")]
            try:
                page = self.trouble().strip()
            except ConnectionRefusedError:
                return [*texts, "no page"]
            return texts + [text for text in [page] if text != "No trouble."]

        eventually(wrong, until=lambda texts: not texts, within=30, what="all well", every=0.5)
        self.logged = len(self.site.exabgp.log())

    def change(self, tables: Mapping[str, Any]) -> None:
        """Load another vip.toml."""
        self.site.configure(tables)
        done = self.site.mgmt("reload")
        assert done.returncode == 0, done.stderr

    @contextmanager
    def changed(self, tables: Mapping[str, Any]) -> Iterator[None]:
        """Have another vip.toml loaded, and then the good one again."""
        self.change(tables)
        try:
            yield
        finally:
            self.site.tables = {}
            self.change(self.good)

    def configure_router(self, *changes: tuple[str, str]) -> None:
        """Change BIRD's configuration, or with no change have it as it was."""
        file = self.router.directory / "bird.conf"
        kept = file.with_suffix(".good")
        if not kept.exists():
            kept.write_text(file.read_text())
        text = kept.read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        file.write_text(text)
        self.bird._ask("configure")


@pytest.fixture(scope="module")
def machine(module_network: Network) -> Iterator[Machine]:
    """The machine of all tests here."""
    require("bird", flavours=("v5",))
    with ExitStack() as stack:
        yield Machine(module_network, stack)


@pytest.fixture
def at(machine: Machine) -> Machine:
    """The machine, with nothing wrong."""
    machine.well()
    return machine


def test_the_page_has_ten() -> None:
    """The page has a section for each of the ten, and each says what is seen in status, log and a metric."""
    assert len(SECTIONS) == 10
    for title, blocks in SECTIONS.items():
        assert all({"status", "log", "metric"} <= shown.keys() for shown in blocks), title


def test_session_down(at: Machine) -> None:
    """A session that the router shuts down is named with its reason; one that can't even be tried with ours."""
    own = at.link.b
    (address,) = re.findall(
        r"inet (\S+)", own.namespace.run("ip", "-4", "address", "show", own.device)
    )
    at.bird.disable(at.session.remote)
    try:
        at.shows("A session is down")
        own.namespace.run("ip", "address", "del", address, "dev", own.device)
        try:
            said = f"its local-address {own.ipv4} is not on this machine; add it"
            eventually(lambda: said in at.answer("status"), within=10, what=said, every=0.5)
        finally:
            own.namespace.run("ip", "address", "add", address, "dev", own.device)
    finally:
        at.bird.enable(at.session.remote)


def test_realservers_dead(at: Machine) -> None:
    """A VIP whose realservers are dead is named, although all is as decided."""
    at.site.realservers.close(PORT)
    try:
        at.shows("Realservers are dead")
    finally:
        at.site.realservers.open(PORT)


def test_file_faulty(at: Machine) -> None:
    """A file with an address in two VIPs is named before anybody loads it; one that is no TOML neither keeps an operator from draining."""
    at.site.configure({"vip": {"vip-9.tld": vip(ONE[:-3], ports=[PORT])}})
    try:
        at.shows("vip.toml is faulty")
        at.site.write(f"[vip\n{at.site.file.read_text()}")
        drained = at.site.mgmt("-d", "vip-2.tld")
        assert (drained.returncode, OTHER in at.bird.routes()) == (0, False), drained.stderr
        assert "TROUBLE: vip.toml: " in drained.stderr
        assert "; the watchdog runs what it loaded at 2" in drained.stderr
        assert "drained by" in at.site.mgmt("explain", "vip-2.tld").stdout
        assert at.site.mgmt("-a", "vip-2.tld").returncode == 0
        assert at.site.mgmt("history", "vip-2.tld").returncode == 0
        assert "vip-2.tld" in at.site.mgmt("status").stdout
    finally:
        at.site.configure({"vip": {"vip-9.tld": None}})


def test_disk_full(at: Machine) -> None:
    """A full disk is named although nothing happens; no drain is said to be done, and what is dead is withdrawn all the same."""
    filling = at.disk / "filling"
    with filling.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    try:
        at.shows("The disk is full")
        assert "state: " in at.answer("check", "--nagios")
        at.site.realservers.close(OTHER_PORT)
        eventually(lambda: OTHER not in at.bird.routes(), within=10, what="a withdrawal")
        assert at.site.mgmt("-d", "vip-1.tld").returncode == 1
        assert ONE in at.bird.routes()
    finally:
        filling.unlink()
        at.site.realservers.open(OTHER_PORT)


def test_exabgp_gone(at: Machine) -> None:
    """Where ExaBGP was killed, what is left says so: the command, and the last line of the log. One that was stopped is no failure."""
    at.site.exabgp.terminate()
    assert "ExaBGP shuts down, and vip_watchdog ends with it" in at.log()
    assert "ExaBGP is gone" not in at.log()
    at.site.restart()
    at.site.exabgp.kill()
    at.is_gone = True
    try:
        at.shows("ExaBGP is gone")
        with pytest.raises(ConnectionRefusedError):
            at.get("/")
    finally:
        at.is_gone = False
        at.site.restart()


def test_keepalived_gone(at: Machine) -> None:
    """Where keepalived does not run, and a VIP's health comes from IPVS, that is named."""
    more = {"vip": {"vip-3.tld": {"addresses": ["192.0.2.9"], "health": {"source": "ipvs"}}}}
    with at.changed(more):
        at.shows("keepalived is gone")


def test_dns_gone(at: Machine) -> None:
    """Where DNS does not answer, commands say so and go on, and a webhook that waits for it is named."""
    with at.changed({"events": {"webhook": "http://hooks.example/"}}):
        at.site.realservers.close(OTHER_PORT)
        try:
            at.shows("DNS is gone")
        finally:
            at.site.realservers.open(OTHER_PORT)


@pytest.mark.parametrize(
    ("change", "who"),
    [
        (("as 64500;", "as 64501;"), "sent"),
        (("as 64699;", "as 64698;"), "received"),
    ],
)
def test_wrong_as_of_a_session(at: Machine, change: tuple[str, str], who: str) -> None:
    """A session whose ends do not agree who they are is named, with who refused whom."""
    at.configure_router(change)
    try:
        if who == "sent":
            at.shows("Wrong AS")
        said = f"bad peer AS (NOTIFICATION 2/2 {who})"
        eventually(lambda: said in at.answer("status"), within=30, what=said, every=0.5)
    finally:
        at.configure_router()


def test_wrong_as_of_the_site(at: Machine) -> None:
    """A vip.toml whose AS no session has is named; the AS_PATH that it means is not what is sent."""
    with at.changed({"dc": {"par1": {"asn": 64698}}}):
        at.shows("Wrong AS", 1)


def test_duplicate_address(at: Machine) -> None:
    """An IPv6 address that another host on the link has, too, is named and not announced; what the page says ends that."""
    address = SEVEN.removesuffix("/128")
    router, own = at.link.a, at.link.b

    def change(end: End, verb: str, *how: str) -> None:
        end.namespace.run("ip", "address", verb, SEVEN, "dev", end.device, *how)

    detects = f"/proc/sys/net/ipv6/conf/{own.device}/accept_dad"
    own.namespace.run("sh", "-c", f"echo 1 > {detects}")
    more = vip(address, ports=[PORT], health={"require_address": True})
    with ExitStack() as stack:
        change(router, "add", "nodad")
        stack.enter_context(at.changed({"vip": {"vip-7.tld": more}}))
        change(own, "add")
        stack.callback(lambda: change(own, "del"))
        at.shows("A duplicate address")
        assert SEVEN not in at.bird.routes()
        change(router, "del")
        change(own, "del")
        change(own, "add")
        eventually(lambda: SEVEN in at.bird.routes(), within=10, what="its announcement")


def test_time_wrong(at: Machine) -> None:
    """An intent of the future, as one that was recorded while the time was ahead, is named as what it shows."""
    store = Store(at.state)
    try:
        prefix = parse_prefix(OTHER)
        store.set_intents({prefix: Intent(Mode.DRAINED, "root", time.time() + 7200)})
        at.shows("The time is wrong")
        store.set_intents({prefix: Intent(Mode.AUTO, "root", time.time())})
    finally:
        store.close()
