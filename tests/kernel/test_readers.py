"""Both ways to the table of IPVS, on a real kernel: one contract, and the races of each."""

import asyncio
import gc
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from policy.connections import ConnectionCount
from policy.health import Service
from policy.route import parse_prefix
from speaker import config
from speaker.check import world
from speaker.health.ipvs.connections import ConnectionCounter
from speaker.health.ipvs.families import TellingReader
from speaker.health.ipvs.netlink import NetlinkReader, connect
from speaker.health.ipvs.proc import PATH, ProcReader
from speaker.health.ipvs.table import Counting, IpvsTable, TableError, TableReader, Watched
from speaker.units import address as parse_address
from tests.kernel import ipvs
from tests.support.lab.eventually import eventually
from tests.unit.health.ipvs.tables import real, table, virtual

pytestmark = pytest.mark.guest("ipvsadm")
READERS: dict[str, Callable[[], TableReader]] = {"proc": ProcReader, "netlink": NetlinkReader}
ONE = "198.51.100.1:8080 -m -w 1"


@pytest.fixture(params=READERS)
def reader(request: pytest.FixtureRequest) -> TableReader:
    """Either reader."""
    return READERS[request.param]()


@pytest.fixture(scope="module")
def loaded() -> None:
    """The kernel with ip_vs."""
    ipvs.load()


@pytest.fixture
def kernel(loaded: None) -> Iterator[None]:
    """The kernel with ip_vs and an empty table."""
    del loaded
    yield
    ipvs.clear()


def read(reader: TableReader) -> IpvsTable:
    return asyncio.run(reader.read())


def ordered(shown: IpvsTable) -> tuple[dict[Any, Any], dict[int, Any]]:
    """Return a table for comparison: the order of a service's realservers means nothing."""
    return (
        {server: sorted(found, key=str) for server, found in shown.services.items()},
        {
            mark: sorted((each.version, sorted(each.realservers, key=str)) for each in services)
            for mark, services in shown.marks.items()
        },
    )


# pyroute2 leaves the sockets of an IPVS() that failed to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_no_ip_vs(reader: TableReader) -> None:
    """A kernel without ip_vs is an error that says so, not an empty table."""
    assert not PATH.exists(), "this must be the first test of the boot"
    with ipvs.without_modprobe(), pytest.raises(TableError, match=r"no ip_vs.*modprobe ip_vs"):
        read(reader)
    gc.collect()


CASES = {
    "empty": ([], table({}, {})),
    "tcp": (
        ipvs.service("-t 192.0.2.1:80", ONE, "198.51.100.2:8081 -m -w 100"),
        table({"tcp 192.0.2.1 80": [real("198.51.100.1"), real("198.51.100.2", 8081, 100)]}, {}),
    ),
    "udp": (
        ipvs.service("-u 192.0.2.1:53", "198.51.100.1:53 -i"),
        table({"udp 192.0.2.1 53": [real("198.51.100.1", 53)]}, {}),
    ),
    "sctp": (
        ipvs.service("--sctp-service 192.0.2.1:2905", "198.51.100.1:2905 -g"),
        table({"sctp 192.0.2.1 2905": [real("198.51.100.1", 2905)]}, {}),
    ),
    "one address, three protocols": (
        [
            *ipvs.service("-t 192.0.2.1:53", "198.51.100.1:53"),
            *ipvs.service("-u 192.0.2.1:53"),
            *ipvs.service("-t 192.0.2.1:54"),
        ],
        table(
            {
                "tcp 192.0.2.1 53": [real("198.51.100.1", 53)],
                "udp 192.0.2.1 53": [],
                "tcp 192.0.2.1 54": [],
            },
            {},
        ),
    ),
    "ipv6": (
        ipvs.service("-t [2001:db8::1]:443", "[2001:db8:1::ffff]:8443 -m"),
        table({"tcp 2001:db8::1 443": [real("2001:db8:1::ffff", 8443)]}, {}),
    ),
    "a realserver of the other family": (
        ipvs.service("-t [2001:db8::1]:443", "198.51.100.1:443 -i"),
        table({"tcp 2001:db8::1 443": [real("198.51.100.1", 443)]}, {}),
    ),
    "fwmark": (
        ipvs.service("-f 8", "198.51.100.1:0 -g", "198.51.100.2:0 -g -w 0"),
        table({}, {8: {4: [real("198.51.100.1", 0), real("198.51.100.2", 0, 0)]}}),
    ),
    "fwmark of both families": (
        [
            *ipvs.service("-f 4294967295", "198.51.100.1:0 -g"),
            *ipvs.service("-f 4294967295", flags="-6 -s rr"),
            "-a -f 4294967295 -6 -r [2001:db8:1::1]:0 -g",
        ],
        table({}, {4294967295: {4: [real("198.51.100.1", 0)], 6: [real("2001:db8:1::1", 0)]}}),
    ),
    "fwmark of both families, one tunnelled to the other": (
        [
            *ipvs.service("-f 8", "198.51.100.1:0 -g"),
            *ipvs.service("-f 8", flags="-6 -s rr"),
            "-a -f 8 -6 -r 198.51.100.2:0 -i",
        ],
        table({}, {8: {4: [real("198.51.100.1", 0)], 6: [real("198.51.100.2", 0)]}}),
    ),
    "persistent": (
        [
            *ipvs.service("-t 192.0.2.1:0", "198.51.100.1:0 -g", flags="-s wlc -p 30"),
            *ipvs.service("-t [2001:db8::1]:80", flags="-s rr -p 300 -M 64"),
            *ipvs.service("-f 9", ONE, flags="-s rr -p 300 -M 255.255.255.0"),
        ],
        table(
            {"tcp 192.0.2.1 0": [real("198.51.100.1", 0)], "tcp 2001:db8::1 80": []},
            {9: {4: [real("198.51.100.1")]}},
        ),
    ),
    "one-packet scheduling": (
        ipvs.service("-u 192.0.2.1:53", "198.51.100.1:53", flags="-s rr -o"),
        table({"udp 192.0.2.1 53": [real("198.51.100.1", 53)]}, {}),
    ),
    "weight 0": (
        ipvs.service(
            "-t 192.0.2.1:80", "198.51.100.1:8080 -m -w 0", "198.51.100.2:8080 -m -w 65535"
        ),
        table(
            {
                "tcp 192.0.2.1 80": [
                    real("198.51.100.1", weight=0),
                    real("198.51.100.2", weight=65535),
                ]
            },
            {},
        ),
    ),
    "no realserver": (ipvs.service("-t 192.0.2.1:80"), table({"tcp 192.0.2.1 80": []}, {})),
    "a sorry server": (
        ipvs.service("-t 192.0.2.1:80", "127.0.0.1:80 -m -w 1"),
        table({"tcp 192.0.2.1 80": [real("127.0.0.1", 80)]}, {}),
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.usefixtures("kernel")
def test_what_ipvsadm_made_is_read(reader: TableReader, case: str) -> None:
    """Protocols, families, marks, flags and weights of any service are read as they were made."""
    lines, expected = CASES[case]
    ipvs.change(*lines)
    assert ordered(read(reader)) == ordered(expected)


@pytest.mark.usefixtures("kernel")
def test_a_change_is_seen_by_the_next_look(reader: TableReader) -> None:
    """A realserver that goes, comes, loses its weight; a service that goes."""
    ipvs.change(*ipvs.service("-t 192.0.2.1:80", ONE), *ipvs.service("-t 192.0.2.2:80", ONE))
    seen = [read(reader)]
    for line in (
        "-e -t 192.0.2.1:80 -r 198.51.100.1:8080 -m -w 0",
        "-e -t 192.0.2.1:80 -r 198.51.100.1:8080 -m -w 2",
        "-d -t 192.0.2.1:80 -r 198.51.100.1:8080",
        "-D -t 192.0.2.1:80",
    ):
        ipvs.change(line)
        seen.append(read(reader))
    key = virtual("tcp", "192.0.2.1", 80)
    assert [found.services.get(key) for found in seen] == [
        (real("198.51.100.1"),),
        (real("198.51.100.1", weight=0),),
        (real("198.51.100.1", weight=2),),
        (),
        None,
    ]
    assert {found.services[virtual("tcp", "192.0.2.2", 80)] for found in seen} == {
        (real("198.51.100.1"),)
    }


@pytest.mark.usefixtures("kernel")
def test_what_counts(reader: TableReader) -> None:
    """Realservers with a weight count, sorry servers that vip.toml names and weight 0 do not."""
    ipvs.change(
        *ipvs.service("-t 192.0.2.1:80", ONE, "198.51.100.2:8080 -m -w 0", "127.0.0.1:80 -m"),
        *ipvs.service("-f 8", "198.51.100.1:0 -g"),
    )
    prefix = parse_prefix("192.0.2.1")
    watched = [
        Watched(prefix, frozenset({8}), frozenset({(parse_address("127.0.0.1"), None)})),
        Watched(parse_prefix("192.0.2.9")),
    ]
    live = Counting(watched).count(read(reader)).live
    assert live == {
        prefix: {Service("tcp", 80): 1, Service("fwmark", 8): 1},
        parse_prefix("192.0.2.9"): {},
    }


TUNNELS: dict[str, tuple[list[str], IpvsTable, dict[int, int | None]]] = {
    "one service": (
        ipvs.service("-f 8", "198.51.100.1:0 -i", flags="-s rr"),
        table({}, {8: {4: [real("198.51.100.1", 0)]}}),
        {4: None, 6: None},
    ),
    "two services": (
        [
            *ipvs.service("-f 8", "198.51.100.1:0 -i"),
            *ipvs.service("-f 8", flags="-6 -s rr"),
            "-a -f 8 -6 -r 198.51.100.2:0 -i",
        ],
        table({}, {8: {4: [real("198.51.100.1", 0)], 6: [real("198.51.100.2", 0)]}}),
        {4: None, 6: None},
    ),
    "no realservers": (
        ipvs.service("-f 8", flags="-6 -s rr"),
        table({}, {8: {6: []}}),
        {4: 0, 6: 0},
    ),
}


@pytest.mark.parametrize("case", TUNNELS)
@pytest.mark.usefixtures("kernel")
def test_the_family_of_a_mark(case: str) -> None:
    """Netlink tells the family of a mark's service. /proc does not where all is tunnelled.

    Read together they tell all; who may not ask netlink is told that the family is unknown.
    """
    lines, expected, known = TUNNELS[case]
    ipvs.change(*lines)
    assert ordered(read(NetlinkReader())) == ordered(expected)
    assert ordered(read(TellingReader(ProcReader(), NetlinkReader()))) == ordered(expected)
    prefixes = {4: parse_prefix("192.0.2.1"), 6: parse_prefix("2001:db8::1")}
    watched = [Watched(prefix, frozenset({8})) for prefix in prefixes.values()]
    seen = Counting(watched).count(read(ProcReader()))
    service = Service("fwmark", 8)
    assert {
        version: seen.live[prefix][service] if prefix in seen.live else None
        for version, prefix in prefixes.items()
    } == known
    assert ("fwmark/8" in seen.unknown) == (None in known.values())


@pytest.mark.usefixtures("kernel")
def test_only_tunnels_lead_to_the_other_family() -> None:
    """The kernel refuses a realserver of the other family that is not tunnelled; /proc relies on it."""
    for flags, other in (("", "[2001:db8:1::1]:0"), ("-6 ", "198.51.100.1:0")):
        ipvs.change(f"-A -f 8 {flags}-s rr")
        for way in ("-g", "-m"):
            with pytest.raises(RuntimeError, match="ipvsadm"):
                ipvs.change(f"-a -f 8 {flags}-r {other} {way}")
        ipvs.change(f"-a -f 8 {flags}-r {other} -i")
        for way in ("-g", "-m"):
            with pytest.raises(RuntimeError, match="ipvsadm"):
                ipvs.change(f"-e -f 8 {flags}-r {other} {way}")


# --- races -------------------------------------------------------------------------------------


def test_a_service_goes_between_two_pieces_of_proc(kernel: None) -> None:
    """The kernel then leaves another service out of the text, and the reader does not believe it."""
    del kernel
    ipvs.change(*ipvs.numbered(range(400), ONE))
    every = {ipvs.address(number) for number in range(400)}
    texts: list[bytes] = []
    gone: list[str] = []

    def fetch(path: Path) -> bytes:
        """Read a file as Path.read_bytes does; the first time, a service goes in the midst of it."""
        pieces = []
        with path.open("rb", buffering=0) as file:
            while piece := file.read(4096):
                pieces.append(piece)
                if not gone:
                    gone.append(next(where for where in every if written(where) in piece))
                    ipvs.change(f"-D -t {gone[0]}:80")
        texts.append(b"".join(pieces))
        return texts[-1]

    seen = read(ProcReader(fetch=fetch))
    lost = {where for where in every if written(where) not in texts[0]}
    assert lost, "the race that this test is about has not happened"
    assert not lost & set(gone)
    assert {str(server.address) for server in seen.services} == every - set(gone)


def written(where: str) -> bytes:
    """Return an IPv4 address as the kernel writes it."""
    return f"{int(parse_address(where)):08X}".encode()


class Raced:
    """pyroute2's IPVS, where a service goes just before its realservers are asked for."""

    def __init__(self, gone: str, answers: list[int]) -> None:
        self._inner = connect()
        self._gone = gone
        self._answers = answers

    def service(self, command: str) -> Any:
        return self._inner.service(command)

    def dest(self, command: str, service: Any) -> Any:
        if ("IPVS_SVC_ATTR_ADDR", self._gone) not in service.attributes or self._answers:
            return self._inner.dest(command, service)
        ipvs.change(f"-D -t {self._gone}:80")
        answer = list(self._inner.dest(command, service))
        self._answers.append(len(answer))
        return answer

    def close(self) -> None:
        self._inner.close()


def test_a_service_goes_before_netlink_asks_for_its_realservers(kernel: None) -> None:
    """The kernel then answers with none, and no error; the reader sees that the service has gone."""
    del kernel
    ipvs.change(*ipvs.numbered(range(4), ONE))
    answers: list[int] = []
    seen = read(NetlinkReader(lambda: Raced(ipvs.address(2), answers)))
    assert answers == [0], "the race that this test is about has not happened"
    assert {str(server.address): len(found) for server, found in seen.services.items()} == {
        ipvs.address(number): 1 for number in (0, 1, 3)
    }


WRITER = """
import itertools, select, subprocess, sys
rest = float(sys.argv[1])
for count, lines in enumerate(itertools.cycle(sys.argv[2:])):
    subprocess.run(["ipvsadm", "-R"], input=lines, text=True, check=True)
    rests = count % (HURRY + 1) == HURRY
    if select.select([sys.stdin], [], [], rest if rests else 0.01)[0]:
        break
    rest *= 1.1 if rests else 1
"""
HURRY = 8
RESTLESS = range(1000, 1040)
"""The services that come in this order, each with its realserver behind it, and go in this order."""
STABLE = {"proc": (400, 150), "netlink": (20, 8)}
"""By reader: how many services stay, for /proc more than one piece has; how many tables are enough."""


@contextmanager
def writer(rest: float) -> Iterator[None]:
    """Run a process that adds and removes services over and over, and rests now and then.

    Its rests grow, so that a reader has its time however slow the machine has become.
    It ends by itself between two changes: killed, it would leave an ipvsadm that goes on to write
    into the next test's table.
    """
    added = ipvs.numbered(RESTLESS, ONE)
    removed = [f"-D -t {ipvs.address(number)}:80" for number in RESTLESS]
    texts = ["".join(f"{line}\n" for line in lines) for lines in (added, removed)]
    argv = [sys.executable, "-c", WRITER.replace("HURRY", str(HURRY)), str(rest), *texts]
    with subprocess.Popen(argv, stdin=subprocess.PIPE) as process:
        yield
    assert process.returncode == 0


UNKNOWN = {"changes while it is being read", "a second time in the same table"}
"""What is said of a table that does not stand still: of each try another one, or two halves at last."""


def has_been(found: IpvsTable) -> bool:
    """Tell whether the restless services were ever as a table has them."""
    has = [
        (number, len(found.services[key]))
        for number in RESTLESS
        if (key := virtual("tcp", ipvs.address(number), 80)) in found.services
    ]
    numbers = [number for number, _ in has]
    empty = [number for number, count in has if not count]
    coming, going = list(RESTLESS[: len(has)]), list(RESTLESS[len(RESTLESS) - len(has) :])
    return (numbers == coming and empty in ([], numbers[-1:])) or (numbers == going and not empty)


@pytest.mark.parametrize("name", READERS)
def test_services_come_and_go_while_the_table_is_read(kernel: None, name: str) -> None:
    """Whatever else comes and goes, the services that stay have their realservers in every table.

    A table that does not stand still is unknown, which is an error; but looks succeed, and see it
    change. What comes and goes is seen as it was by /proc; not by netlink, where services that
    went and came again between two questions can't be told from those that stayed.
    """
    del kernel
    count, enough = STABLE[name]
    ipvs.change(*ipvs.numbered(range(count), ONE))
    taken = []
    for _ in range(2):  # the first one imports the library
        began = time.monotonic()
        read(READERS[name]())
        taken.append(time.monotonic() - began)
    stable = [virtual("tcp", ipvs.address(number), 80) for number in range(count)]
    wrong: list[str] = []
    unknown: set[str] = set()
    sizes: list[int] = []

    def seen_enough() -> bool:
        try:
            table = read(READERS[name]())
        except TableError as error:
            unknown.add(str(error).partition(";")[0].rpartition(": ")[2])
            return False
        wrong.extend(str(key) for key in stable if len(table.services.get(key, ())) != 1)
        if name == "proc" and not has_been(table):
            wrong.append(f"such a table never was: {table}")
        sizes.append(len(table.services))
        return bool(wrong) or (len(set(sizes)) > 1 and len(sizes) >= enough)

    with writer(4 * min(taken)):
        eventually(seen_enough, within=60, what="enough tables that are not all alike")
    assert not wrong
    assert unknown <= UNKNOWN


# --- how long ----------------------------------------------------------------------------------


def test_proc_is_fast(kernel: None, record_property: Callable[[str, object], None]) -> None:
    """With 1,000 services of 3 realservers, /proc is read in a small part of netlink's time."""
    del kernel
    ends = [f"198.51.100.{number}:8080 -m" for number in (1, 2, 3)]
    ipvs.change(*ipvs.numbered(range(1000), *ends))
    taken = {}
    for name, rounds in (("proc", 9), ("netlink", 1)):
        reader = READERS[name]()
        times = []
        for _ in range(rounds):
            started = time.monotonic()
            seen = read(reader)
            times.append(time.monotonic() - started)
            assert sum(map(len, seen.services.values())) == 3000
        taken[name] = min(times)
        record_property(f"{name}, 1000 services of 3 realservers", f"{1000 * taken[name]:.1f} ms")
    assert taken["proc"] < taken["netlink"] / 5


# --- who else reads it ---------------------------------------------------------------------------


def test_check_compares_the_table_with_the_file(kernel: None, tmp_path: Path) -> None:
    """`vip_mgmt check` finds what IPVS lacks of vip.toml, and what it has besides; marks count."""
    del kernel
    path = tmp_path / "vip.toml"
    path.write_text(FILE)
    loaded = config.load(path, {})
    assert [finding.code for finding in world.ipvs(loaded).findings] == ["ipvs-missing"] * 3
    ipvs.change(
        *ipvs.service("-t 192.0.2.1:80", ONE),
        *ipvs.service("-f 8", ONE),
        *ipvs.service("-u 203.0.113.9:53"),
    )
    report = world.ipvs(loaded)
    assert [(finding.code, finding.subject) for finding in report.findings] == [
        ("ipvs-extra", "203.0.113.9"),
        ("ipvs-missing", "vip-2.tld 192.0.2.2/32"),
    ]
    assert report.notes == ()


FILE = """
[node]
dc = "par1"
[dc.par1]
asn = 64699
[vip."vip-1.tld"]
addresses = ["192.0.2.1"]
[vip."vip-2.tld"]
addresses = ["192.0.2.2"]
[vip."vip-3.tld"]
addresses = ["192.0.2.3"]
services = { "fwmark/8" = {} }
"""


def test_connections(kernel: None) -> None:
    """Connections are counted as they are made and closed, and how many were made."""
    del kernel
    vip, prefix = "192.0.2.1", parse_prefix("192.0.2.1")
    counter = ConnectionCounter([Watched(prefix)])
    ipvs.change(*ipvs.service(f"-t {vip}:80", "127.0.1.1:8080 -m"))
    subprocess.run(["ip", "address", "add", f"{vip}/32", "dev", "lo"], check=True)
    try:
        before = asyncio.run(counter.count())
        assert before.of == {prefix: ConnectionCount(0, 0, 0)}
        with socket.create_server(("127.0.1.1", 8080)), ExitStack() as stack:
            made = [stack.enter_context(socket.create_connection((vip, 80))) for _ in range(3)]
            now = asyncio.run(counter.count())
            assert (now.of[prefix].active, now.of[prefix].inactive) == (3, 0)
            now = eventually(
                lambda: asyncio.run(counter.count()),
                until=lambda now: now.of == {prefix: ConnectionCount(3, 0, 3)},
                within=5,
                what="what the kernel adds up every two seconds",
            )
            assert now.new_per_second(prefix, before) == 3 / (now.when - before.when)
            made[0].close()
            eventually(
                lambda: asyncio.run(counter.count()).of,
                until=lambda of: of == {prefix: ConnectionCount(2, 1, 3)},
                within=5,
                what="a closed connection among the inactive ones",
            )
    finally:
        subprocess.run(["ip", "address", "del", f"{vip}/32", "dev", "lo"], check=True)
