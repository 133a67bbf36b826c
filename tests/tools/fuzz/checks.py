"""Owns the fuzzer's readers of checks and rules: vip.toml's, which are then judged and looked through, and whole answers by HTTP."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from policy.health import Health
from policy.lint.rules import can_be
from policy.rule import Said, decisive, terms, value
from speaker import config
from speaker.check.checks import unused
from speaker.config.render import render
from speaker.config.settings_checks import CheckSettings, HttpCheck, JsonValue
from speaker.health.checks.asking import Askers
from speaker.health.checks.probe import Probe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from policy.rule import Rule

_HEAD = b"""
[node]
backend = "quagga"
[dc.par1]
asn = 64699
"""
RULES = (
    b"""
[check.shop]
http = "https://{address}/health"
host = "shop.tld"
json = { path = "db[0].state", equals = "up" }
rise = 2
[check.smtp]
exec = ["/usr/lib/nagios/plugins/check_smtp", "-H", "{address}"]
up = [0, 1]
down = [2]
on_timeout = "down"
[check.resolver]
dns = "192.0.2.53:53"
query = "health.example.net A"
answer = ["192.0.2.7"]
[report.web]
[rule.two]
at_least = 2
of = ["check/shop", "check/smtp", "report/web"]
[vip."a.tld"]
addresses = ["192.0.2.1"]
rule = { all = ["rule/two", { not = "check/resolver" }] }
[vip."b.tld"]
addresses = ["192.0.2.2"]
rule = { any = ["vip/a.tld", { share_up = "50%", of = ["check/shop", "report/web"] }] }
""",
    b"""
[check.a]
http = "http://{realserver}/"
realservers = ["192.0.2.11:80"]
[rule.r]
any = [{ all = ["check/a", { not = "check/a" }] }, { at_least = 1, of = ["check/a"] }]
[vip."a.tld"]
addresses = ["192.0.2.1"]
rule = "rule/r"
""",
)
_WAYS = 200
"""How many ways a rule's sources may be are looked at."""


@contextmanager
def rules() -> Iterator[Callable[[bytes], object]]:
    """Read checks and rules, judge by them, and look through them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vip.toml"

        def read(data: bytes) -> None:
            path.write_bytes(_HEAD + data)
            found = config.load(path, {"VIP_DC": "par1"}, obeyed=False)
            unused(found)
            render(found)
            for vip in found.topology.vips:
                if vip.health.rule is not None:
                    _judge(vip.health.rule, Random(len(data)))

        yield read


def _judge(rule: Rule, random: Random) -> None:
    """See that what decides a rule does, whatever its sources say."""
    for goal in (Health.UP, Health.DOWN):
        can_be(rule, goal, _WAYS)
    names = [*dict.fromkeys(terms(rule))]
    said = {name: Said(random.choice([*Health]), "so") for name in names}
    what, part = value(rule, said), decisive(rule, said)
    if what is not Health.UNKNOWN and value(rule, {n: said[n] for n in part.names}) is not what:
        raise AssertionError(f"{rule} is {what}, and not by {part.names}")


ANSWERS = (
    b'HTTP/1.1 200 OK\r\nContent-Length: 26\r\nX-A: b\r\n\r\n{"db": [{"state": "up"}]}\n',
    b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1a\r\n{"db": [{"state": "up"}]}\n\r\n0\r\n\r\n',
    b"HTTP/1.0 301 Moved\r\nLocation: http://192.0.2.9/\r\nConnection: close\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nSet-Cookie: a=b\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00",
)


@contextmanager
def http_answers() -> Iterator[Callable[[bytes], object]]:
    """Have a check ask a server that answers with the input."""
    answer = [b""]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer[0])
            await writer.drain()
        writer.close()

    with ExitStack() as stack:
        runner = stack.enter_context(asyncio.Runner())

        async def begin() -> tuple[asyncio.Server, Askers]:
            return await asyncio.start_server(serve, "127.0.0.1", 0), Askers()

        server, asker = runner.run(begin())
        stack.callback(server.close)
        stack.callback(lambda: runner.run(asker.close()))
        port = server.sockets[0].getsockname()[1]
        what = HttpCheck(
            f"http://127.0.0.1:{port}/", body="up", json=JsonValue(("db", 0, "state"), "up")
        )
        probe = Probe(CheckSettings("x", what, timeout=60.0))

        def read(data: bytes) -> None:
            answer[0] = data
            found = runner.run(asker.ask(probe))
            # Whatever a server says, it is judged: it is no fault of this machine, nor a surprise.
            if found.health is Health.UNKNOWN or not found.reason.isprintable():
                raise AssertionError(f"{found.health}: {found.reason!r}")

        yield read
