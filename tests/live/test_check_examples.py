"""The checks that docs/checks.md shows, as they stand there, asked of real servers at the addresses that they name."""

from __future__ import annotations

import asyncio
import socketserver
import threading
import tomllib
from contextlib import ExitStack
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from policy.health import AddressHealth, Health
from policy.rule import asks_services
from policy.ruled import ruled
from policy.sources import CHECK
from speaker import config
from speaker.health.checks.source import ChecksSource
from speaker.health.sources import _asked
from tests.support.lab.dns import DnsServer, Reply, records
from tests.support.lab.grpc_server import GrpcServer
from tests.support.lab.inside import inside
from tests.support.lab.netns import Network
from tests.support.lab.nginx import Nginx
from tests.support.lab.requirements import require
from tests.unit.test_examples import REST, ROOT, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy.rule import Said
    from tests.support.lab.netns import Namespace

PAGE = ROOT / "docs/checks.md"
EXAMPLES = [block for block in blocks(PAGE, "toml") if "[check." in block]
ADDRESSES = "192.0.2.1 192.0.2.3 192.0.2.11 192.0.2.12 192.0.2.13 192.0.2.25 192.0.2.53".split()
SERVICE, QUESTION = "shop.v1.Orders", "health.example.net A"
UP, DOWN = Health.UP, Health.DOWN


class Smtp(socketserver.StreamRequestHandler):
    """Says hello, and takes everything."""

    def handle(self) -> None:
        self.wfile.write(b"220 mail.tld ESMTP\r\n")
        while line := self.rfile.readline():
            self.wfile.write(b"221 bye\r\n" if line.startswith(b"QUIT") else b"250 ok\r\n")


def serve(stack: ExitStack, server: socketserver.TCPServer) -> None:
    """Serve as long as a context lasts."""
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    stack.callback(thread.join)
    stack.callback(server.server_close)
    stack.callback(server.shutdown)


@dataclass
class Applications:
    """One of each kind, which say that they are up, or that they are down."""

    host: Namespace
    nginx: Nginx
    grpc: tuple[GrpcServer, GrpcServer]
    answers: dict[str, Reply]
    is_up: threading.Event
    smtp: ExitStack

    def say(self, *, up: bool) -> None:
        self.nginx.health.write_text('{"status": "%s"}' % ("up" if up else "down"))
        (self.is_up.set if up else self.is_up.clear)()
        self.smtp.close()
        if up:
            with inside(self.host):
                serve(self.smtp, socketserver.ThreadingTCPServer(("192.0.2.25", 25), Smtp))
        self.grpc[0].say("SERVING" if up else "NOT_SERVING", SERVICE)
        self.grpc[1].say("NOT_SERVING", SERVICE)  # one of two is enough
        self.answers[QUESTION] = records(f"health.example.net. A 192.0.2.{7 if up else 8}")

    def asked(self, name: str) -> dict[str, Said]:
        """Return what each address with a check is said to be by it, as a run that does not stay finds it.

        Its VIP, whose services are up, is what the check says.
        """
        (text,) = (text for text in EXAMPLES if name in tomllib.loads(text)["check"])
        if name == "shop":  # whose authority is the lab's
            text = text.replace("[check.shop]", f'[check.shop]\nca = "{self.nginx.ca}"')
        path = self.host.directory / f"{name}.toml"
        path.write_text("\n".join([text, *REST.values()]))
        found = config.load(path, {})

        async def observe() -> dict[str, Said]:
            source = ChecksSource(
                _asked([*found.topology], found.settings.health, None), settle=30.0
            )
            seen = await source.observe()
            for vip, address in found.topology:
                said = seen.said.get(address.prefix, {})
                if CHECK + name in said and vip.health.rule is not None:
                    own = AddressHealth(UP, 1, "up") if asks_services(vip.health.rule) else None
                    verdict = ruled(vip.health.rule, own, said)
                    assert verdict.health is said[CHECK + name].health
            return {
                str(prefix.network_address): said[CHECK + name]
                for prefix, said in seen.said.items()
                if CHECK + name in said
            }

        with inside(self.host):
            return asyncio.run(observe())


@pytest.fixture(scope="module")
def shown() -> Iterator[Applications]:
    require("nginx", "openssl", "ss")
    with Network() as network:
        yield from applications(network.host("applications"))


def applications(host: Namespace) -> Iterator[Applications]:
    host.add("lo", *(f"{each}/32" for each in ADDRESSES), "2001:db8::53/128")
    nginx = Nginx(host, "192.0.2.1:443", "good")
    is_up = threading.Event()
    answers: dict[str, Reply] = {}

    class Ready(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if is_up.is_set() and self.path == "/ready" else 503)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's
            del format, args

    with ExitStack() as stack:
        with inside(host):
            for each in (11, 12, 13):
                serve(stack, ThreadingHTTPServer((f"192.0.2.{each}", 8080), Ready))
            for address in ("192.0.2.53", "2001:db8::53"):
                stack.enter_context(DnsServer(answers, address, 53))
            grpc = [
                stack.enter_context(GrpcServer(listen=f"192.0.2.{each}:50051")) for each in (11, 12)
            ]
        smtp = stack.enter_context(ExitStack())
        yield Applications(host, nginx, (grpc[0], grpc[1]), answers, is_up, smtp)


FIXED = ("192.0.2.1", "192.0.2.2")
CHECKS = {
    "shop": (("192.0.2.1",), 'status is "down", not "up"'),
    **{f"db{number}": (FIXED[:1], "HTTP 503") for number in (1, 2, 3)},
    "orders": (("192.0.2.3",), "NOT_SERVING"),
    "smtp": (("192.0.2.25",), "exit status 2"),
    "resolver": (("192.0.2.53", "2001:db8::53"), "192.0.2.8 and no other"),
}
"""Each check of the page: whose it is, and what is said when it is down."""


def test_all_are_here() -> None:
    """Each check that the page shows is one of these."""
    named = [name for text in EXAMPLES for name in tomllib.loads(text)["check"]]
    assert sorted(named) == sorted(CHECKS)


@pytest.mark.parametrize("name", CHECKS)
def test_as_it_stands_there(shown: Applications, name: str) -> None:
    """What answers as it should is up; what says that it can't serve is down, with what it said."""
    addresses, why = CHECKS[name]
    shown.say(up=True)
    found = shown.asked(name)
    assert {address: said.health for address, said in found.items()} == dict.fromkeys(addresses, UP)
    shown.say(up=False)
    found = shown.asked(name)
    assert {address: said.health for address, said in found.items()} == dict.fromkeys(
        addresses, DOWN
    )
    assert all(why in said.reason for said in found.values())
