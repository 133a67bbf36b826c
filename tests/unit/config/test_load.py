"""vip.toml: what each key means, and what is said of every fault."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from policy.damping import DampingRule
from policy.guard import GuardRule
from policy.health import CheckerRule, Need, Service, Thresholds
from policy.preference import auto, profile
from policy.route import Asn, Community, LargeCommunity, Origin, parse_prefix
from policy.topology import DataCentre
from speaker import config
from speaker.config import ConfigError
from speaker.config.settings import NextHop
from speaker.config.toml_text import toml_path

if TYPE_CHECKING:
    from speaker.config.settings import Config

HEAD = """
[node]
dc = "par1"
[dc.par1]
asn = 64699
[dc.lyo1]
asn = 64699
"""
VIP = """
[vip."vip-1.tld"]
addresses = ["192.0.2.1"]
"""


def load(text: str, *, allow_ties: bool = False, **environ: str) -> Config:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "vip.toml")
        path.write_text(text)
        return config.load(path, environ, allow_ties=allow_ties)


def faults(text: str, **environ: str) -> list[str]:
    """The faults of a file, each as its line says it."""
    with pytest.raises(ConfigError) as caught:
        load(text, allow_ties=False, **environ)
    errors = [str(fault) for fault in caught.value.faults]
    lines = str(caught.value).splitlines()
    assert all(line.startswith("configuration: /") for line in lines)
    assert [line.split("vip.toml: ", 1)[1] for line in lines] == errors
    return errors


# --- the example of the design -------------------------------------------------------------------

DESIGN = """
[node]
dc      = "par1"
backend = "exabgp"
state = "/var/lib/vip-speaker/state.sqlite3"
control = "/run/vip-speaker/control.sock"
resolver = "127.0.0.1:5353"

[dc.par1]
asn = 64699
[dc.lyo1]
asn = 64699

[policy]
prepends = [1, 2, 3]
max_withdraw = "50%"
confirm = "3s"

[profile.near]
prepends = 0
med = 50
communities = ["64699:100"]
large_communities = ["64699:1:2"]
extended_communities = ["rt:1.10:5", "soo:64699:1"]
origin = "igp"
[profile.far]
prepends = 4

[health]
source = "ipvs"
interval = "1s"
drop_at = 0
restore_at = 1
services = "all"
fall = "0s"
rise = "0s"
require_keepalived = true
restart_grace = "10s"
warm_up = "10s"
ignore_realservers = []
keepalived_fifo = "/run/vip-speaker/lvs.fifo"

[vip."vip-1.tld"]
addresses = ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"]
prefer = "spread"
[vip."vip-2.tld"]
addresses = [{ ip = "192.0.2.3", prefer = ["lyo1", "par1"] }, "2001:db8::3"]
prefer = ["par1", "lyo1"]
services = { "tcp/80" = {}, "tcp/443" = { restore_at = 2 } }
health = { rise = "30s" }
ranks = ["near", "far"]

[backend.exabgp]
next_hop = { ipv4 = "self", ipv6 = "2001:db8:ffff::2" }
[backend.quagga]
vtysh = "/usr/bin/vtysh"
route_map = "VIP-{profile}"
"""


def test_the_design() -> None:
    """The example loads, and every key has the meaning stated."""
    loaded = load(DESIGN)
    own = loaded.settings
    assert (own.dc.name, own.dc.asn, own.backend) == ("par1", 64699, "exabgp")
    assert own.state == Path("/var/lib/vip-speaker/state.sqlite3")
    assert own.control == Path("/run/vip-speaker/control.sock")
    assert own.resolver == (ip_address("127.0.0.1"), 5353)
    assert own.guard == GuardRule(0.5, 3.0)
    assert (own.interval, own.keepalived_fifo) == (1.0, Path("/run/vip-speaker/lvs.fifo"))
    assert own.exabgp.next_hop == NextHop(None, IPv6Address("2001:db8:ffff::2"))
    assert not own.exabgp.withdraw_on_exit
    assert own.quagga.vtysh == Path("/usr/bin/vtysh")
    assert own.quagga.route_map == "VIP-{profile}"


def test_spread() -> None:
    """The n-th address of each family prefers the n-th DC, then round the list."""
    vip = load(DESIGN).topology.vips[0]
    assert [(str(a.prefix), a.prefer) for a in vip.addresses] == [
        ("192.0.2.1/32", ("par1", "lyo1")),
        ("192.0.2.2/32", ("lyo1", "par1")),
        ("2001:db8::1/128", ("par1", "lyo1")),
        ("2001:db8::2/128", ("lyo1", "par1")),
    ]
    assert [(p.name, p.prepends) for p in vip.ranks] == [
        ("prepend-1", 1),
        ("prepend-2", 2),
        ("prepend-3", 3),
    ]


AUTO = """
prefer = "auto"
[dc.fra1]
asn = 64699
weight = 2.5
[dc.ams1]
asn = 64699
weight = 0
"""


def preferences(text: str) -> dict[str, str]:
    """The preference of each address in a file."""
    topology = load(text).topology
    return {str(a.prefix.network_address): " ".join(a.prefer) for _, a in topology}


def test_auto() -> None:
    """`auto` follows the weights, and the n-th address of each family have the same preference."""
    vip = '[vip."VIP-1.tld"]\naddresses = ["2001:db8::1", "192.0.2.1", "192.0.2.9", "2001:db8::2"]'
    found = preferences(HEAD + vip + AUTO)
    dcs = [DataCentre(*dc) for dc in (("par1", Asn(1)), ("lyo1", Asn(1)), ("fra1", Asn(1), 2.5))]
    dcs.append(DataCentre("ams1", Asn(1), 0))
    for four, six in (("192.0.2.1", "2001:db8::1"), ("192.0.2.9", "2001:db8::2")):
        assert found[four] == found[six] == " ".join(auto(dcs, "vip-1.tld", [ip_address(four)]))
        assert found[four].endswith("ams1")
    assert found["192.0.2.1"] != found["192.0.2.9"]
    assert (
        preferences(HEAD + vip.replace('"192.0.2.1", ', "") + AUTO)["2001:db8::1"]
        == (found["192.0.2.9"])
    )


def test_auto_of_one_address() -> None:
    """An address may have another kind of preference than its VIP; its pair stays the same."""
    vip = """[vip."vip-1.tld"]
    addresses = ["192.0.2.1", "192.0.2.9", "2001:db8::1", { ip = "2001:db8::2", prefer = %s }]
    """
    order = ["ams1", "fra1", "lyo1", "par1"]
    all_auto = preferences(HEAD + vip % '"auto"' + AUTO)
    explicit = preferences(HEAD + vip % json.dumps(order) + AUTO)
    assert explicit == all_auto | {"2001:db8::2": " ".join(order)}
    alone = preferences(HEAD + vip % '"auto"' + AUTO.replace('"auto"', '"spread"'))
    assert alone == {
        "192.0.2.1": "par1 lyo1 fra1 ams1",
        "192.0.2.9": "lyo1 fra1 ams1 par1",
        "2001:db8::1": "par1 lyo1 fra1 ams1",
        "2001:db8::2": all_auto["2001:db8::2"],
    }


def test_explicit() -> None:
    """An address's own preference beats its VIP's; ranks, services and health likewise."""
    vip = load(DESIGN).topology.vips[1]
    assert [a.prefer for a in vip.addresses] == [("lyo1", "par1"), ("par1", "lyo1")]
    here, there = (
        load(HEAD + VIP + 'prefer = ["lyo1", "par1"]').topology.vips[0].addresses[0].prefer
    )
    assert (here, there) == ("lyo1", "par1")
    near, far = vip.ranks
    assert (near.name, near.prepends, near.med, near.origin) == ("near", 0, 50, Origin.IGP)
    assert near.communities == (Community(64699, 100),)
    assert near.large_communities == (LargeCommunity(64699, 1, 2),)
    assert [*map(str, near.extended_communities)] == ["rt:65546:5", "soo:64699:1"]
    assert (far.prepends, far.med, far.communities) == (4, 0, ())
    assert vip.health.thresholds == Thresholds(0, 1, 0.0, 30.0)
    assert vip.health.need is Need.ALL
    assert vip.health.required == {
        Service("tcp", 80): Thresholds(0, 1, 0.0, 30.0),
        Service("tcp", 443): Thresholds(0, 2, 0.0, 30.0),
    }


def test_defaults() -> None:
    """Only a DC is needed; all else has the default that the design states."""
    loaded = load(HEAD + VIP)
    own, vip = loaded.settings, loaded.topology.vips[0]
    assert own.backend == "exabgp"
    assert own.state == Path("/var/lib/vip-speaker/state.sqlite3")
    assert own.control == Path("/run/vip-speaker/control.sock")
    assert own.resolver is None
    assert own.guard == GuardRule(0.5, 3.0)
    assert own.interval == 1.0
    assert own.keepalived_fifo == Path("/run/vip-speaker/lvs.fifo")
    assert own.exabgp.next_hop == NextHop()
    assert own.health["vip-1.tld"].source == "ipvs"
    assert vip.health.thresholds == Thresholds(0, 1, 0.0, 0.0)
    assert vip.health.need is Need.ALL
    assert vip.health.checker == CheckerRule(required=True, restart_grace=10.0, warm_up=10.0)
    assert [profile.prepends for profile in vip.ranks] == [1, 2, 3]
    assert vip.addresses[0].prefer == ("par1", "lyo1")


def test_the_address() -> None:
    """A VIP's address must be on this machine only where that is asked for, whatever the source."""
    assert not load(HEAD + VIP).topology.vips[0].health.require_address
    text = HEAD + "[health]\nrequire_address = true\n" + VIP
    assert load(text).topology.vips[0].health.require_address
    own = "health = { source = 'none', require_address = true }"
    assert load(HEAD + VIP + own).topology.vips[0].health.require_address


def test_damping() -> None:
    """Damping is off, or has the values that are given, and defaults; a VIP may turn it off."""
    assert load(HEAD + VIP).topology.vips[0].health.damping is None
    text = HEAD + "[health]\ndamping = {}\n" + VIP
    assert load(text).topology.vips[0].health.damping == DampingRule(120.0, 3000.0, 1000.0, 600.0)
    assert load(text + "health = { damping = false }").topology.vips[0].health.damping is None
    own = 'health = { damping = { half_life = "1m", suppress = 2000, reuse = 750.5, max_suppress = "5m" } }'
    rule = load(HEAD + VIP + own).topology.vips[0].health.damping
    assert rule == DampingRule(60.0, 2000.0, 750.5, 300.0)


def test_the_checker() -> None:
    """keepalived's end and start matter to services of IPVS, as configured, and to no others."""
    text = HEAD + '[health]\nrestart_grace = "3s"\nwarm_up = "0s"\n' + VIP
    assert load(text).topology.vips[0].health.checker == CheckerRule(
        required=True, restart_grace=3.0, warm_up=0.0
    )
    text = HEAD + VIP + "health = { require_keepalived = false }"
    assert load(text).topology.vips[0].health.checker == CheckerRule(
        required=False, restart_grace=10.0, warm_up=10.0
    )
    for other in (
        'health = { source = "none" }',
        'health = { source = "tcp" }\nservices = { "tcp/80" = { realservers = ["127.0.0.1:1"] } }',
    ):
        assert load(HEAD + VIP + other).topology.vips[0].health.checker == CheckerRule()


def test_more_dcs_than_prepends() -> None:
    """The default prepends are enough for any number of DCs."""
    text = '[node]\ndc = "d1"\n' + "".join(f"[dc.d{n}]\nasn = 64699\n" for n in range(6)) + VIP
    assert [profile.prepends for profile in load(text).topology.vips[0].ranks] == [1, 2, 3, 4, 5, 6]


def test_no_vips() -> None:
    """A file without VIPs is well: there is nothing to announce."""
    assert load(HEAD).topology.prefixes == ()


def test_wide_prefix() -> None:
    """`prefix_length` widens an address; a name keeps its case for nobody."""
    text = '[vip."Any.TLD"]\naddresses = [{ ip = "198.51.100.0", prefix_length = 24 }]'
    topology = load(HEAD + text).topology
    assert topology.prefixes == (parse_prefix("198.51.100.0/24"),)
    assert topology.vips[0].name == "any.tld"


def test_tcp() -> None:
    """Realservers to connect to, for the source tcp, and those that do not count."""
    own = load(
        HEAD
        + """
        [vip."vip-1.tld"]
        addresses = ["192.0.2.1"]
        health = { source = "tcp", ignore_realservers = ["198.51.100.9", "[2001:db8::9]:80"] }
        services."tcp/80".realservers = ["198.51.100.1:8081", "[2001:db8::1]:8081"]
        [vip."vip-2.tld"]
        addresses = ["192.0.2.2"]
        health.source = "none"
        """
    ).settings.health
    assert own["vip-1.tld"].source == "tcp"
    assert own["vip-1.tld"].ignore == {
        (ip_address("198.51.100.9"), None),
        (ip_address("2001:db8::9"), 80),
    }
    assert own["vip-1.tld"].realservers == {
        Service("tcp", 80): (
            (ip_address("198.51.100.1"), 8081),
            (ip_address("2001:db8::1"), 8081),
        )
    }
    assert own["vip-2.tld"].source == "none"


@pytest.mark.parametrize("source", ["ipvs", "tcp"])
@pytest.mark.parametrize(
    ("share", "needed"), [("50%", 2), ("51%", 2), ("67%", 3), ("1%", 1), ("0%", 1)]
)
def test_a_share_of_realservers(source: str, share: str, needed: int) -> None:
    """A share of a service's realservers, those that count, is a threshold; what IPVS finds itself is not connected to."""
    text = f"""
        [vip."vip-1.tld"]
        addresses = ["192.0.2.1"]
        health = {{ source = "{source}", drop_at = 7, restore_at = 9, ignore_realservers = ["198.51.100.9"] }}
        [vip."vip-1.tld".services."tcp/80"]
        share_up = "{share}"
        realservers = ["198.51.100.1:80", "198.51.100.2:80", "198.51.100.3:80", "198.51.100.9:80", "198.51.100.3:80"]
        """
    found = load(HEAD + text)
    web = Service("tcp", 80)
    thresholds = found.topology.vips[0].health.of(web)
    assert (thresholds.drop_at, thresholds.restore_at) == (needed - 1, needed)
    connected = found.settings.health["vip-1.tld"].realservers[web]
    assert len(connected) == (5 if source == "tcp" else 0)


def test_the_shortest_interval() -> None:
    """The watchdog looks as often as the VIP that wants it most often."""
    text = '[health]\ninterval = "5s"\n' + VIP + 'health.interval = "250ms"\n'
    assert load(HEAD + text).settings.interval == 0.25


def test_next_hop_of_a_data_centre() -> None:
    """`[dc.NAME] next_hop` holds for the machine there alone, and `[node] next_hop` beats it."""
    text = HEAD.replace("[dc.lyo1]", '[dc.lyo1]\nnext_hop = { ipv6 = "2001:db8::2" }')
    there = load(text.replace('dc = "par1"', 'dc = "lyo1"'))
    assert there.settings.exabgp.next_hop == NextHop(None, IPv6Address("2001:db8::2"))
    assert load(text).settings.exabgp.next_hop == NextHop()
    own = text.replace('dc = "par1"', 'dc = "lyo1"\nnext_hop = { ipv4 = "203.0.113.7" }')
    assert load(own).settings.exabgp.next_hop == NextHop(IPv4Address("203.0.113.7"), None)


def test_ranks_of_an_address() -> None:
    """An address may have other profiles than its VIP; the others keep the VIP's."""
    text = HEAD + '[policy]\nranks = ["near", "far"]\n'
    for name, prepends in (("near", 0), ("far", 1), ("further", 2)):
        text += f"[profile.{name}]\nprepends = {prepends}\n"
    text += '[vip."a.tld"]\nprefer = ["par1", "lyo1"]\naddresses = ["192.0.2.1", '
    text += '{ ip = "192.0.2.2", ranks = ["far", "further"] }]'
    topology = load(text).topology
    here = topology.dc("par1")
    assert [profile(vip, address, here).prepends for vip, address in topology] == [0, 1]
    with pytest.raises(ConfigError, match=r"addresses\[1\]\.ranks: none have no \[profile"):
        load(text.replace('["far", "further"]', '["none"]'))


def test_next_hop_of_the_node() -> None:
    """`[node] next_hop` beats that of `[backend.exabgp]`, because it differs from machine to machine."""
    text = HEAD.replace('dc = "par1"', 'dc = "par1"\nnext_hop = { ipv4 = "203.0.113.7" }')
    text += '[backend.exabgp]\nnext_hop = { ipv4 = "self", ipv6 = "2001:db8::1" }'
    assert load(text).settings.exabgp.next_hop == NextHop(IPv4Address("203.0.113.7"), None)


def test_environment() -> None:
    """$VIP_DC and $VIP_BACKEND beat `[node]`, and do without it."""
    own = load(HEAD + VIP, VIP_DC="lyo1", VIP_BACKEND="quagga").settings
    assert (own.dc.name, own.backend) == ("lyo1", "quagga")
    assert load("[dc.lyo1]\nasn = 64699", VIP_DC="lyo1").settings.dc.name == "lyo1"
    assert load(HEAD, VIP_DC="", VIP_BACKEND="").settings.dc.name == "par1"


def test_where_the_file_is() -> None:
    """The option, else $VIP_CONFIG, else /etc/vip-speaker/vip.toml."""
    assert config.find("a", {"VIP_CONFIG": "b"}) == Path("a")
    assert config.find(None, {"VIP_CONFIG": "b"}) == Path("b")
    assert config.find(None, {}) == Path("/etc/vip-speaker/vip.toml")


def test_ties_to_explain() -> None:
    """Ranks that tie can be loaded to be explained; fewer ranks than data centres can't even so."""
    text = HEAD + VIP + "[policy]\nprepends = "
    (fault,) = faults(text + "[2, 1]")
    assert fault == (
        "policy.prepends: prepends by rank are [2, 1]; each must be greater than the one before, "
        "or two data centres tie"
    )
    topology = load(text + "[2, 1]", allow_ties=True).topology
    assert [profile.prepends for profile in topology.vips[0].ranks] == [2, 1]
    with pytest.raises(ConfigError, match="1 rank for 2 data centres"):
        load(text + "[1]", allow_ties=True)


# --- faults --------------------------------------------------------------------------------------


def test_all_faults_at_once() -> None:
    """Faults of form and of sense are said in one go, each with the path of its key."""
    found = faults(
        """
        [node]
        dc = "ams1"
        backend = "bird"
        colour = "blue"
        [dc.par1]
        asn = 0
        [dc.lyo1]
        asn = 64699
        [policy]
        prepends = [2, 1]
        max_withdraw = "150%"
        [health]
        intervall = "1s"
        [vip."vip-1.tld"]
        addresses = ["192.0.2.1", "nonsense", { ip = "192.0.2.2", prefer = ["par1"] }]
        services = { "tcp/http" = {} }
        [vip."vip-2.tld"]
        addresses = ["192.0.2.1"]
        health = { drop_at = 3, restore_at = 2, damping = { reuse = 3000 } }
        services = { "icmp/8" = {}, "tcp/80" = { drop_at = 5, restore_at = 4 } }
        """
    )
    places = {line.split(": ")[0] for line in found}
    assert places == {
        "node.backend",
        "node.colour",
        "node.dc",
        "dc.par1.asn",
        "policy.prepends",
        "policy.max_withdraw",
        "health.intervall",
        'vip."vip-1.tld".addresses[1].ip',
        'vip."vip-1.tld".addresses[2].prefer',
        'vip."vip-1.tld".services."tcp/http"',
        'vip."vip-2.tld".addresses[0]',
        'vip."vip-2.tld".health',
        'vip."vip-2.tld".health.damping',
        'vip."vip-2.tld".services."icmp/8"',
        'vip."vip-2.tld".services."tcp/80"',
    }
    assert len(found) == len(set(found))


@pytest.mark.parametrize(
    ("health", "key"),
    [
        ("drop_at = 2", "health"),
        ("drop_at = 2\nrestore_at = 1", "health"),
        ("damping = { reuse = 3000 }", "health.damping"),
    ],
)
def test_an_inherited_fault(health: str, key: str) -> None:
    """What VIPs inherit is at fault where it stands, once for all of them."""
    other = VIP.replace("vip-1.tld", "vip-2.tld").replace("192.0.2.1", "192.0.2.2")
    found = faults(f"{HEAD}[health]\n{health}\n{VIP}{other}")
    assert [line.split(": ")[0] for line in found] == [key]


def test_health_without_vips() -> None:
    """Bounds that contradict each other are a fault although no VIP has them."""
    (fault,) = faults(HEAD + "[health]\ndrop_at = 2\nrestore_at = 2")
    assert fault.startswith("health: drop_at = 2, restore_at = 2: ")


FAULTS = [
    ("", "node.dc: missing"),
    ('[node]\ndc = "par1"', "dc: missing"),
    ("node = 1\n[dc.par1]\nasn = 64699", "node: "),
    ('[dc]\n[node]\ndc = "par1"', "dc: "),
    (HEAD + "[dc.x]\nasn = 4294967296", "dc.x.asn: "),
    (HEAD + "[dc.x]\nasn = 1.1", "dc.x.asn: "),
    (HEAD + "[dc.x]\nasn = true", "dc.x.asn: "),
    (HEAD + "[dc.x]\nasn = 1\nweight = -1", "dc.x.weight: "),
    (HEAD + "[dc.x]\nasn = 1\nweight = inf", "dc.x.weight: "),
    (HEAD + "[dc.x]\nasn = 1\nweight = nan", "dc.x.weight: "),
    (HEAD + '[dc.x]\nasn = 1\nweight = "1"', "dc.x.weight: "),
    (HEAD + "[dc.x]\nasn = 1\nweight = true", "dc.x.weight: "),
    (HEAD + "[nodes]", "nodes: unknown key"),
    (HEAD + "[policy]\nprepends = [1]", "policy.prepends: 1 rank for 2 data centres"),
    (HEAD + "[policy]\nprepends = [1, 1]", "or two data centres tie"),
    (HEAD + "[policy]\nprepends = [1, 33]", "policy.prepends[1]: "),
    (HEAD + "[policy]\nprepends = [-1, 3]", "policy.prepends[0]: "),
    (HEAD + '[policy]\nranks = ["a", "b"]', "policy.ranks: a, b have no [profile"),
    (
        HEAD + '[policy]\nranks = ["a"]\nprepends = [1, 2]\n[profile.a]\nprepends = 1',
        "policy: prepends and ranks are both set",
    ),
    (HEAD + "[policy]\nmax_withdraw = 0.5", "policy.max_withdraw: 0.5 is not a share"),
    (HEAD + "[policy]\nconfirm = 3", "policy.confirm: 3 is not a duration"),
    (HEAD + "[profile.near]\nmed = 1", "profile.near.prepends: missing"),
    (HEAD + "[profile.near]\nprepends = 1\nmed = 4294967296", "profile.near.med: "),
    (
        HEAD + '[profile.near]\nprepends = 1\ncommunities = ["graceful-shutdown"]',
        "profile.near.communities[0]: 'graceful-shutdown' is not a community; write it like",
    ),
    (HEAD + '[profile.near]\nprepends = 1\norigin = "bgp"', "profile.near.origin: "),
    (HEAD + '[health]\nsource = "exec"', "health.source: "),
    (HEAD + '[health]\ninterval = "0s"', "health.interval: "),
    (HEAD + '[health]\nservices = "most"', "health.services: "),
    (HEAD + '[health]\nrestart_grace = "-1s"', "health.restart_grace: '-1s' is not a duration"),
    (HEAD + "[health]\nwarm_up = 10", "health.warm_up: 10 is not a duration"),
    (HEAD + '[health]\nrequire_keepalived = "no"', "health.require_keepalived: "),
    (HEAD + "[health]\nrequire_address = 1", "health.require_address: "),
    (HEAD + "[health]\ndamping = true", "health.damping: "),
    (HEAD + "[health]\ndamping = { half = 1 }", "health.damping.half: unknown key"),
    (HEAD + '[health]\ndamping = { half_life = "0s" }', "health.damping.half_life: "),
    (HEAD + '[health]\ndamping = { suppress = "3000" }', "health.damping.suppress: "),
    (
        HEAD + "[health]\ndamping = { reuse = 3000 }\n" + VIP,
        "health.damping: reuse = 3000, suppress = 3000: reuse must be",
    ),
    (
        HEAD + '[health]\ndamping = { max_suppress = "2m" }\n' + VIP,
        "health.damping: suppress = 3000 is never reached",
    ),
    (HEAD + '[health]\nkeepalived_fifo = "lvs.fifo"', "health.keepalived_fifo: "),
    (
        HEAD + '[health]\nignore_realservers = ["a"]',
        "health.ignore_realservers[0]: 'a' is not an address",
    ),
    (HEAD + '[vip."a.tld"]', 'vip."a.tld".addresses: missing'),
    (HEAD + '[vip."a.tld"]\naddresses = []', 'vip."a.tld".addresses: '),
    (HEAD + '[vip."a.tld"]\naddresses = ["192.0.2.300"]', 'vip."a.tld".addresses[0].ip: '),
    (HEAD + '[vip."a.tld"]\naddresses = ["192.0.2.1/32"]', 'vip."a.tld".addresses[0].ip: '),
    (HEAD + '[vip."a.tld"]\naddresses = ["fe80::1%eth0"]', "is not an address"),
    (HEAD + '[vip."a.tld"]\naddresses = ["224.0.0.1"]', "224.0.0.1 is not a unicast address"),
    (HEAD + '[vip."a.tld"]\naddresses = ["::"]', ":: is not a unicast address"),
    (
        HEAD + '[vip."a.tld"]\naddresses = [{ ip = "192.0.2.1", prefix_length = 24 }]',
        'vip."a.tld".addresses[0].prefix_length: 24: ',
    ),
    (
        HEAD + '[vip."a.tld"]\naddresses = [{ ip = "192.0.2.1", prefix_length = 64 }]',
        'vip."a.tld".addresses[0].prefix_length: 64: ',
    ),
    (
        HEAD + '[vip."a.tld"]\naddresses = ["192.0.2.1", "192.0.2.1"]',
        'vip."a.tld".addresses[1]: 192.0.2.1 is also vip."a.tld".addresses[0]; keep one',
    ),
    (
        HEAD
        + '[vip."a.tld"]\naddresses = ["2001:db8::1"]\n[vip."b.tld"]\naddresses = ["2001:DB8:0::1"]',
        'vip."b.tld".addresses[0]: 2001:db8::1 is also vip."a.tld".addresses[0]; keep one',
    ),
    (HEAD + VIP + '[vip."VIP-1.tld"]\naddresses = ["192.0.2.2"]', "vip-1.tld is also vip."),
    (HEAD + VIP + 'prefer = ["par1"]', "vip.\"vip-1.tld\".prefer: ['par1'] must name each"),
    (HEAD + VIP + 'prefer = ["par1", "par1"]', "must name each data centre once"),
    (HEAD + VIP + 'prefer = ["par1", "ams1"]', "must name each data centre once"),
    (HEAD + VIP + 'prefer = "par1"', 'neither "spread", "auto", "equal", nor a list'),
    (HEAD + VIP + 'prefer = [["par1"], "lyo1"]', 'neither "spread", "auto", "equal", nor a list'),
    (HEAD + VIP + 'ranks = ["near"]', 'vip."vip-1.tld".ranks: near have no [profile'),
    (HEAD + VIP + "health.drop_at = 1", 'vip."vip-1.tld".health: drop_at = 1, restore_at = 1: '),
    (HEAD + VIP + 'services."tcp/80".drop_at = 5', 'vip."vip-1.tld".services."tcp/80": '),
    (HEAD + VIP + 'services."icmp/8" = {}', "not of the form tcp/80"),
    (HEAD + VIP + 'services."tcp/99999" = {}', "99999 is no port from 0 to 65535; correct it"),
    (HEAD + VIP + 'services."fwmark/4294967296" = {}', "is no mark from 0 to 4294967295"),
    (HEAD + '[vip."a.tld"]\n[vip."a.tld"]\n', 'not TOML: Cannot declare vip."a.tld" twice'),
    (
        HEAD + VIP + 'services = { "tcp/80" = {}, "tcp/080" = {} }',
        'vip."vip-1.tld".services."tcp/080": is also "tcp/80"; keep one',
    ),
    (HEAD + VIP + 'health.source = "tcp"', 'vip."vip-1.tld".services: missing'),
    (
        HEAD + VIP + 'health.source = "tcp"\nservices."tcp/80" = {}',
        'vip."vip-1.tld".services."tcp/80".realservers: missing',
    ),
    (
        HEAD + VIP + 'services."tcp/80".realservers = ["192.0.2.9:80"]',
        'source = "ipvs" finds them itself',
    ),
    (
        HEAD + VIP + 'health.source = "none"\nservices."tcp/80".realservers = ["192.0.2.9:80"]',
        'realservers: source = "none" looks at none; leave them out',
    ),
    (
        HEAD
        + '[check.a]\nhttp = "http://{address}/"\n'
        + VIP
        + 'rule = "check/a"\nservices."tcp/80".realservers = ["192.0.2.9:80"]',
        'realservers: the rule names neither "ipvs" nor "tcp", so nothing looks at these; leave them out',
    ),
    (
        HEAD + VIP + 'services."tcp/80".share_up = "50%"',
        'services."tcp/80".share_up: is of realservers, and there are none that count; name them',
    ),
    (
        HEAD
        + VIP
        + 'services."tcp/80" = { share_up = "50%", drop_at = 1, realservers = ["192.0.2.9:80"] }',
        'services."tcp/80".drop_at: is what share_up says; keep one',
    ),
    (
        HEAD
        + VIP
        + 'health.source = "none"\nservices."tcp/80" = { share_up = "50%", realservers = ["192.0.2.9:80"] }',
        'realservers: source = "none" looks at none; leave them out',
    ),
    (HEAD + '[vip.all]\naddresses = ["192.0.2.1"]', "vip.all: is not a valid VIP name"),
    (HEAD + '[vip."a.tld."]\naddresses = ["192.0.2.1"]', "is not a valid VIP name"),
    (HEAD + '[vip."a\\u001b[2J.tld"]\naddresses = ["192.0.2.1"]', "is not a valid VIP name"),
    (HEAD + '[vip.""]\naddresses = ["192.0.2.1"]', 'vip."": is not a valid VIP name'),
    (
        HEAD + '[backend.exabgp]\nnext_hop = { ipv4 = "2001:db8::1" }',
        "backend.exabgp.next_hop.ipv4: ",
    ),
    (HEAD + '[backend.exabgp]\nnext_hop = { ipv6 = "fe80::1" }', "is not a global IPv6 address"),
    (HEAD + '[backend.exabgp]\nwithdraw_on_exit = "yes"', "backend.exabgp.withdraw_on_exit: "),
    (HEAD + "[backend.bird]\nx = 1", "backend.bird: unknown key"),
    (
        HEAD + '[backend.quagga]\nroute_map = "VIP"',
        "backend.quagga.route_map: 'VIP' has no {profile}",
    ),
    *(
        (HEAD + f"[backend.quagga]\nroute_map = {found}", "is not a valid name for bgpd")
        for found in (
            '"{profile} permit 10\\nno router bgp 64699"',
            '"{profile}{profile}"',
            '"{profile}{0}"',
            '{ a = "a\\nno router bgp 64699" }',
            '{ a = "a|b" }',
            '{ a = "" }',
        )
    ),
    (
        HEAD
        + '[policy]\nranks = ["a b", "c"]\n[profile."a b"]\nprepends = 1\n[profile.c]\nprepends = 2',
        "profile.\"a b\": 'a b' is not a valid name for bgpd",
    ),
    (HEAD.replace('par1"', 'par1"\nstate = "state"', 1), "node.state: 'state' is not absolute"),
    (
        HEAD.replace('par1"', 'par1"\ncontrol = "/"', 1),
        r"node.control: / is a directory; name a socket in one",
    ),
    (
        HEAD.replace('par1"', 'par1"\ncontrol = "/run/a\\u0000b"', 1),
        r"node.control: '/run/a\x00b' has a NUL in it; remove it",
    ),
    (HEAD.replace('par1"', 'par1"\nresolver = "localhost:53"', 1), "node.resolver: "),
    ("[node", "not TOML: "),
    ("a = 1\na = 2", "not TOML: "),
    (f"a = {'9' * 5000}", "not TOML: "),
    (f"a = {'[' * 100_000}", "not TOML: "),
    (f"a = 1\n{'.'.join(['a'] * 2000)} = 1", "line 2: tables or lists more than 16 deep"),
    (f"[{' . '.join([chr(34) + 'a' + chr(34)] * 2000)}]", "line 1: tables or lists more than 16"),
    (f"{'.'.join(['a'] * 17)} = 1", "tables or lists more than 16 deep"),
    (f"a = {'[' * 17}{']' * 17}", "tables or lists more than 16 deep"),
    (f"#{' ' * (1 << 24)}", "more than 16777216 bytes"),
]


@pytest.mark.parametrize(("text", "line"), FAULTS, ids=[line for _, line in FAULTS])
def test_fault(text: str, line: str) -> None:
    """A fault is said once, with the path of its key, what was found and what is wanted."""
    found = faults(text)
    assert sum(line in fault for fault in found) == 1, found


ALONE = [
    HEAD.replace("64699", "0", 1) + VIP,
    VIP + 'prefer = ["par1", "lyo1"]\n[node]\ndc = "par1"\n',
    HEAD + '[vip."a.tld"]\naddresses = ["192.0.2.300", "192.0.2.1"]',
    HEAD + '[vip."a.tld"]\naddresses = []',
    HEAD + '[vip."a.tld"]',
    HEAD + VIP + 'prefer = ["par1"]',
    HEAD + "[policy]\nprepends = [1, 33]",
    HEAD
    + '[policy]\nranks = ["near", "far"]\n[profile.near]\nmed = 1\n[profile.far]\nprepends = 1',
    HEAD + VIP + 'health.source = "tcp"\nservices."tcp/80".realservers = ["198.51.100.1"]',
    HEAD + VIP + 'health.drop_at = "1"',
]


@pytest.mark.parametrize("text", ALONE)
def test_only_the_fault(text: str) -> None:
    """One fault brings no others with it: what is faulty still exists for what names it."""
    assert len(faults(text)) == 1


def test_faults_beside_each_other() -> None:
    """A fault of form hides none of sense, wherever it stands; places in a list are those of the file."""
    found = faults(
        HEAD
        + """
        [profile.near]
        med = 1
        [vip."a.tld"]
        addresses = ["x", "192.0.2.1", { ip = "192.0.2.1", colour = 1 }, { ip = "192.0.2.2", prefer = 3 }]
        [vip."b.tld"]
        addresses = 1
        [vip."c.tld"]
        addresses = ["192.0.2.1"]
        """
    )
    assert [line.split(": ")[0] for line in found] == [
        "profile.near.prepends",
        'vip."a.tld".addresses[0].ip',
        'vip."a.tld".addresses[2].colour',
        'vip."a.tld".addresses[3].prefer',
        'vip."b.tld".addresses',
        'vip."a.tld".addresses[2]',
        'vip."c.tld".addresses[0]',
    ]


def test_environment_faults() -> None:
    """What the environment names must exist too."""
    assert "node.dc: 'ams1' is unknown" in faults(HEAD, VIP_DC="ams1")[0]
    assert faults(HEAD, VIP_BACKEND="bird")[0].startswith("node.backend: ")


def test_unreadable(tmp_path: Path) -> None:
    """A file that is not there, is a directory or is not UTF-8 is named, with what to do."""
    binary = tmp_path / "binary"
    binary.write_bytes(b"a = '\xff'")
    for path, text in (
        (tmp_path / "nowhere", "No such file or directory; name the file with --config"),
        (tmp_path, "Is a directory"),
        (binary, "byte 5: not UTF-8"),
    ):
        with pytest.raises(ConfigError, match=text):
            config.load(path, {})


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("vip", "vip-1.tld", "addresses", 0, "ip"), 'vip."vip-1.tld".addresses[0].ip'),
        (("dc", "par1"), "dc.par1"),
        (("vip", ""), 'vip.""'),
        (("vip", 'a"b'), 'vip."a\\"b"'),
        (("vip", "é"), 'vip."é"'),
        (("vip", "a\nb"), 'vip."a\\nb"'),
    ],
)
def test_paths(path: tuple[object, ...], text: str) -> None:
    """A key's path is written as TOML writes it."""
    assert toml_path(path) == text


@pytest.mark.parametrize("command", ["vip_mgmt", "vip_watchdog"])
def test_exit_status(command: str, tmp_path: Path) -> None:
    """A faulty file ends both commands with 255, each fault on a line, and nothing is done."""
    path = tmp_path / "vip.toml"
    path.write_text(HEAD + "[nodes]\n[policies]\n")
    arguments = ["status"] if command == "vip_mgmt" else []
    done = subprocess.run(
        [sys.executable, "-m", f"speaker.{command}", *arguments],
        env={**os.environ, "VIP_CONFIG": str(path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 255
    assert done.stdout == ""
    assert f"configuration: {path}: nodes: unknown key" in done.stderr
    assert f"configuration: {path}: policies: unknown key" in done.stderr
    assert list(tmp_path.iterdir()) == [path]


# --- whatever is written -------------------------------------------------------------------------


def toml(value: object) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{toml(str(k))} = {toml(v)}" for k, v in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(toml, value)) + "]"
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)


def document(tables: dict[str, Any]) -> str:
    return "".join(f"{toml(key)} = {toml(value)}\n" for key, value in tables.items())


WORDS = st.sampled_from(
    [
        *[
            "node",
            "dc",
            "policy",
            "profile",
            "health",
            "vip",
            "backend",
            "exabgp",
            "quagga",
            "par1",
            "lyo1",
            "near",
            "asn",
            "prepends",
        ],
        *[
            "ranks",
            "max_withdraw",
            "confirm",
            "med",
            "communities",
            "origin",
            "source",
            "interval",
            "drop_at",
            "rise",
        ],
        *[
            "services",
            "addresses",
            "prefer",
            "ip",
            "prefix_length",
            "next_hop",
            "ipv4",
            "ipv6",
            "realservers",
        ],
        *[
            "spread",
            "192.0.2.1",
            "2001:db8::1",
            "192.0.2.1:80",
            "64699:1",
            "64699:1:2",
            "5s",
            "50%",
            "ipvs",
            "tcp",
            "none",
        ],
        *["tcp/80", "fwmark/1", "vip-1.tld", "self", "/run/x", "igp", "all", "any", "exabgp"],
        "",
        " ",
        "é\n\x7f",
    ]
)
LEAVES = st.one_of(
    WORDS,
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.booleans(),
    st.integers(-2, 70000),
    st.sampled_from([2**32, 2**63, -(2**63)]),
    st.sampled_from(["nan", "inf", "1.5", "1979-05-27", "07:32:00"]).map(
        lambda text: tomllib.loads(f"a = {text}")["a"]
    ),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)
BASE = tomllib.loads(DESIGN)


def places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """All paths into a document."""
    inner: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [p for key, below in inner for p in ((*path, key), *places(below, (*path, key)))]


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, Any]:
    """The design's example with some values replaced, removed, or put where none belongs."""
    broken = copy.deepcopy(BASE)
    for _ in range(draw(st.integers(1, 4))):
        found = places(broken)
        if not found:
            break
        *way, last = draw(st.sampled_from(found))
        place: Any = broken
        for part in way:
            place = place[part]
        match draw(st.sampled_from(["replace", "remove", "add"])):
            case "replace":
                place[last] = draw(VALUES)
            case "remove":
                del place[last]
            case "add" if isinstance(place, dict):
                place[draw(WORDS)] = draw(VALUES)
    return broken


def check(text: str) -> None:
    """Load a text: it either is a configuration that holds together, or has faults with words."""
    try:
        loaded = load(text)
    except ConfigError as error:
        found = tuple(map(str, error.faults))
    else:
        found = ()
    if found:
        assert all(": " in line for line in found)
        return
    assert loaded.settings.dc in loaded.topology.dcs
    assert loaded.settings.health.keys() == {vip.name for vip in loaded.topology.vips}


QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@QUICK
@given(damaged())
def test_damaged(broken: dict[str, Any]) -> None:
    """Whatever is wrong with a document, ConfigError says so and nothing else is raised."""
    check(document(broken))


@QUICK
@given(st.dictionaries(WORDS, VALUES, max_size=5))
def test_any_document(tables: dict[str, Any]) -> None:
    """Any TOML document loads or is refused with ConfigError."""
    check(document(tables))


@QUICK
@given(st.text(st.characters(exclude_categories=["Cs"])))
@example("node = {dc")
@example("\ufeff")
def test_any_text(text: str) -> None:
    """Any text is refused with ConfigError."""
    check(text)
