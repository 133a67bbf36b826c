"""Owns the parsers of outside text, each as it is used: bytes in; a value or its typed error out."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import logging
import os
import socket
import tempfile
import threading
import zlib
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dns.exception
import dns.message
import dns.name
import dns.rdatatype
import dns.rrset
from pyroute2.netlink.generic.ipvs import ipvsmsg

from policy.intent import Intent, Mode
from speaker import config, vip_mgmt
from speaker.backends.exabgp.api_text import parse_listing
from speaker.backends.exabgp.neighbors import parse_neighbors, parse_sessions
from speaker.backends.exabgp.protocol import Conversation
from speaker.backends.exabgp.told import Told
from speaker.backends.exabgp.version import parse_version
from speaker.backends.quagga import peer_texts
from speaker.backends.quagga.outbound import Outbound
from speaker.backends.quagga.outbound_plan import plan
from speaker.backends.quagga.reader import READ, Reader
from speaker.backends.quagga.running_config import start_lines
from speaker.backends.quagga.version import parse_version as bgpd_version
from speaker.backends.quagga.vtysh import Output
from speaker.backends.quagga.wanted_outbounds import WantedOutbounds
from speaker.check.keepalived.servers import conf_of
from speaker.check.keepalived.tree import read_tree
from speaker.control import api_server
from speaker.control.rate import Rates
from speaker.control.server import serving
from speaker.errors import SpeakerError
from speaker.files import vip_toml
from speaker.health.ipvs.netlink import NetlinkReader, dump, made
from speaker.health.ipvs.proc_text import Parser as ProcParser
from speaker.health.keepalived.events import FifoLines, is_event
from speaker.migration.bgpd_conf.regex import Pattern
from speaker.migration.target import exabgp_site as site
from speaker.migration.updates.evaluate import evaluate
from speaker.migration.updates.verdicts import account
from speaker.resolver import dns_client as dns_query
from speaker.state.store import Store
from tests.golden.recorded import ASN, BGP1, BGP2, P1, P2, Q1, Q2, said
from tests.golden.transcript import DIALECTS
from tests.migration.corpus import FILES
from tests.migration.reading import understand
from tests.support.fakes.site import running, write_config
from tests.tools.fuzz import answers, checks, etcd, site_told
from tests.unit.check.keepalived.files import MAIN, Texts
from tests.unit.health.ipvs.tables import RECORDED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    from tests.support.fakes.site import Site

ROOT = Path(__file__).parents[3]
KEPT = Path(__file__).with_name("kept")


@dataclass(frozen=True, slots=True)
class Parser:
    """A parser, ready to be asked.

    Attributes:
        name: what it reads.
        seeds: inputs that make sense.
        ready: gives, for as long as its context lasts, what takes an input: it returns, or raises
            SpeakerError. Any other exception is a fault.
    """

    name: str
    seeds: tuple[bytes, ...]
    ready: Callable[[], AbstractContextManager[Callable[[bytes], object]]]

    def kept(self) -> tuple[bytes, ...]:
        """Return the inputs that broke it once."""
        return tuple(path.read_bytes() for path in sorted((KEPT / self.name).glob("*")))


def _plain(read: Callable[[bytes], object]) -> Callable[[], Any]:
    @contextmanager
    def ready() -> Iterator[Callable[[bytes], object]]:
        yield read

    return ready


def _lines(data: bytes) -> list[str]:
    return data.decode("utf-8", "backslashreplace").splitlines()


# --- vip.toml --------------------------------------------------------------------------------


@contextmanager
def _vip_toml() -> Iterator[Callable[[bytes], object]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vip.toml"

        def read(data: bytes) -> None:
            vip_toml.node_of(data)  # which refuses nothing
            path.write_bytes(data)
            config.load(path, {"VIP_DC": "par1"}, obeyed=False)

        yield read


_SMALL = b"""
[node]
backend = "quagga"
[dc.par1]
asn = 64699
weight = 2
[dc.lyo1]
asn = 64699
next_hop = { ipv4 = "self", ipv6 = "2001:db8:ffff::2" }
[policy]
ranks = ["near", "far"]
max_withdraw = "50%"
[profile.near]
prepends = 0
[profile.far]
prepends = 3
med = 50
communities = ["64699:100"]
large_communities = ["64699:1:2"]
extended_communities = ["rt:64699:1", "rt:192.0.2.1:5", "soo:65546:1"]
[health]
source = "tcp"
rise = "30s"
damping = { half_life = "15m" }
[vip."vip-1.tld"]
addresses = ["192.0.2.1", { ip = "2001:db8::1", prefer = ["lyo1", "par1"] }]
prefer = "auto"
services = { "tcp/80" = { realservers = ["127.0.0.1:8081"] } }
"""

# --- ExaBGP ----------------------------------------------------------------------------------


def _golden(*names: str) -> tuple[bytes, ...]:
    folder = ROOT / "tests/golden/exabgp"
    texts = [
        b"".join(
            line
            for line in path.read_bytes().splitlines(keepends=True)
            if not line.startswith(b"# ")
        )
        for version in ("v4", "v5")
        for name in names
        for path in sorted((folder / version).glob(f"{name}*.txt"))
    ]
    return tuple(text for text in texts if text)


_SHOWN_EXTENDED = (
    b" extended-community [ target:64500:1 origin:64500:0.0.0.1 target:65546L:7 ] large-community"
)


def _conversation(data: bytes) -> None:
    """Hear it all while a command is in flight, and once more after it was given up."""
    conversation, told = Conversation(), Told()
    conversation.send("show neighbor summary")
    for part in (data, b"\n", data[::2], b"\n"):
        for start in range(0, len(part), 5000):
            for event in conversation.receive(part[start : start + 5000]):
                told.take(event)  # type: ignore[arg-type] # of others, nothing is taken
        if conversation.in_step:
            conversation.resynchronise(0)
        if conversation.ready:
            conversation.send("version")


def _exabgp_answers(data: bytes) -> None:
    lines = _lines(data)
    parse_version(lines)
    parse_sessions(lines)
    with suppress(SpeakerError):
        parse_listing(lines)
    parse_neighbors(lines)


# --- bgpd ------------------------------------------------------------------------------------


_SETS = ("set extcommunity rt 64500:1 192.0.2.1:5", "set extcommunity soo 65546:1", "set metric 7")


def _bgpd_seeds() -> Iterator[bytes]:
    summaries = ("show ip bgp summary", "show bgp summary")
    for dialect in DIALECTS:
        for name, second in (("03", "05"), ("16", "05")):
            found = [said(dialect, second, READ[0])]
            found += [said(dialect, "03", command) for command in summaries]
            with suppress(LookupError):
                found += [said(dialect, name, command) for command in READ[3:]]
            yield "\n".join(line for lines in found for line in [*lines, ""]).encode()
    # A neighbour that has a route-map of ours, as the last dialect shows it.
    made = Outbound(4, frozenset({P1}), frozenset({P2}), _SETS, ((8, frozenset({P2})),))
    name, inside = made.name, ("match ", "set ")
    own = [
        " " * line.startswith(inside) + line for line in (*made.lists(name), *made.clauses(name))
    ]
    lines = [line for lines in found for line in [*lines, ""]]
    end, router = lines.index("end"), lines.index(f"router bgp {ASN}") + 1
    line = f" neighbor 203.0.113.1 route-map {name} out"
    yield "\n".join([*lines[:router], line, *lines[router:end], *own, *lines[end:]]).encode()


class _Bgpd:
    """ControlAnswers with what it was given."""

    def __init__(self, data: bytes) -> None:
        self._text = data.decode("utf-8", "backslashreplace")

    async def __call__(self, commands: Sequence[str]) -> Output:
        del commands
        return Output(0, self._text, "")


def _bgpd(data: bytes) -> None:
    lines = _lines(data)
    bgpd_version(lines)
    [*start_lines(lines)]
    reader = Reader(_Bgpd(data))
    reader.configure(ASN, [BGP1, BGP2], WantedOutbounds(ASN, None))
    seen = asyncio.run(reader.look([P1, P2, Q1, Q2]))
    asyncio.run(reader.sent(seen))
    [*plan(seen.neighbors).batches(ASN, 10)]


_NAMES = b"""{
"default":{
"ipv4Unicast":{
  "peers":{
    "203.0.113.6":{ "hostname":"e\\n%\xff \\"x", "remoteAs":64501 },
    "203.0.113.10":{ "hostname":"router1" }
  }
}
}
}

"""
_SHOWN = b'e\n%\xff "x(203.0.113.6) 4 64501 1\n*>  192.0.2.1/32  203.0.113.6(e\n%\xff "x)\n   0 64501 i\n'


def _bgpd_peer_texts(data: bytes) -> None:
    peer_texts.without(data.decode("utf-8", "backslashreplace"))


def _bgpd_conf(data: bytes) -> None:
    found = understand(data)
    evaluated = evaluate(found)
    for verdict in account(found, evaluated):
        str(verdict)
    site.make("par1", found, evaluated)


_EXPRESSIONS = (
    b"^64500_(64501_)*$",
    b"((0*)*)*1",
    b"_[0-5]+|6.?(4|5)+_",
    b"^$",
    b"[^0-9 -]*(1|2)?",
)


def _regex(data: bytes) -> None:
    pattern = Pattern(data.decode("utf-8", "backslashreplace"))
    pattern.search(" ".join(["64500"] * 255))


# --- vip_mgmt and the watchdog ---------------------------------------------------------------


class _Faults(logging.Handler):
    """Keeps what is logged with a traceback: nobody foresaw it."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.found.append(logging.Formatter().format(record))


_ANSWERED = 0.05
"""Seconds after which no answer is waited for any more: nothing is wrong then."""


@contextmanager
def _asked(
    more: str,
    path: Callable[[Site], Path],
    serve: Callable[[Site], AbstractAsyncContextManager[object]],
) -> Iterator[Callable[[bytes], object]]:
    """Have what asks a site's service at a socket: what fails there, or is logged with a traceback, breaks it."""
    faults = _Faults()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=_memory())))
        runner = stack.enter_context(asyncio.Runner())
        context = running(folder, more=more.format(directory=folder), cycles=False)
        here = runner.run(context.__aenter__())
        stack.callback(lambda: runner.run(context.__aexit__(None, None, None)))
        served = serve(here)
        runner.run(served.__aenter__())
        stack.callback(lambda: runner.run(served.__aexit__(None, None, None)))
        runner.get_loop().set_exception_handler(lambda _, told: faults.found.append(str(told)))
        logging.getLogger().addHandler(faults)
        stack.callback(logging.getLogger().removeHandler, faults)

        async def ask(data: bytes) -> bytes:
            reader, writer = await asyncio.open_unix_connection(str(path(here)), limit=1 << 26)
            answer = b""
            try:
                writer.write(data)
                # Who hangs up is not answered: what is no whole request is given up a moment later.
                with suppress(TimeoutError):
                    async with asyncio.timeout(_ANSWERED):
                        answer = await reader.read(1 << 16)
            except ConnectionError:
                pass
            finally:
                writer.close()
            return answer

        def read(data: bytes) -> None:
            faults.found.clear()
            answer = runner.run(ask(data))
            if faults.found or answer.startswith(b"HTTP/1.1 500"):
                raise AssertionError("\n".join([*faults.found, answer[:500].decode("latin-1")]))

        yield read


def _requests() -> AbstractContextManager[Callable[[bytes], object]]:
    return _asked(
        "", lambda here: here.control, lambda here: serving(here.control, here.reconciler)
    )


_TOKEN = b"a" * 32
_REPORTS = """rule = "report/shop"
[report.shop]
drain = true
[api]
tokens_file = "{directory}/tokens"
[api.tokens.app]
read = true
report = ["shop"]
drain = ["shop"]
"""


def _reports() -> AbstractContextManager[Callable[[bytes], object]]:
    """Give to the API what was made of requests with a good token."""

    def serve(here: Site) -> AbstractAsyncContextManager[object]:
        tokens = here.directory / "tokens"
        tokens.write_text(f"app sha256:{hashlib.sha256(_TOKEN).hexdigest()}\n")
        tokens.chmod(0o644)
        desk = api_server.Desk(here.reconciler, Rates(count().__next__))  # a second between two
        return api_server.serving(desk, api_server.ListenPlace(here.directory / "api.sock"))

    return _asked(_REPORTS, lambda here: here.directory / "api.sock", serve)


def _report_seeds() -> tuple[bytes, ...]:
    body = b'{"state": "drain", "ttl": "30s", "reason": "deploy", "weight": 0.7}'
    head = b"Host: x\r\nAuthorization: Bearer " + _TOKEN + b"\r\nConnection: close\r\n"
    put = b"PUT /v1/reports/shop HTTP/1.1\r\n" + head
    return (
        put + b"Content-Length: %d\r\n\r\n" % len(body) + body,
        put + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n",
        b"GET /v1/reports/shop HTTP/1.1\r\n" + head + b"\r\n",
        b"GET /v1/reports HTTP/1.1\r\n" + head + b"\r\n",
    )


def _memory() -> str | None:
    """Return a folder in memory: each drain is written through to the disk."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


_DRAIN = b'{"mode": "drained", "prefixes": ["192.0.2.1/32"], "reason": "disk", "seconds": 60.5, "dry_run": true}'
_REQUESTS = (
    b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /explain?prefix=192.0.2.1/32&prefix=2001:db8::1/128 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /history?prefix=192.0.2.1 HTTP/1.1\r\nHost: localhost\r\n\r\nGET /plan HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /intents HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nSudo-User: alice\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(_DRAIN), _DRAIN),
    b"POST /intents HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
    % (len(_DRAIN), _DRAIN),
    b"POST /intents HTTP/1.0\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
    % (len(_DRAIN), _DRAIN),
)


@contextmanager
def _answers() -> Iterator[Callable[[bytes], object]]:
    """Have vip_mgmt ask a watchdog that answers with the input."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=_memory())))
        path = write_config(folder)
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(folder / "control.sock"))
        listener.listen()
        answer = [b""]

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, suppress(OSError):
                        connection.settimeout(5)
                        connection.recv(65536)
                        connection.sendall(answer[0])

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        stack.callback(listener.shutdown, socket.SHUT_RDWR)

        def read(data: bytes) -> None:
            answer[0] = data
            words = _QUESTIONS[zlib.crc32(data) % len(_QUESTIONS)]
            out = io.StringIO()
            with redirect_stdout(out), redirect_stderr(out):
                status = vip_mgmt.main([*words, "--config", str(path)])
            shown = out.getvalue()
            if status not in {0, 1, 2} or not shown.replace("\n", "").isprintable():
                raise AssertionError(f"{words}: exit status {status}: {shown[-2000:]!r}")

        yield read


_QUESTIONS = (
    ("status",),
    ("status", "--json"),
    ("explain", "192.0.2.1"),
    ("history",),
    ("plan",),
    ("-d", "192.0.2.1", "--dry-run"),
)
_ROUTE = {
    "vip": "vip-1.tld", "prefix": "192.0.2.1/32", "announced": True, "as_path": [64699, 64699],
    "rank": 1, "prepends": 1, "realservers": 2, "health": "up", "intent": "auto",
    "reason": "not done: x", "wanted": True, "as_wanted": False, "peers": {"203.0.113.11": None},
    "up": ["203.0.113.11"], "lack": "not sent to 203.0.113.11",
}  # fmt: skip
_HISTORY = [{"time": 1.7e9, "prefix": "192.0.2.1/32", "event": "drained", "reason": "drained by a"}]
_SAID = (
    {
        "dc": "par1", "backend": "exabgp", "daemon": {"name": "ExaBGP 5.0.15", "untested": ""},
        "last_cycle": 0.5, "peers": [{"name": "x", "address": "203.0.113.11", "asn": 64496, "up": None}],
        "routes": [_ROUTE], "sessions": ["one is down"], "trouble": ["fifo"],
    },
    [
        _ROUTE
        | {"dc": "par1", "prefer": ["par1", "lyo1"], "profile": "near", "operator": "drained by a",
           "decided_by": "health", "history": _HISTORY, "before": True}
    ],
    _HISTORY,
    [{"action": "announce", "prefix": "192.0.2.1/32", "route": "192.0.2.1/32 as-path [ ]", "reason": "up"}],
    {"error": "no"},
)  # fmt: skip


def _answer_seeds() -> Iterator[bytes]:
    for said_ in _SAID:
        body = json.dumps(said_).encode()
        yield b"HTTP/1.1 200 OK\r\n\r\n" + body  # of any length: it ends with the connection
    yield b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (
        len(body),
        body,
    )


@contextmanager
def _state() -> Iterator[Callable[[bytes], object]]:
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        path = Path(folder) / "state.sqlite3"

        def read(data: bytes) -> None:
            for left in Path(folder).iterdir():
                left.unlink()
            path.write_bytes(data)
            store = Store(path)
            try:
                store.load()
                store.intents()
                store.history([])
            finally:
                store.close()

        yield read


def _state_seeds() -> Iterator[bytes]:
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        path = Path(folder) / "state.sqlite3"
        store = Store(path)
        try:
            intent = Intent(Mode.DRAINED, "alice", 1.7e9, "disk", 1.8e9)
            store.set_intents(dict.fromkeys((P1, Q1), intent), [P1])
        finally:
            store.close()
        yield path.read_bytes()


# --- health ----------------------------------------------------------------------------------


def _fifo(data: bytes) -> None:
    lines = FifoLines()
    for start in range(0, len(data), 700):
        for line in lines.feed(data[start : start + 700]):
            is_event(line)


def _ip_vs(data: bytes) -> None:
    ProcParser().parse(data)


class _Kernel:
    """ControlAnswers with messages that were made of the input."""

    def __init__(self, data: bytes) -> None:
        self._messages = data.split(b"\n")

    def _decoded(self, of: int) -> list[Any]:
        found = []
        for text in self._messages[of::2]:
            message = ipvsmsg(bytes.fromhex(text.decode("ascii", "replace")))
            message.decode()
            found.append(message)
        return found

    def service(self, command: str) -> list[Any]:
        del command
        return self._decoded(0)

    def dest(self, command: str, service: Any) -> list[Any]:
        del command, service
        return self._decoded(1)

    def close(self) -> None:
        """Nothing is open."""


def _netlink(data: bytes) -> None:
    reader = NetlinkReader(lambda: _Kernel(data))
    reader._read(dump)
    reader._read(made)


def _netlink_seeds() -> Iterator[bytes]:
    for entry in json.loads((RECORDED / "linux-6.1-netlink.json").read_text()):
        for dest in entry["dests"]:
            yield f"{entry['service']}\n{dest}".encode()


_KEEPALIVED = b"""
global_defs {
    lvs_notify_fifo /run/vip-speaker/lvs.fifo
    process_names
}
$PORT=80
@lb1 $WEIGHT=2
~SEQ(N, 1, 2, 9) $X${N}=${N}
virtual_server_group G {
    192.0.2.2-4 $PORT
    fwmark 7
    2001:db8::1:0-2001:db8::1:9 80
}
virtual_server 192.0.2.1 $PORT {
    delay_loop 6
    lb_kind TUN
    protocol TCP
    alpha
    sorry_server 127.0.0.1 8080
    real_server 198.51.100.1 80 {
        weight 1
        TCP_CHECK { connect_timeout 3 retry 2 }
        MISC_CHECK { misc_path "/bin/true a" misc_timeout 5 }
        HTTP_GET { url { path "/" status_code 200 } }
    }
}
include conf.d/*.conf
"""


def _keepalived_conf(data: bytes) -> None:
    text = data.decode("utf-8", "backslashreplace")
    other = f"{MAIN.parent}/conf.d/a.conf"
    conf_of(read_tree(MAIN, Texts({str(MAIN): text, other: text[:500]}), "lb1"))


# --- DNS -------------------------------------------------------------------------------------

_NAME = "vip-1.tld"


def _dns_seeds() -> Iterator[bytes]:
    for rdtype in ("A", "AAAA", "PTR"):
        kind = dns.rdatatype.from_text(rdtype)
        query = dns.message.make_query(_NAME, kind, id=7)
        record = {"A": "192.0.2.1", "AAAA": "2001:db8::1", "PTR": "www.tld."}[rdtype]
        for answer in (
            [dns.rrset.from_text(_NAME + ".", 60, "IN", rdtype, record)],
            [
                dns.rrset.from_text(_NAME + ".", 60, "IN", "CNAME", "www.tld."),
                dns.rrset.from_text("www.tld.", 60, "IN", "CNAME", "w3.tld."),
                dns.rrset.from_text("w3.tld.", 60, "IN", rdtype, record),
            ],
            [],
        ):
            reply = dns.message.make_response(query, recursion_available=True)
            reply.answer = answer
            yield reply.to_wire()


def _dns(data: bytes) -> None:
    """Read it as what came over TCP: over UDP the library ignores what it can't read."""
    for kind in (dns.rdatatype.A, dns.rdatatype.AAAA, dns.rdatatype.PTR):
        try:
            reply = dns.message.from_wire(data)
        except (dns.exception.DNSException, OSError, EOFError):
            return
        if dns_query._refusal(reply):
            return
        dns_query._read(reply, kind, [dns.name.from_text(_NAME)])


def all_parsers() -> dict[str, Parser]:
    """Return all of them by name."""
    example = (ROOT / "vip.toml.example").read_bytes()
    told = _golden("state", "update", "shutdown", "version", "neighbor-extensive")
    held = _golden("neighbor", "adj-rib-out-ext", "version")
    held += tuple(text.replace(b" large-community", _SHOWN_EXTENDED) for text in held[-2:])
    confs = tuple(path.read_bytes() for path in FILES)
    proc = (RECORDED / "linux-6.1-proc.txt").read_bytes()
    events = b"VS [192.0.2.1]:tcp:80 UP\nRS [198.51.100.1]:tcp:80 [192.0.2.1]:tcp:80 DOWN\nINSTANCE VI_1 MASTER\n"
    made = [
        Parser("vip_toml", (example, _SMALL, _SMALL), _vip_toml),
        Parser("exabgp_pipe", told, _plain(_conversation)),
        Parser("exabgp_answers", held, _plain(_exabgp_answers)),
        Parser("bgpd", tuple(_bgpd_seeds()), _plain(_bgpd)),
        Parser("bgpd_peer_texts", (_NAMES + _SHOWN + _NAMES,), _plain(_bgpd_peer_texts)),
        Parser("bgpd_conf", confs, _plain(_bgpd_conf)),
        Parser("regex", _EXPRESSIONS, _plain(_regex)),
        Parser("control_requests", _REQUESTS, _requests),
        Parser("reports", _report_seeds(), _reports),
        Parser("control_answers", tuple(_answer_seeds()), _answers),
        Parser("state", tuple(_state_seeds()), _state),
        Parser("fifo", (events,), _plain(_fifo)),
        Parser("ip_vs", (proc,), _plain(_ip_vs)),
        Parser("netlink", tuple(_netlink_seeds()), _plain(_netlink)),
        Parser("keepalived_conf", (_KEEPALIVED,), _plain(_keepalived_conf)),
        Parser("dns", tuple(_dns_seeds()), _plain(_dns)),
        Parser("rules", checks.RULES, checks.rules),
        Parser("site_keys", site_told.KEYS, _plain(site_told.key)),
        Parser("etcd", etcd.SEEDS, _plain(etcd.answer)),
        Parser("site_told", site_told.VALUES, _plain(site_told.value)),
        Parser("check_http", checks.ANSWERS, checks.http_answers),
        Parser("check_dns", answers.name_server_seeds(), _plain(answers.name_server)),
        Parser("check_grpc", answers.grpc_seeds(), _plain(answers.grpc)),
        Parser("check_body", answers.BODIES, _plain(answers.body)),
        Parser("check_regex", answers.EXPRESSIONS, _plain(answers.expression)),
    ]
    return {parser.name: parser for parser in made}
