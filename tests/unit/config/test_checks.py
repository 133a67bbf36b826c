"""`[check]`, `[rule]` and a VIP's `rule`: what they mean, and what is said of every fault."""

from __future__ import annotations

import tomllib
from ipaddress import ip_address
from pathlib import Path

import pytest

from policy.health import Health
from speaker.config.build_checks import CheckBuilder
from speaker.config.fault import Faults
from speaker.config.settings_checks import (
    CheckSettings,
    DnsCheck,
    ExecCheck,
    GrpcCheck,
    HttpCheck,
    JsonValue,
    Tls,
)
from speaker.config.validate import form
from tests.unit.config.test_load import HEAD, faults, load

VIP = '[vip."a.tld"]\naddresses = ["192.0.2.1"]\n'
CHECK = '[check.shop]\nhttp = "https://{address}/health"\n'


def test_defaults() -> None:
    """A URL is enough; a VIP without a rule is as it ever was."""
    found = load(HEAD + VIP + CHECK)
    assert found.settings.checks == {
        "shop": CheckSettings("shop", HttpCheck("https://{address}/health"))
    }
    assert found.topology.vips[0].health.rule is None
    assert found.settings.health["a.tld"].checks == ()


def test_every_key() -> None:
    """Each key of a check, in its units."""
    text = """
[check.shop]
http = "https://{realserver}/health"
method = "POST"
headers = { Authorization = "Bearer x" }
host = "shop.tld"
status = [204, "2xx", "300-399"]
body = "ok"
regex = "^ok$"
json = { path = "db[0].state", equals = "up" }
ca = "/etc/ca.pem"
certificate = "/etc/c.pem"
key = "/etc/k.pem"
interval = "5s"
timeout = "500ms"
rise = 2
fall = 3
on_timeout = "down"
realservers = ["192.0.2.11:8443"]
share_up = "50%"
"""
    assert load(HEAD + VIP + text).settings.checks["shop"] == CheckSettings(
        "shop",
        HttpCheck(
            "https://{realserver}/health",
            "POST",
            (("Authorization", "Bearer x"),),
            "shop.tld",
            ((204, 204), (200, 299), (300, 399)),
            "ok",
            "^ok$",
            JsonValue(("db", 0, "state"), "up"),
            Tls(Path("/etc/ca.pem"), Path("/etc/c.pem"), Path("/etc/k.pem")),
        ),
        5.0,
        0.5,
        2,
        3,
        Health.DOWN,
        ((ip_address("192.0.2.11"), 8443),),
        0.5,
    )


def test_programs() -> None:
    """A program, as whom it runs, and what its exit statuses mean."""
    text = '[check.x]\nexec = ["/bin/x", "-H", "{address}"]\nuser = "nobody"\nup = [0, 1]\ndown = [2]\n'
    found = load(HEAD + VIP + text).settings.checks["x"]
    assert found.asks == ExecCheck(("/bin/x", "-H", "{address}"), "nobody", (0, 1), (2,))
    assert found.by_address


def test_any_other_status() -> None:
    """`down = "others"` means every exit status that is not among `up`."""
    text = '[check.x]\nexec = ["/bin/x"]\nup = [0, 3]\ndown = "others"\n'
    asks = load(HEAD + VIP + text).settings.checks["x"].asks
    assert isinstance(asks, ExecCheck)
    assert asks.down == (1, 2, *range(4, 256))


@pytest.mark.parametrize(
    ("written", "server"),
    [
        ("{address}", "{address}:53"),
        ("{address}:5353", "{address}:5353"),
        ("[{address}]:5353", "{address}:5353"),
        ("{realserver}", "{realserver}"),
        ("[2001:db8::53]:53", "[2001:db8::53]:53"),
    ],
)
def test_name_servers(written: str, server: str) -> None:
    """A question to a name server; A and port 53 unless it says otherwise."""
    text = f'[check.x]\ndns = "{written}"\nquery = "www.example.net"\nanswer = ["192.0.2.7"]\n'
    found = load(HEAD + VIP + text).settings.checks["x"]
    assert found.asks == DnsCheck(server, "www.example.net", "A", ("192.0.2.7",))


def test_grpc() -> None:
    """A call by gRPC, of the server as a whole or of a service, with TLS as of HTTP."""
    text = '[check.{}]\ngrpc = "http{}://{{realserver}}"\n'
    more = 'service = "shop.v1.Shop"\nhost = "shop.tld"\nca = "/etc/ca.pem"\n'
    found = load(HEAD + VIP + text.format("x", "") + text.format("y", "s") + more).settings.checks
    assert found["x"].asks == GrpcCheck("http://{realserver}")
    tls = Tls(ca=Path("/etc/ca.pem"))
    assert found["y"].asks == GrpcCheck("https://{realserver}", "shop.v1.Shop", "shop.tld", tls)


def test_grpc_without_its_extra() -> None:
    """Where h2 is not installed, a check by gRPC is a fault that says what to install; other checks are not."""
    text = '[check.{}]\n{} = "http://192.0.2.1:50051"\n'
    document = tomllib.loads(text.format("x", "grpc") + text.format("y", "http"))
    whole = {"node": {"dc": "par1"}, "dc": {"par1": {"asn": 64699}}, **document}
    noted = Faults()
    CheckBuilder(form(whole), noted, lambda _: False).checks()
    assert [*map(str, noted)] == [
        "check.x.grpc: needs the Python module h2, which is not installed; pip install 'vip-speaker[grpc]'"
    ]


RULES = """
[check.db1]
http = "http://192.0.2.11/"
[check.db2]
http = "http://192.0.2.12/"
[rule.web]
all = ["ipvs", "rule/databases"]
[rule.databases]
share_up = "50%"
of = ["check/db1", "check/db2", { not = "check/shop" }]
"""


def rule_of(text: str, name: str = "a.tld") -> str:
    vip = load(HEAD + CHECK + RULES + text).topology.vip(name)
    return str(vip.health.rule if vip else None)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('"ipvs"', "ipvs"),
        ('{ all = ["ipvs", "check/shop"] }', "all(ipvs, check/shop)"),
        ('{ any = ["ipvs", { not = "check/shop" }] }', "any(ipvs, not check/shop)"),
        (
            '{ at_least = 2, of = ["check/shop", "check/db1", "check/db2"] }',
            "at_least(2: check/shop, check/db1, check/db2)",
        ),
        ('"rule/web"', "all(ipvs, share_up(0.5: check/db1, check/db2, not check/shop))"),
        ('{ not = "rule/databases" }', "not share_up(0.5: check/db1, check/db2, not check/shop)"),
    ],
)
def test_rules(written: str, meant: str) -> None:
    """Each form, and shared rules in their places."""
    assert rule_of(VIP + f"rule = {written}\n") == meant


def test_services_are_looked_at_where_they_are_asked_for() -> None:
    """A rule without `ipvs` needs no service in IPVS, whatever [health] says; and only its own checks are asked."""
    found = load(HEAD + CHECK + RULES + VIP + 'rule = "check/db1"\n').settings.health["a.tld"]
    assert found.source == "none"
    assert [check.name for check in found.checks] == ["db1"]


def test_another_vip() -> None:
    """A rule may name a VIP of this file, in any case."""
    other = '[vip."B.tld"]\naddresses = ["192.0.2.2"]\nrule = { all = ["ipvs", "vip/A.TLD"] }\n'
    assert rule_of(VIP + other, "b.tld") == "all(ipvs, vip/a.tld)"


def test_realservers_of_the_vip() -> None:
    """A check of realservers asks those of the VIP's services, where it names none."""
    check = '[check.each]\nhttp = "http://{realserver}/"\n'
    services = 'services = { "tcp/80" = { realservers = ["192.0.2.11:80"] } }\n'
    found = load(HEAD + check + VIP + 'rule = "check/each"\n' + services)
    assert found.settings.health["a.tld"].realservers


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('http = "https://shop.tld/"', "host; write an address"),
        ('http = "https://{address}/{address}"', "braces"),
        ('http = "https://192.0.2.1/{address}"', "elsewhere than as its host"),
        ('http = "http://u:p@192.0.2.1/"', "a user"),
        ('http = "ftp://192.0.2.1/"', "no URL of a check"),
        (
            'http = "http://{realserver}:8080/ready"',
            "check.x.http: 'http://{realserver}:8080/ready' has a port, and {realserver} has its own already; leave",
        ),
        (
            'http = "http://2001:db8::1/"',
            "has an IPv6 address without brackets; write http://[2001:db8::1]:8080",
        ),
        (
            'http = "http://2001:db8::1?a"',
            "has an IPv6 address without brackets; write http://[2001:db8::1]:8080",
        ),
        (
            'http = "https://2001:db8:0:0:0:0:0:1:8080/"',
            "without brackets; write http://[2001:db8::1]:8080",
        ),
        ('http = "http://192.0.2.1:80:80/"', "is no URL of a check; write https://"),
        ('http = "http://192.0.2.1/\\u00e9"', "printable ASCII"),
        ('http = "http://{address}/"\nca = "/x"', "check.x.ca: is of no use without TLS"),
        (
            'http = "http://{address}/"\nmethod = "POST"\nreuse = "1s"',
            "check.x.reuse: is not for POST",
        ),
        ('exec = ["/bin/x"]\nreuse = "1s"', "check.x.reuse: is of no use with exec"),
        ('http = "http://{address}/"\nreuse = "2h"', "check.x.reuse: "),
        ('http = "https://{address}/"\nkey = "/x"', "check.x.certificate: missing"),
        ('http = "https://{address}/"\nca = "x"', "check.x.ca: 'x' is not absolute"),
        ('http = "http://{address}/"\nheaders = { Host = "x" }', "check.x.headers.Host: is set by"),
        ('http = "http://{address}/"\nheaders = { "a b" = "x" }', "not a header's name"),
        ('http = "http://{address}/"\nheaders = { a = "x\\ny" }', "not printable"),
        ('http = "http://{address}/"\nhost = "a b"', "check.x.host: 'a b' is not a host name"),
        (
            'http = "http://{address}/"\nstatus = [100]',
            "check.x.status: 100 is not a status from 200 to 599",
        ),
        (
            'http = "http://{address}/"\nstatus = ["ok"]',
            "check.x.status: 'ok' is not a status; write",
        ),
        ('http = "http://{address}/"\njson = { path = "a..b", equals = 1 }', "check.x.json.path"),
        (
            'http = "http://{address}/"\nregex = "(a"',
            "check.x.regex: '(a' is not read as a regular",
        ),
        ('http = "http://{address}/"\nmethod = "HEAD"\nbody = "x"', "check.x.method: HEAD has no"),
        ('http = "http://{address}/"\nrealservers = ["192.0.2.1:1"]', "nothing asks them"),
        ('http = "http://{address}/"\ninterval = "10ms"', "check.x.interval"),
        ('http = "http://{address}/"\nrise = 0', "check.x.rise"),
        # Its ca and its host would not be heeded.
        ('http = "HTTPS://192.0.2.1/"', "is no URL of a check; write https://"),
        ('http = "http://{address}/"\non_timeout = "maybe"', "check.x.on_timeout"),
        ('htpp = "http://{address}/"\nexec = ["/x"]', "check.x.htpp: unknown key"),
        ("rise = 2", "check.x: nothing to ask; write one of http, grpc, exec, dns"),
        ('http = "http://{address}/"\nexec = ["/x"]', "check.x: http and exec; write one of"),
        ('exec = ["/x"]\nbody = "x"', "check.x.body: is of no use with exec"),
        ('dns = "{address}"\nquery = "x A"\njson = { path = "x", equals = 1 }', "check.x.json: is"),
        ('grpc = "http://{address}"', "check.x.grpc: 'http://{address}' has no port; write http"),
        ('grpc = "http://{address}:1/x"', "has more than a host and a port"),
        ('grpc = "{address}:1"', "is no URL of a check"),
        ('grpc = "http://shop.tld:1"', "has a name for its host"),
        ('grpc = "http://{address}:1"\nca = "/x"', "check.x.ca: is of no use without TLS"),
        ('grpc = "http://{address}:1"\nbody = "x"', "check.x.body: is of no use with grpc"),
        ('grpc = "http://{address}:1"\nhost = "a b"', "check.x.host: 'a b' is not a host name"),
        ('http = "http://{address}:1"\nservice = "x"', "check.x.service: is of no use with http"),
        ('exec = ["x"]', "is no program; write its absolute path"),
        ("exec = []", "is no program"),
        ('exec = ["/x", "\\u0000"]', "a NUL"),
        ('exec = ["/x{address}"]', "not one program"),
        ('exec = ["/x", "{address}", "{realserver}"]', "write one of them"),
        ('exec = ["/x"]\nup = [1]', "check.x.down: 1 is also up"),
        ('exec = ["/x"]\nup = [256]', "check.x.up[0]"),
        (
            'http = "http://{address}/"\nheaders = { "X Y" = "a" }',
            'headers."X Y": is not a header\'s name; write letters',
        ),
        ('exec = ["/x"]\nuser = "a b"', "check.x.user: 'a b' is no user's name; write"),
        (
            'dns = "ns.example.net"\nquery = "x A"',
            "check.x.dns: 'ns.example.net' is no name server",
        ),
        ('dns = "192.0.2.1"\nquery = "x A"', "an address and port"),
        ('dns = "{address}"', "check.x.query: missing"),
        ('dns = "{address}"\nquery = "x ANY"', "check.x.query: 'x ANY' is no question"),
        ('dns = "{address}"\nquery = "a..b A"', "check.x.query: 'a..b A' is no question"),
    ],
)
def test_faults_of_checks(text: str, where: str) -> None:
    """Each fault is told with its key, what was found, and what to do; it hides no other."""
    (found,) = [
        each
        for each in faults(f"{HEAD}{VIP}[check.x]\n{text}\n")
        if not each.endswith("no default")
    ]
    assert where in found


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('rule = "check/nosuch"', '"check/nosuch" is unknown; name one of "check/db1"'),
        ('rule = "vip/nosuch"', '"vip/nosuch" is unknown; name one of "vip/a.tld"'),
        ('rule = "rule/nosuch"', '"rule/nosuch" is unknown; name one of "rule/databases"'),
        ('rule = "report/x"', "there is no [report]"),
        ('rule = "tcp"', '"tcp", but health.source is "ipvs"; write "ipvs"'),
        ('rule = "ipvs"\nhealth = { source = "none" }', 'but health.source is "none"'),
        ('rule = "nosuch"', "'nosuch' is not a source"),
        ("rule = { all = [] }", "all: no part; give 1 to"),
        ('rule = { all = ["ipvs"], any = ["ipvs"] }', "is not a rule"),
        ('rule = { any = ["ipvs", { not = ["ipvs"] }] }', "any[1].not: ['ipvs'] is not a rule"),
        ('rule = { at_least = 2, of = ["ipvs"] }', "at_least = 2 of 1"),
        ('rule = { at_least = true, of = ["ipvs"] }', "at_least = True"),
        ('rule = "vip/a.tld"', "goes in a circle: vip/a.tld -> vip/a.tld"),
    ],
)
def test_faults_of_rules(text: str, where: str) -> None:
    """Each fault of a rule is told with where in it, what was found, and what to do."""
    (found,) = faults(HEAD + CHECK + RULES + VIP + text + "\n")
    assert found.startswith('vip."a.tld".rule: ')
    assert where in found


def test_circles() -> None:
    """Rules, and VIPs, that name each other in a circle are refused, with all of it named."""
    rules = '[rule.a]\nall = ["rule/b"]\n[rule.b]\nnot = "rule/a"\n'
    (found,) = faults(HEAD + VIP + rules)
    assert found == "rule.a: goes in a circle: rule/a -> rule/b -> rule/a; take one out"
    vips = 'rule = "vip/b.tld"\n[vip."b.tld"]\naddresses = ["192.0.2.2"]\nrule = "vip/a.tld"\n'
    (found,) = faults(HEAD + VIP + vips)
    assert "vip/a.tld -> vip/b.tld -> vip/a.tld" in found


def test_rules_that_grow() -> None:
    """Shared rules that share rules can't grow without bound."""
    rules = '[rule.r0]\nall = ["ipvs", "ipvs"]\n' + "".join(
        f'[rule.r{index}]\nall = ["rule/r{index - 1}", "rule/r{index - 1}"]\n'
        for index in range(1, 60)
    )
    (found,) = faults(HEAD + VIP + rules)
    assert "names 256 sources; 200 at most: name fewer" in found
    rules = '[rule.r0]\nnot = "ipvs"\n' + "".join(
        f'[rule.r{index}]\nnot = "rule/r{index - 1}"\n' for index in range(1, 60)
    )
    (found,) = faults(HEAD + VIP + rules)
    assert "is 21 deep; 20 at most" in found


def test_realservers_that_nobody_names() -> None:
    """A check of realservers needs some."""
    check = '[check.each]\nhttp = "http://{realserver}/"\n'
    (found,) = faults(HEAD + check + VIP + 'rule = "check/each"\n')
    assert "none is known; write them as realservers into [check.each]" in found


def test_a_faulty_check_is_one_fault() -> None:
    """A rule that names a check with a fault is not at fault for that."""
    found = faults(HEAD + "[check.shop]\nhttp = 5\n" + VIP + 'rule = "check/shop"\n')
    assert len(found) == 1
    assert found[0].startswith("check.shop.http")


def test_a_faulty_rule_is_one_fault() -> None:
    """What the rule would have been asked for is not missing where the rule itself makes no sense."""
    text = HEAD + '[health]\nsource = "tcp"\n' + VIP + 'rule = "check/nope"\n' + CHECK
    (found,) = faults(text)
    assert found.startswith('vip."a.tld".rule: "check/nope" is unknown')
