"""`[report]` and `[api]`: what they mean, and what is said of every fault."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest

from policy.health import Health
from policy.report import ReportRule
from policy.rule import Term
from speaker.config.render import render
from speaker.config.settings_api import ApiSettings, ApiTls, TokenRights
from tests.unit.config.test_load import HEAD, faults, load

VIP = '[vip."a.tld"]\naddresses = ["192.0.2.1"]\n'
ALL = """
rule = "report/shop"
[report.shop]
expired = "down"
max_ttl = "5m"
drain = true
[report.db]
[api]
listen = ["127.0.0.1:9181", "[::1]:9181", "192.0.2.9:9181", "/run/vip-speaker/api.sock"]
certificate = "/etc/c.pem"
key = "/etc/k.pem"
client_ca = "/etc/ca.pem"
group = "apps"
tokens_file = "/etc/tokens"
[api.tokens.deploy]
read = true
report = ["shop", "db"]
drain = ["shop"]
certificate = "deploy.example"
[api.tokens.look]
read = true
group = "staff"
"""


def test_nothing() -> None:
    """Without the tables nothing listens, and nothing is taken."""
    assert load(HEAD + VIP).settings.api == ApiSettings()


def test_every_key() -> None:
    """Each key, in its units; a rule may name a report. What is written out again means the same."""
    found = load(HEAD + VIP + ALL)
    assert found.settings.api == ApiSettings(
        tuple((ip_address(a), 9181) for a in ("127.0.0.1", "::1", "192.0.2.9")),
        (Path("/run/vip-speaker/api.sock"),),
        ApiTls(Path("/etc/c.pem"), Path("/etc/k.pem"), Path("/etc/ca.pem")),
        "apps",
        Path("/etc/tokens"),
        {
            "deploy": TokenRights(
                "deploy",
                read=True,
                report=frozenset({"shop", "db"}),
                drain=frozenset({"shop"}),
                certificate="deploy.example",
            ),
            "look": TokenRights("look", read=True, group="staff"),
        },
        {"shop": ReportRule("shop", Health.DOWN, 300.0, drain=True), "db": ReportRule("db")},
    )
    assert found.topology.vips[0].health.rule == Term("report/shop")
    assert load(render(found)).settings.api == found.settings.api


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[api]\nlisten = ["192.0.2.9:9181"]', "is not loopback"),
        ('[api]\nlisten = ["0.0.0.0:9181"]', "is not loopback"),
        ('[api]\nlisten = ["localhost:9181"]', "neither an address with a port nor a path"),
        ('[api]\nlisten = ["/' + "x" * 107 + '"]', "at most 107 printable bytes"),
        ('[api]\nlisten = ["/run/a\\u0000b"]', "printable"),
        ('[api]\nkey = "/etc/k.pem"', "of no use without api.certificate"),
        ('[api]\ntokens_file = "tokens"', "not absolute"),
        ('[api.tokens.a]\nreport = ["x"]', "there is no [report.x]"),
        ('[report.x]\n[api.tokens.a]\nreport = ["x"]\ndrain = ["x"]', "set drain = true"),
        ('[report.x]\ndrain = true\n[api.tokens.a]\ndrain = ["x"]', "is not in report"),
        ('[api]\nclient_ca = "/etc/ca.pem"', "of no use without api.certificate and api.key"),
        ('[api]\ngroup = "apps"', "of no use without a unix socket"),
        ('[api.tokens.a]\ngroup = "apps"', "of no use without a unix socket"),
        ('[api.tokens.a]\ncertificate = "a.example"', "of no use without api.client_ca"),
        ('[api.tokens.a]\ncertificate = "a b"', "is not the name of a certificate"),
        ('[api.tokens.a]\ngroup = "a b"', "is not a group's name"),
        ('[report."a/b"]', "not a valid name"),
        ('[report.".."]', "can't be asked for in a URL"),
        ('[report.x]\nmax_ttl = "25h"', "max_ttl"),
        ('[report.x]\nexpired = "up"', "expired"),
        ("[report.x]\nttl = 1", "ttl"),
    ],
)
def test_faults(text: str, said: str) -> None:
    """What makes no sense is refused, with what to do."""
    assert any(said in each for each in map(str, faults(HEAD + VIP + text)))


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("c", "[node]"),
        ("read.sock", "[node]"),
        ("beside.sock", "a second ExaBGP"),
        ("x/../c", "[node]"),
        ("../v/c", "[node]"),
        ("state", "[node]"),
    ],
)
def test_a_path_of_another(name: str, owner: str) -> None:
    """A socket of the API has a name of its own, however that is written; those that nobody named are taken, too."""
    own = '[node]\ncontrol = "/run/v/c"\nstate = "/run/v/state"\n'
    text = HEAD.replace("[node]\n", own)
    said = faults(f'{text}{VIP}[api]\nlisten = ["/run/v/{name}"]')
    assert any(f"is also a path of {owner}" in each for each in map(str, said)), said


def test_a_path_of_nobody() -> None:
    """Where `read` is named, the usual name is free."""
    own = '[node]\ncontrol = "/run/v/c"\nread = "/run/v/r"\n'
    text = HEAD.replace("[node]\n", own)
    found = load(f'{text}{VIP}[api]\nlisten = ["/run/v/read.sock"]')
    assert found.settings.api.sockets == (Path("/run/v/read.sock"),)
