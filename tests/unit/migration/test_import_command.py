"""vip_mgmt import: what it makes of bgpd's files, and what it refuses to make."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from policy.assignment import assignments
from policy.order import Order
from policy.peers import PeerPolicy, RuledNeighbor
from policy.route import Community
from policy.topology import AggregateRule
from speaker import config, vip_mgmt
from speaker.migration.bgpd_conf.answers import Answers
from speaker.migration.bgpd_conf.model import Dialect
from speaker.migration.bgpd_conf.reader import read
from speaker.migration.bgpd_conf.statement import MigrationError
from speaker.migration.options import Import, parse
from speaker.migration.proof import prove
from speaker.migration.target import files as output
from speaker.migration.target.exabgp_site import make
from speaker.migration.updates.evaluate import evaluate
from tests.support.lab.dns import DnsServer, records
from tests.support.lab.installed import NOBODY
from tests.support.lab.requirements import require
from tests.support.lab.user import reachable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from speaker.config.settings import Config

BGP1 = "route-map BGP1 permit 10\n set as-path prepend 64699\n"
BGP2 = "route-map BGP2 permit 10\n set as-path prepend 64699 64699\n"
MAPS = BGP1 + BGP2


def bgpd(*lines: str, maps: str = MAPS, router: int = 1) -> str:
    head = ["router bgp 64699", " bgp router-id 203.0.113.10"]
    head.append(f" neighbor 203.0.113.{router} remote-as 64500")
    head.append(f" neighbor 203.0.113.{router} update-source 203.0.113.10")
    return "\n".join([*head, *(f" {line}" for line in lines), "!", maps])


def network(last: int, route_map: str | None) -> str:
    return f"network 192.0.2.{last}/32" + (f" route-map {route_map}" if route_map else "")


TELLS = re.compile(rb"^ *(frr |no bgp ebgp-requires-policy)|remote-as external", re.MULTILINE)
"""What tells that a file of these tests is FRR's."""


def as_bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


class Site:
    """A folder with files of data centres, and what vip_mgmt import says to them."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        self.out = folder / "out"

    def run(self, files: Mapping[str, str | bytes], *options: str) -> tuple[int, str]:
        words = []
        for dc, text in files.items():
            path = self.folder / f"{dc}.conf"
            path.write_bytes(as_bytes(text))
            words.append(f"{dc}={path}")
        if not any(TELLS.search(as_bytes(text)) for text in files.values()):
            options = (*options, "--quagga")
        status = vip_mgmt.main(["import", *words, "--out", str(self.out), *options])
        said = self._capsys.readouterr()
        self.stdout = said.out
        lines = said.err.replace(f"{self.folder}/", "").splitlines(keepends=True)
        return status, "".join(line for line in lines if "conf: read as " not in line)

    def loaded(self, dc: str) -> Config:
        return config.load(self.out / "vip.toml", {"VIP_DC": dc})

    def routes(self, dc: str) -> dict[str, str]:
        loaded = self.loaded(dc)
        found = assignments(loaded.topology, loaded.settings.dc)
        return {
            str(prefix): str(duty.route.attributes) for prefix, duty in found.items() if duty.route
        }

    def exabgp(self, dc: str) -> str:
        return (self.out / f"exabgp-{dc}.conf").read_text()

    @property
    def is_empty(self) -> bool:
        """Nothing was written, nor is anything left over."""
        return [path for path in self.folder.iterdir() if path.suffix != ".conf"] == []


@pytest.fixture
def site(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Site:
    return Site(tmp_path, capsys)


PAR1 = bgpd(network(1, "BGP1"), network(2, "BGP2"))
LYO1 = bgpd(network(1, "BGP2"), network(2, "BGP1"), router=2)
ANY = "route-map B permit 10\n"
PLAIN = "as-path [ 64699{}] origin igp med 0"


def test_toolkit(site: Site) -> None:
    """The shell toolkit's example, reversed in the second data centre, becomes prepends and prefer."""
    assert site.run({"par1": PAR1, "lyo1": LYO1}) == (0, "")
    one, two = (PLAIN.format(" 64699 " * n).replace("  ", " ") for n in (1, 2))
    assert site.routes("par1") == {"192.0.2.1/32": one, "192.0.2.2/32": two}
    assert site.routes("lyo1") == {"192.0.2.1/32": two, "192.0.2.2/32": one}
    assert {path.name for path in site.folder.iterdir()} == {"par1.conf", "lyo1.conf", "out"}
    text = (site.out / "vip.toml").read_text()
    assert "prepends = [1, 2]" in text
    assert f"{site.folder}/par1.conf:5, {site.folder}/lyo1.conf:5" in text


def test_exabgp(site: Site) -> None:
    """A session has what bgpd's had, by name of the line that it comes from."""
    lines = [
        network(1, "BGP1"),
        "neighbor 203.0.113.1 timers 3 9",
        "neighbor 203.0.113.1 ebgp-multihop 4",
        'neighbor 203.0.113.1 description "a" {router}; # é',
        "neighbor 203.0.113.3 remote-as 64699",
        "neighbor 203.0.113.3 ttl-security hops 2",
        "neighbor 203.0.113.3 update-source 203.0.113.11",
        "neighbor 203.0.113.3 port 1790",
    ]
    assert site.run({"par1": bgpd(*lines)})[0] == 2  # the only data centre: no backup
    first, second = site.exabgp("par1").split("neighbor 203")[1:]
    for line in (
        "local-address 203.0.113.10;",
        "local-as 64699;",
        "peer-as 64500;",
        "router-id 203.0.113.10;",
        "hold-time 9;",
        "outgoing-ttl 4;",
        'description "?a? ?router?? ? ?";',
    ):
        assert f"    {line}\n" in first
    for line in ("outgoing-ttl 255;", "incoming-ttl 254;", "connect 1790;", "peer-as 64699;"):
        assert f"    {line}\n" in second
    assert f"# {site.folder}/par1.conf:3\nneighbor" in site.exabgp("par1")


def test_graceful_restart(site: Site) -> None:
    """The routers keep the routes as they did for bgpd; End-of-RIB waits for vip_watchdog, so only where it feeds."""
    lines = [
        network(1, "BGP1"),
        "bgp graceful-restart",
        "bgp graceful-restart restart-time 60",
        "neighbor 203.0.113.3 remote-as 64500",
        "neighbor 203.0.113.3 update-source 203.0.113.10",
        "neighbor 203.0.113.3 graceful-restart-helper",
        "neighbor 203.0.113.5 remote-as 64500",
        "neighbor 203.0.113.5 update-source 203.0.113.10",
        "neighbor 203.0.113.5 filter-list NONE out",
        "ip as-path access-list NONE deny .*",
    ]
    status, said = site.run({"par1": bgpd(*lines)})
    assert status == 2, said
    assert "graceful-restart" not in said
    fed, helped, silent = site.exabgp("par1").split("neighbor 203")[1:]
    assert "    capability { graceful-restart 60; }\n    manual-eor true;\n" in fed
    assert "bgpd sent it nothing" in silent
    assert all(
        "    capability" not in each and "manual-eor" not in each for each in (helped, silent)
    )


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        ("deadbeef", 'md5-password "deadbeef";\n    md5-base64 false;'),
        ("a [b] ;#", 'md5-password "YSBbYl0gOyM=";\n    md5-base64 true;'),
    ],
    ids=["hexadecimal", "special"],
)
def test_password(site: Site, password: str, expected: str) -> None:
    """A password is in exabgp.conf alone, told so that ExaBGP reads nothing else; not for everybody."""
    text = bgpd(network(1, None), f"neighbor 203.0.113.1 password {password}")
    _, said = site.run({"par1": text})
    assert expected in site.exabgp("par1")
    assert stat.S_IMODE((site.out / "exabgp-par1.conf").stat().st_mode) == 0o640
    assert password not in said + site.stdout + (site.out / "vip.toml").read_text()


def test_password_in_a_refused_line(site: Site) -> None:
    """Not even a line that is refused shows its password."""
    status, said = site.run(
        {"par1": bgpd(network(1, None), "neighbor 203.0.113.7 password abc123")}
    )
    assert status == 255
    assert "par1.conf:6: neighbor 203.0.113.7 password …: names no neighbour" in said
    assert "abc123" not in said
    lines = [network(1, None), "neighbor 203.0.113.1 password abc123"]
    status, said = site.run({"par1": bgpd(*lines, maps="").removesuffix("\n!\n")})
    assert status == 255
    assert said.count("par1.conf:6: neighbor 203.0.113.1 password …: the file ends without") == 1
    assert "abc123" not in said


COMMUNITIES = "route-map {} permit 10\n set as-path prepend {}\n set community {}\n"


def test_communities_by_data_centre(site: Site) -> None:
    """Communities that say which data centre it is are ranks of single addresses."""
    files = {}
    for dc, near, far, tag in (("par1", 1, 2, 101), ("lyo1", 2, 1, 102)):
        maps = COMMUNITIES.format("NEAR", "64699", f"64699:{tag}")
        maps += COMMUNITIES.format("FAR", "64699 64699", f"64699:{tag} 64699:9")
        files[dc] = bgpd(network(near, "NEAR"), network(far, "FAR"), maps=maps)
    script = {"vip-1.tld A": records("vip-1.tld. A 192.0.2.1", "vip-1.tld. A 192.0.2.2")}
    with DnsServer({**script, "vip-1.tld AAAA": records()}) as dns:
        resolver = "{}:{}".format(*dns.endpoint)
        status, _ = site.run(files, "--name", "vip-1.tld", "--resolver", resolver)
    assert status == 0
    (vip,) = site.loaded("par1").topology.vips
    assert vip.name == "vip-1.tld"
    assert "community [ 64699:101 ]" in site.routes("par1")["192.0.2.1/32"]
    assert "community [ 64699:9 64699:101 ]" in site.routes("par1")["192.0.2.2/32"]
    assert "community [ 64699:102 ]" in site.routes("lyo1")["192.0.2.2/32"]


def test_profiles(site: Site) -> None:
    """Where more than prepends differ there are profiles, named as the route-maps were."""
    near = "route-map NEAR permit 10\n set metric 5\n set origin incomplete\n"
    far = "route-map FAR permit 10\n set as-path prepend 64699\n set large-community 64699:1:2\n"
    files = {
        "par1": bgpd(network(1, "NEAR"), maps=near + far),
        "lyo1": bgpd(network(1, "FAR"), maps=near + far),
    }
    assert site.run(files)[0] == 0
    assert [p.name for p in site.loaded("par1").topology.vips[0].ranks] == ["NEAR", "FAR"]
    assert site.routes("par1")["192.0.2.1/32"] == "as-path [ 64699 ] origin incomplete med 5"
    assert "large-community [ 64699:1:2 ]" in site.routes("lyo1")["192.0.2.1/32"]


@pytest.mark.parametrize(
    "line",
    [
        "set metric 1",
        "set origin egp",
        "set community 64699:1",
        "set large-community 64699:1:1",
        "set extcommunity rt 64699:1",
    ],
)
def test_profiles_of_equal_prepends(site: Site, line: str) -> None:
    """Two VIPs whose first choice differs in one attribute alone have a profile each."""
    text = bgpd(network(1, "A"), network(2, "B"), maps=f"route-map A permit 10\n {line}\n{ANY}")
    assert site.run({"par1": text})[0] == 2
    first, second = site.routes("par1").values()
    assert first != second == PLAIN.format(" ").replace("  ", " ")


def test_sites_of_origin(site: Site) -> None:
    """Data centres whose routes differ in a site of origin alone: each keeps its own, and nothing orders them."""
    files = {
        dc: bgpd(network(1, "A"), maps=f"route-map A permit 10\n set extcommunity soo 64699:{n}\n")
        for n, dc in enumerate(("par1", "lyo1"), 1)
    }
    status, said = site.run(files)
    assert (status, site.loaded("par1").topology.vips[0].order) == (2, Order.NONE)
    assert "soo:64699:1" in site.routes("par1")["192.0.2.1/32"]
    assert "soo:64699:2" in site.routes("lyo1")["192.0.2.1/32"]
    assert "equal paths with different extended communities" in said
    assert 'order = "community"' not in said


def test_prefix(site: Site) -> None:
    """A whole prefix stays one, and no realserver can take it away."""
    assert site.run({"par1": bgpd("network 198.51.100.0/24", network(1, None))})[0] == 2
    loaded = site.loaded("par1")
    assert list(map(str, loaded.topology.prefixes)) == ["198.51.100.0/24", "192.0.2.1/32"]
    assert loaded.settings.health["vip-198-51-100-0-24"].source == "none"
    assert loaded.settings.health["vip-192-0-2-1"].source == "ipvs"


def covering(site: Site, options: str, *more: str, other: str | None = None) -> tuple[int, str]:
    """Import two data centres that announce the same VIP and an aggregate."""
    lines = (network(1, None), *more, "aggregate-address 192.0.2.0/24")
    par1, lyo1 = (
        bgpd(*lines[:-1], f"{lines[-1]} {said}", router=n, maps="")
        for n, said in ((1, options), (2, options if other is None else other))
    )
    return site.run({"par1": par1, "lyo1": lyo1})


@pytest.mark.parametrize("summary_only", [False, True])
def test_aggregate(site: Site, *, summary_only: bool) -> None:
    """aggregate-address becomes [aggregate], and it is said what ExaBGP does not send; it decides nothing."""
    status, said = covering(site, "summary-only" if summary_only else "")
    assert status == 0, said
    assert "with ATOMIC_AGGREGATE and AGGREGATOR, which decide nothing" in said
    topology = site.loaded("par1").topology
    (aggregate,) = topology.aggregates
    assert aggregate.name == "192.0.2.0/24"
    assert aggregate.aggregate == AggregateRule(1, summary_only)
    assert [vip.name for vip in topology.vips] == ["vip-192-0-2-1"]
    assert "1 prefix of 1 VIP, 1 aggregate, 2 sessions" in site.stdout


def test_aggregate_without_its_vips(site: Site) -> None:
    """Where lists let the aggregate pass alone, summary_only says the same, and it is said."""
    lines = (
        network(1, None),
        "aggregate-address 192.0.2.0/24",
        "neighbor 203.0.113.1 prefix-list COVER out",
    )
    maps = "ip prefix-list COVER permit 192.0.2.0/24\n"
    for line in (lines[1], f"{lines[1]} summary-only"):
        text = bgpd(lines[0], line, lines[2], maps=maps)
        status, said = site.run({"par1": text, "lyo1": text}, "--force")
        assert status == 0, said
        (aggregate,) = site.loaded("par1").topology.aggregates
        assert aggregate.aggregate == AggregateRule(1, summary_only=True)
        assert ("no neighbor is sent what lies in it: imported with summary_only" in said) == (
            line == lines[1]
        )


def test_what_an_aggregate_keeps_back_may_differ(site: Site) -> None:
    """What no neighbor is ever sent needs not be the same for all, nor have the usual LOCAL_PREF."""
    lines = (
        network(1, None),
        "aggregate-address 192.0.2.0/24 summary-only",
        "neighbor 203.0.113.9 remote-as 64699",
        "neighbor 203.0.113.9 update-source 203.0.113.10",
        "neighbor 203.0.113.9 route-map PREFERRED out",
    )
    maps = (
        "ip prefix-list VIPS permit 192.0.2.0/24 ge 32\nroute-map PREFERRED permit 10\n"
        "match ip address prefix-list VIPS\nset local-preference 200\nset metric 7\n"
        "route-map PREFERRED permit 20\n"
    )
    status, said = site.run({dc: bgpd(*lines, maps=maps) for dc in ("par1", "lyo1")})
    assert status == 0, said


def test_what_single_neighbors_get(site: Site) -> None:
    """What is added for one neighbor, and what it is not sent, is its [peer]; all others get the rest."""
    lines = (
        *OTHER,
        "neighbor 203.0.113.3 route-map M out",
        network(1, None),
        network(2, None),
        network(3, None),
    )
    maps = (
        "ip prefix-list L permit 192.0.2.3/32\nroute-map M deny 5\nmatch ip address prefix-list L\nroute-map M permit 10\n"
        "set as-path prepend 64699\nset community 64500:1\nset metric 7\n"
    )
    status, said = site.run({"par1": bgpd(*lines, maps=maps)})
    assert status == 2, said
    assert "par1: neighbor 203.0.113.3 has a policy of its own: imported as [peer]" in said
    (rule,) = site.loaded("par1").topology.peers.rules
    assert rule.neighbors == (RuledNeighbor(ip_address("203.0.113.3"), "par1"),)
    assert rule.policy == PeerPolicy(
        None, frozenset({"vip-192-0-2-3"}), frozenset({Community(64500, 1)}), prepends=1, med=7
    )
    assert "# par1.conf:5\n[peer." in (site.out / "vip.toml").read_text().replace(
        f"{site.folder}/", ""
    )


def test_one_address_in_two_data_centres(site: Site) -> None:
    """Neighbors that have one address, each in its data centre, and get different things, are groups."""
    of_both = ("neighbor 10.0.0.1 remote-as 64699", "neighbor 10.0.0.1 update-source 203.0.113.10")
    files = {
        dc: bgpd(
            network(1, None),
            *of_both,
            "neighbor 10.0.0.1 route-map M out",
            maps=f"route-map M permit 10\nset local-preference {preference}\n",
        )
        for dc, preference in (("par1", 150), ("lyo1", 50))
    }
    status, said = site.run(files)
    assert status == 0, said
    assert {
        (rule.group, rule.neighbors[0].dc, rule.policy.local_preference)
        for rule in site.loaded("par1").topology.peers.rules
    } == {("par1-10-0-0-1", "par1", 150), ("lyo1-10-0-0-1", "lyo1", 50)}


def test_a_part_of_a_vip(site: Site) -> None:
    """[peer] names whole VIPs: one of which a neighbor gets a part is an error, by the line of the rest."""
    lines = (network(1, None), network(2, None), *OTHER, "neighbor 203.0.113.3 prefix-list L out")
    script = {
        "www.tld A": records("www.tld. A 192.0.2.1", "www.tld. A 192.0.2.2"),
        "www.tld AAAA": records(),
    }
    with DnsServer(script) as dns:
        options = ("--name", "www.tld", "--resolver", "{}:{}".format(*dns.endpoint))
        maps = "ip prefix-list L permit 192.0.2.1/32\n"
        status, said = site.run({"par1": bgpd(*lines, maps=maps)}, *options)
    assert status == 255
    assert (
        "par1.conf:6: 192.0.2.2/32 is not sent to 203.0.113.3, and other addresses of www.tld are"
        in said
    )


def test_exabgp_tells_what_it_sends(site: Site) -> None:
    """Announced is what a neighbour is known to be sent: exabgp.conf has ExaBGP tell that of each neighbour of ours."""
    _, said = site.run({"par1": bgpd(network(1, None))})
    assert (site.out / "exabgp-par1.conf").exists(), said
    conf = (site.out / "exabgp-par1.conf").read_text()
    told = "neighbor-changes;\n        send { parsed; update; }\n"
    assert conf.count(told) == conf.count("processes [") > 0


def test_another_as_of_one_session(site: Site) -> None:
    """local-as is the session's in exabgp.conf; AS_PATH can have no other one beside it."""
    line = "neighbor 203.0.113.1 local-as 64510 no-prepend"
    status, said = site.run({"par1": bgpd(network(1, None), f"{line} replace-as")})
    assert status == 2, said
    conf = (site.out / "exabgp-par1.conf").read_text()
    assert "    local-as 64510;\n    peer-as 64500;" in conf
    assert str(site.loaded("par1").settings.dc.asn) == "64699"
    status, said = site.run({"par1": bgpd(network(1, None), line)}, "--force")
    assert status == 255
    assert f"par1.conf:6: {line}: 203.0.113.1 is sent AS_PATH 64510 64699, and vip-speaker" in said


def test_aggregate_in_two_ways(site: Site) -> None:
    """vip.toml has one summary_only for all data centres."""
    status, said = covering(site, "summary-only", other="")
    assert status == 255
    assert "vip.toml says one thing for all data centres; make them alike" in said


def test_names(site: Site) -> None:
    """Names come from the operator's list, then from PTR records, then from the address."""
    text = bgpd(network(1, None), network(2, None), network(3, None))
    script = {
        "www.tld A": records("www.tld. A 192.0.2.1"),
        "www.tld AAAA": records(),
        "2.2.0.192.in-addr.arpa PTR": records("2.2.0.192.in-addr.arpa. PTR Mail.tld."),
        "3.2.0.192.in-addr.arpa PTR": records(),
        "old.tld A": records("old.tld. A 198.51.100.1"),
        "old.tld AAAA": records(),
    }
    with DnsServer(script) as dns:
        options = ["--name", "www.tld", "--name", "old.tld", "--name", "a..b", "--dns"]
        options += ["--resolver", "{}:{}".format(*dns.endpoint)]
        _, said = site.run({"par1": text}, *options)
        asked = [question for question in dns.asked if question.endswith("PTR")]
    assert len(asked) == 2
    names = [vip.name for vip in site.loaded("par1").topology.vips]
    assert names == ["www.tld", "mail.tld", "vip-192-0-2-3"]
    assert "name: old.tld: none of its addresses is announced; it is left out" in said
    assert "name: 'a..b': an empty label" in said
    assert "PTR of 192.0.2.3: there is none; a name is made of the address" in said


def test_next_hop(site: Site) -> None:
    """The interface's IPv6 address is asked for, and is that data centre's next hop alone."""
    family = ["address-family ipv6", "network 2001:db8::1/128", "neighbor 203.0.113.1 activate"]
    files = {"par1": bgpd(network(1, None), *family)}
    status, said = site.run(files)
    assert status == 255
    assert "the file does not tell which; use --local par1:203.0.113.1=IPV6-ADDRESS" in said
    assert site.is_empty
    assert site.run(files, "--local", "par1=2001:db8:ffff::9")[0] == 2
    assert str(site.loaded("par1").settings.exabgp.next_hop.ipv6) == "2001:db8:ffff::9"


def test_next_hop_of_a_route_map(site: Site) -> None:
    """A next hop that neighbours' route-maps set is the data centre's; two of them can't be had."""
    lines = ["neighbor 203.0.113.1 route-map OUT out", "neighbor 203.0.113.3 remote-as 64500"]
    lines += ["neighbor 203.0.113.3 update-source 203.0.113.10"]
    maps = f"{MAPS}route-map OUT permit 10\n set ip next-hop 203.0.113.99\n"
    status, said = site.run({"par1": bgpd(network(1, None), *lines, maps=maps)})
    assert (status, site.is_empty) == (255, True)
    assert "IPv4 has the next hops 203.0.113.10, 203.0.113.99; vip-speaker has one for all" in said
    lines.append("neighbor 203.0.113.3 route-map OUT out")
    assert site.run({"par1": bgpd(network(1, None), *lines, maps=maps)})[0] == 2
    assert str(site.loaded("par1").settings.exabgp.next_hop.ipv4) == "203.0.113.99"


def test_local_address(site: Site) -> None:
    """An address that the file does not tell is asked for."""
    text = "router bgp 64699\n neighbor 203.0.113.1 remote-as 64500\n network 192.0.2.1/32\n"
    status, said = site.run({"par1": text})
    assert (status, site.is_empty) == (255, True)
    assert "neighbor 203.0.113.1 (line 2): the file does not tell from which address" in said
    assert site.run({"par1": text}, "--local", "par1=203.0.113.10")[0] == 2
    assert "local-address 203.0.113.10;" in site.exabgp("par1")


def test_fed_by_family(site: Site) -> None:
    """A neighbour that bgpd sent nothing gets nothing of ExaBGP, and keeps its session."""
    lines = [network(1, None), "neighbor 203.0.113.3 remote-as 64500"]
    lines += ["neighbor 203.0.113.3 route-map NONE out"]
    lines += ["neighbor 203.0.113.3 update-source 203.0.113.10"]
    status, said = site.run({"par1": bgpd(*lines, maps=f"{MAPS}route-map NONE deny 10\n")})
    assert status == 2
    assert "note: par1.conf:6: neighbor 203.0.113.3 is sent nothing of IPv4: denied by" in said
    assert "api {" not in site.exabgp("par1").split("neighbor 203.0.113.3")[1]


OTHER = ("neighbor 203.0.113.3 remote-as 64500", "neighbor 203.0.113.3 update-source 203.0.113.10")
REFUSED = [
    # each with the file's text, and what is said of it
    (bgpd(network(1, "MISSING")), "no VIP is announced anywhere"),
    (bgpd(network(1, "BGP1"), "frobnicate"), "par1.conf:6: frobnicate: is unknown, incomplete"),
    (bgpd(network(1, "BGP1"))[:-2], "par1.conf:10: set as-path prepend 64699 646"),
    (bgpd() + "router bgp 64511\n", "par1.conf:10: router bgp 64511: router bgp 64699 is there"),
    ("router bgp 64699 vrf RED\n", "par1.conf:1: router bgp 64699 vrf RED: BGP of vrf RED is not"),
    ("router bgp 64699 view V\n", "par1.conf:1: router bgp 64699 view V: BGP of view V is not"),
    ("hostname a\n", "par1.conf: has no `router bgp`"),
    ("", "par1.conf: has no `router bgp`"),
    (b"\xff\x00\x01\n\xfe", "par1.conf: has no `router bgp`"),
    (
        bgpd(network(1, "M"), maps="route-map M permit 10\n set metric rtt\n"),
        "par1.conf:8: set metric rtt: this set is not translated",
    ),
    (
        bgpd(network(1, "M"), maps="route-map M permit 10\n match ip address prefix-list\n"),
        "par1.conf:8: match ip address prefix-list: names no list",
    ),
    (
        bgpd(network(1, "M"), maps="route-map M permit 10\n match tag 5\n"),
        "par1.conf:8: match tag 5: this match is not translated",
    ),
    (
        bgpd(network(1, "M"), maps="route-map M permit 10\n set as-path prepend 64511\n"),
        "which is not its own: that AS drops the route as a loop",
    ),
    (
        bgpd(network(1, None), "neighbor 203.0.113.1 filter-list A out")
        + "ip as-path access-list A permit [[:digit:]]+\n",
        "par1.conf:12: ip as-path access-list A permit [[:digit:]]+: '[[:digit:]]+' is not read as",
    ),
    (
        bgpd(network(1, "M"), maps="route-map M permit 10\n match metric ²\n"),
        "par1.conf:8: match metric ²: '²' is not a number from 0 to",
    ),
    (
        bgpd(network(1, "M"), maps="route-map M permit 10\n set community 65537\n"),
        "par1.conf:8: set community 65537: '65537' is one number, which FRR refuses and Quagga",
    ),
    (
        bgpd(network(1, None), maps="end\nroute-map M permit 10\n"),
        "par1.conf:7: end: bgpd reads nothing that stands after it",
    ),
    (
        bgpd(network(1, None), "neighbor eth0 interface remote-as external"),
        ("par1.conf:6: neighbor eth0 interface remote-as external: the neighbour is by interface; ExaBGP needs an address: "
        "use --peer eth0=ADDRESS, the router's there and its AS: write its number, or use --peer-as eth0=ASN"),
    ),
    (
        bgpd(network(1, None), "neighbor 203.0.113.3 remote-as external"),
        "par1.conf:6: neighbor 203.0.113.3 remote-as external: the neighbour is `external`",
    ),
    (
        bgpd(network(1, None), network(2, None), *OTHER, "neighbor 203.0.113.3 route-map M out",
             maps="ip prefix-list L permit 192.0.2.1/32\nroute-map M permit 10\nmatch ip address prefix-list L\n"
             "set as-path prepend 64699\nroute-map M permit 20\nset metric 7\n"),
        "par1.conf:5: 192.0.2.1/32 is sent to 203.0.113.1 with as-path [ 64699 ] origin igp med 0, and to 203.0.113.3 with",
    ),
    (
        bgpd(network(1, None), *OTHER, "neighbor 203.0.113.3 route-map M out",
             maps="route-map M permit 10\n set origin incomplete\n"),
        "[peer] of vip.toml changes all VIPs of a neighbor alike, and adds prepends, communities, one MED",
    ),
    (
        bgpd(network(1, None), "neighbor 203.0.113.1 password é"),
        "par1.conf:3: neighbor 203.0.113.1: its password is not of ASCII characters",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), REFUSED, ids=[said[:50] for _, said in REFUSED])
def test_nothing_is_written(site: Site, text: str | bytes, expected: str) -> None:
    """What can't be had, or makes no sense, is said by file and line; nothing is written then."""
    status, said = site.run({"par1": text})
    assert (status, site.is_empty) == (255, True)
    assert expected in said


ALL_FOUR = " set community 64699:{}\n"
BETWEEN = [
    (PAR1, "", 0, 'alike: imported with prefer = "equal"; where', {'prefer = "equal"'}),
    (
        bgpd(network(1, "BGP2")),
        "",
        2,
        "192.0.2.2/32: only par1 announces it, as lyo1 does not: lyo1.conf has no network line for it",
        {'prefer = ["par1"]', "only = true"},
    ),
    (
        bgpd(network(1, "BGP2"), network(2, "GONE")),
        "",
        2,
        "192.0.2.2/32: only par1 announces it, as lyo1 does not: route-map GONE does not exist, so",
        {'prefer = ["par1"]', "only = true"},
    ),
    (
        bgpd(network(1, "BGP1"), network(2, "BGP2"), maps=BGP1 + " set metric 9\n" + BGP2),
        "",
        0,
        '192.0.2.1/32: AS_PATHs of par1 and lyo1 are equally long: imported with order = "med"',
        {'prefer = ["par1", "lyo1"]', 'order = "med"', 'prefer = "equal"'},
    ),
    (
        bgpd(network(1, "BGP1"), network(2, "BGP2"), maps=BGP1 + ALL_FOUR.format(9) + BGP2),
        "",
        2,
        "192.0.2.1/32: par1 and lyo1 announce equal paths with different communities: imported",
        {'prefer = ["par1", "lyo1"]', 'order = "none"', 'prefer = "equal"'},
    ),
    (
        PAR1,
        bgpd(network(1, "BGP2"), network(2, "BGP2"), router=3),
        2,
        "192.0.2.1/32: par1 and lyo1 tie, and the others do not: imported",
        {'prefer = ["par1", "lyo1", "nrt1"]', 'order = "none"', 'prefer = "equal"'},
    ),
]


@pytest.mark.parametrize(("other", "third", "status", "said", "written"), BETWEEN)
def test_between_data_centres(
    site: Site, other: str, third: str, status: int, said: str, written: set[str]
) -> None:
    """Those that announce alike are equal, a part stays a part, and what is no order by prepends is said."""
    files = {"par1": PAR1, "lyo1": other, **({"nrt1": third} if third else {})}
    found, told = site.run(files)
    assert (found, site.is_empty) == (status, False), told
    assert said in told
    assert {line for line in written if line not in (site.out / "vip.toml").read_text()} == set()


def test_equal_under_different_as_numbers(site: Site) -> None:
    """Equal data centres with different ASNs are imported, and what multipath needs is noted."""
    other = PAR1.replace("64699", "64700")
    status, told = site.run({"par1": PAR1, "lyo1": other})
    assert status == 2
    assert 'prefer = "equal"' in (site.out / "vip.toml").read_text()
    assert "equal in data centres with different ASNs" in told
    assert site.routes("lyo1")["192.0.2.1/32"] == "as-path [ 64700 64700 ] origin igp med 0"


def test_refused_lines(site: Site) -> None:
    """A refused line that changes nothing for VIPs does not stop the import, but with --strict."""
    text = bgpd(network(1, "BGP1"), "redistribute ospf")
    status, said = site.run({"par1": text}, "--strict")
    assert (status, site.is_empty) == (255, True)
    assert "--strict: lines are refused" in said
    status, said = site.run({"par1": text})
    assert status == 2
    assert "refused: par1.conf:6: redistribute ospf: routes of other protocols" in said


SECRETS = [
    # where, and the line
    ("", "password S3CRET"),
    ("", "enable password 8 S3CRET"),
    ("", "enable secret S3CRET"),
    ("", "username a password S3CRET"),
    ("", "smux peer .1.3.6.1 S3CRET"),
    ("", "snmp-server community S3CRET RO"),
    ("", "frobnicate S3CRET"),
    ("", "ip frobnicate S3CRET"),
    ("", "neighbor 203.0.113.1 password S3CRET"),
    ("router bgp 64699", "neighbor 203.0.113.1 pasword S3CRET"),
    ("router bgp 64699", "neighbour 203.0.113.1 password S3CRET"),
    ("router bgp 64699", "neigh 203.0.113.1 password S3CRET"),
    ("router bgp 64699", "neighbor 203.0.113.9 password S3CRET"),
    ("router bgp 64699", "neighbor 203.0.113.1 S3CRET"),
    ("router bgp 64699", "no neighbor 203.0.113.1 tcp-ao S3CRET"),
    ("route-map BGP1 permit 10", "frobnicate S3CRET"),
    ("interface eth0", "ip ospf authentication-key S3CRET"),
    ("interface eth0", "ip ospf message-digest-key 1 md5 S3CRET"),
    ("interface eth0", "ip rip authentication string S3CRET"),
    ("interface eth0", "isis password clear S3CRET"),
    ("interface eth0", "ip nhrp authentication S3CRET"),
    ("interface eth0", "vrrp 1 authentication S3CRET"),
    ("interface eth0", "neighbor 203.0.113.1 password S3CRET"),
    ("router isis A", "area-password clear S3CRET"),
    ("router isis A", "domain-password md5 S3CRET"),
    ("router ospf", "area 0 virtual-link 192.0.2.9 authentication-key S3CRET"),
    ("key chain K", "key-string S3CRET"),
    ("mpls ldp", "neighbor 192.0.2.9 password S3CRET"),
    ("rpki", "rpki cache tcp S3CRET 22"),
    ("line vty", "password S3CRET"),
]


@pytest.mark.parametrize(("where", "line"), SECRETS)
def test_no_secret_is_shown(site: Site, where: str, line: str) -> None:
    """Whatever becomes of a line, of BGP, of another daemon or of nobody, its secret is not said."""
    text = f"{bgpd(network(1, 'BGP1'))}{where}\n{line}\n"
    status, said = site.run({"par1": text}, "--strict")
    assert "S3CRET" not in said + site.stdout
    status, said = site.run({"par1": text.removesuffix("\n")})  # cut short, as it may be
    assert status in (2, 255)
    assert "S3CRET" not in said + site.stdout
    assert f"par1.conf:{text.count(chr(10))}: " in said + site.stdout.replace(f"{site.folder}/", "")


MEMBER_FIRST = """\
router bgp 64699
 bgp router-id 203.0.113.10
 {}
 neighbor UP peer-group
 neighbor 203.0.113.1 peer-group UP
 neighbor 203.0.113.1 remote-as 64500
 neighbor 203.0.113.1 update-source 203.0.113.10
 neighbor UP prefix-list P out
 network 192.0.2.1/32
 network 192.0.2.2/32
ip prefix-list P seq 5 permit 192.0.2.1/32
"""


def test_a_member_before_its_remote_as(site: Site) -> None:
    """FRR takes a member that has no AS yet, and its group's policy with it."""
    head = "no bgp ebgp-requires-policy"
    status, said = site.run({"par1": MEMBER_FIRST.format(head)})
    assert "refused" not in said
    assert status == 2
    assert list(site.routes("par1")) == ["192.0.2.1/32"]


def test_a_member_that_quagga_refuses(site: Site) -> None:
    """Quagga is believed to refuse it: nothing is written on that belief."""
    status, said = site.run({"par1": MEMBER_FIRST.format("bgp log-neighbor-changes")})
    assert (status, site.is_empty) == (255, True)
    assert "par1.conf:5: neighbor 203.0.113.1 peer-group UP: has no remote-as before it" in said


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("neighbor 203.0.113.7 route-map BGP1 out", "names no neighbour that the lines before"),
        ("neighbor 203.0.113.1 peer-group GONE", "there is no peer-group GONE before it"),
        ("neighbor 203.0.113.1 timers 1 2", "2 s is not a hold time"),
        ("neighbor 203.0.113.1 send-community some", "'some' is not standard, extended"),
        ("neighbor 203.0.113.1 remote-as x", "ASN: 'x'"),
        ("network 192.0.2.7/33", "'33' is not a number"),
        ("network 2001:db8::7/128", "is of IPv6, and stands where IPv4 is meant"),
        ("bgp router-id x", "'x' is not an identifier"),
        ("address-family ipv6 unicats", "is unknown, incomplete, or abbreviated"),
        ("exit\nip prefix-l P deny any", "abbreviates `ip prefix-list`"),
        ("exit\nroute-m BGP1 deny 5", "abbreviates `route-map`"),
        ("exit\ninterface eth0\nip prefix-l P deny any", "abbreviates `ip prefix-list`"),
        ("exit\nrouter ospf\naccess-l P deny any", "abbreviates `access-list`"),
        ("exit\nline vty\nneighbor 203.0.113.1 shutdown", "stands in no block"),
        ("exit\ninterface eth0\nneighbor 203.0.113.1 shutdown", "stands in no block"),
        ("exit\nrouter ospf\nneighbor 203.0.113.1 remote-as 64500", "stands in no block"),
        ("exit\nip prefixlist P deny any", "is unknown, incomplete, or abbreviated"),
    ],
)
def test_nothing_is_believed_to_be_refused(site: Site, line: str, expected: str) -> None:
    """A line that bgpd is believed to refuse is an error: it is not passed over on that belief."""
    status, said = site.run({"par1": bgpd(network(1, "BGP1"), *line.split("\n"))})
    assert (status, site.is_empty) == (255, True)
    assert expected in said


def test_a_family_that_nothing_closes(site: Site) -> None:
    """What another family does not know is `router bgp`'s, as in bgpd."""
    lines = ["address-family ipv4 vpn", "neighbor 203.0.113.2 remote-as 64500"]
    lines += ["neighbor 203.0.113.2 update-source 203.0.113.10", network(1, "BGP1")]
    lines += ["address-family vpnv4", "address-family ipv6", "network 2001:db8::1/128"]
    lines += ["neighbor 203.0.113.2 activate", "neighbor 203.0.113.1 activate"]
    site.run({"par1": bgpd(*lines)}, "--local", "par1=2001:db8:ffff::9")
    assert list(site.routes("par1")) == ["192.0.2.1/32", "2001:db8::1/128"]
    assert "neighbor 203.0.113.2 {" in site.exabgp("par1")


def exabgp(folder: Path, *lines: str) -> str:
    """Return a program that says what it is, and does what a test wants with a file."""
    program = folder / "exabgp.conf"
    text = 'if [ "$1" = --version ]; then echo "ExaBGP : 5.0.1"; exit; fi'
    program.write_text("\n".join(["#!/bin/sh", text, *lines, ""]))
    program.chmod(0o755)
    return str(program)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("echo 'syntax error in line 3'; exit 1", "exit status 1: syntax error in line 3"),
        ("[ $1 = validate ] && grep -q vip_watchdog $2; exit $?", "exit status 1: "),
    ],
)
def test_exabgp_refuses(site: Site, line: str, expected: str) -> None:
    """Nothing is written where ExaBGP does not take its file, or has no such program as it names."""
    status, said = site.run({"par1": PAR1}, "--exabgp", exabgp(site.folder, line))
    assert (status, site.is_empty) == (255, True)
    assert f"ExaBGP refuses exabgp-par1.conf: {expected}" in said
    assert said.count("nothing is written") == 1


def test_no_exabgp(site: Site) -> None:
    """An ExaBGP that can't be run is named, and nothing is written."""
    status, said = site.run({"par1": PAR1}, "--exabgp", "/nowhere/exabgp")
    assert (status, site.is_empty) == (255, True)
    assert said.endswith("/exabgp: not there; name the program\nnothing is written\n")
    assert "--exabgp: /nowhere/exabgp: not there" in said


def test_exabgp_that_is_no_program(site: Site) -> None:
    """A file that can't be run is named with why, and nothing is written."""
    status, said = site.run({"par1": PAR1}, "--exabgp", str(site.folder / "par1.conf"))
    assert (status, site.is_empty) == (255, True)
    assert "--exabgp: par1.conf: Permission denied; name the program\nnothing is written\n" in said


def test_the_result_is_compared(site: Site) -> None:
    """A vip.toml that does not send what bgpd sent is never put in place."""
    site.run({"par1": PAR1})
    found = read("par1.conf", LYO1.encode(), Dialect.QUAGGA)
    evaluation = evaluate(found)
    made = make("par1", found, evaluation)
    with pytest.raises(MigrationError, match=r"203\.0\.113\.2: 192\.0\.2\.1/32: bgpd sends"):
        prove(site.out / "vip.toml", [made], {"par1": evaluation})


def test_verdicts(site: Site) -> None:
    """Lines that no VIP meets, or that are for nothing that is sent, are harmless, and listed so."""
    maps = f"{MAPS}route-map IN permit 10\n set metric rtt\nip prefix-list UNUSED permit any\n"
    maps += "ip prefix-list ALL permit any\nroute-map BGP1 permit 20\n set metric -rtt\n"
    lines = ["neighbor 203.0.113.1 route-map IN in", "neighbor 203.0.113.1 prefix-list ALL out"]
    status, said = site.run(
        {"par1": bgpd(network(1, "BGP1"), network(2, "BGP2"), *lines, maps=maps)}
    )
    assert "refused" not in said
    listed = [line.split(": ", 1)[1] for line in site.stdout.splitlines() if "harmless" in line]
    listed = [line.removeprefix(f"{site.folder}/par1.conf:") for line in listed]
    assert listed == [
        "7: neighbor 203.0.113.1 route-map IN in: is for routes received",
        "14: route-map IN permit 10: is used for nothing that is sent",
        "15: set metric rtt: no VIP meets it",
        "16: ip prefix-list UNUSED permit any: is used for nothing that is sent",
        "19: set metric -rtt: no VIP meets it",
    ]
    assert status == 2


def test_left_out(site: Site) -> None:
    """A network that bgpd does not announce is left out, and it is said why."""
    status, said = site.run({"par1": bgpd(network(1, "BGP1"), network(2, "GONE"))})
    assert status == 2
    assert "note: par1.conf:6: 192.0.2.2/32 is not announced, and left out: route-map GONE" in said
    assert list(site.routes("par1")) == ["192.0.2.1/32"]


def test_no_overwriting(site: Site) -> None:
    """Files that are there stay as they are, but with --force."""
    site.run({"par1": PAR1})
    before = (site.out / "vip.toml").read_text()
    status, said = site.run({"par1": LYO1})
    assert status == 255
    assert "there already; remove them, or use --force\nnothing is written\n" in said
    assert (site.out / "vip.toml").read_text() == before
    assert site.run({"par1": LYO1}, "--force")[0] == 2
    assert (site.out / "vip.toml").read_text() != before
    assert {path.name for path in site.out.iterdir()} == {"vip.toml", "exabgp-par1.conf"}


@pytest.mark.parametrize(
    ("out", "expected"),
    [
        ("file.conf/out", "no file can be made in file.conf: Not a directory"),
        ("file.conf", "file.conf: File exists"),
        ("x" * 300, "x: File name too long"),
        ("loop.conf/out", "no file can be made in loop.conf: Too many levels of symbolic links"),
    ],
    ids=["under a file", "a file", "a long name", "a loop"],
)
def test_unwritable(site: Site, out: str, expected: str) -> None:
    """Where nothing can be written, that is said, and nothing is left over."""
    (site.folder / "file.conf").touch()
    (site.folder / "loop.conf").symlink_to("loop.conf")
    site.out = site.folder / out
    status, said = site.run({"par1": PAR1})
    assert status == 255
    assert f"{expected}; nothing is written: name a folder that can be written" in said
    assert site.is_empty


def test_a_full_disk(site: Site) -> None:
    """A file that can't be written to its end is named, and none is left."""
    code = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300)); "
    code += "from speaker import vip_mgmt; sys.exit(vip_mgmt.main(sys.argv[1:]))"
    (site.folder / "par1.conf").write_text(PAR1)
    argv = [sys.executable, "-c", code, "import", f"par1={site.folder}/par1.conf"]
    argv += ["--out", str(site.out), "--quagga"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, site.is_empty) == (255, True)
    assert f"--out {site.out}: vip.toml: File too large; nothing is written" in done.stderr


def test_a_folder_of_another_user(capsys: pytest.CaptureFixture[str]) -> None:
    """Root writes into no folder where another user could put a link in the place of its files."""
    require()
    with reachable(0o755) as folder:
        os.chown(folder, NOBODY, NOBODY)
        theirs = Site(folder, capsys)
        status, said = theirs.run({"par1": bgpd(network(1, "BGP1"), maps=BGP1)}, "--quagga")
        assert (status, theirs.is_empty) == (255, True)
        assert f"{folder}: belongs to user {NOBODY}" in said


def test_all_or_none(site: Site) -> None:
    """Where one file can't be put in place, the others are as they were."""
    site.out.mkdir()
    (site.out / "vip.toml").write_text("old")
    (site.out / "exabgp-par1.conf").mkdir()
    status, said = site.run({"lyo1": LYO1, "par1": PAR1}, "--force")
    assert status == 255
    assert "exabgp-par1.conf: " in said
    assert "nothing is written" in said
    assert (site.out / "vip.toml").read_text() == "old"
    assert {path.name for path in site.out.iterdir()} == {"vip.toml", "exabgp-par1.conf"}


def test_put_back(tmp_path: Path) -> None:
    """What was replaced before a file could not be is there again, as it was."""
    folder, out = tmp_path / "folder", tmp_path / "out"
    folder.mkdir()
    (folder / "a").write_text("new")
    (folder / "b").write_text("new")
    with pytest.raises(MigrationError, match="No such file"):
        output.put(folder, out, ["b", "c"])
    assert not out.exists()
    out.mkdir()
    (out / "a").write_text("old")
    (out / "a").chmod(0o604)
    with pytest.raises(MigrationError, match="No such file"):
        output.put(folder, out, ["a", "c"])
    assert (out / "a").read_text() == "old"
    assert stat.S_IMODE((out / "a").stat().st_mode) == 0o604


def test_written_beside(tmp_path: Path) -> None:
    """What is there of the folder has to be writable, and no more; it may be a mount point."""
    out = tmp_path / "b"
    with output.beside(out, {"f": "text"}, {}) as folder:
        assert folder.parent == tmp_path
    out.mkdir()
    with output.beside(out, {"f": "text"}, {}) as folder:
        assert folder.parent == out
        output.put(folder, out, ["f"])
    assert [path.name for path in out.iterdir()] == ["f"]


def test_one_folder_is_made_at_most(site: Site) -> None:
    """A path of which more than the last folder lacks is refused, with the folder that lacks: a mistyped one makes no tree."""
    above = site.folder / "mistyped"
    site.out = above / "a" / "out"
    status, said = site.run({"par1": PAR1})
    assert status == 255
    assert "--out mistyped/a/out: mistyped/a is not there; nothing is written: make that" in said
    assert not above.exists()
    site.out.parent.mkdir(parents=True)
    status, said = site.run({"par1": PAR1})
    assert status != 255, said
    assert (site.out / "vip.toml").exists()


def test_a_terminal_without_utf_8(site: Site) -> None:
    """What a terminal can't show does not stop the import."""
    (site.folder / "par1.conf").write_text(f"password s\nhostname é\n{PAR1}")
    argv = [sys.executable, "-m", "speaker.vip_mgmt", "import", f"par1={site.folder}/par1.conf"]
    argv += ["--out", str(site.out), "--quagga"]
    environ = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(argv, capture_output=True, env=environ, check=False, timeout=60)
    assert done.returncode == 2, done.stderr
    assert b"password \\u2026: is for bgpd's own terminal" in done.stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--out", "x"], "the following arguments are required: DC=FILE"),
        (["par1=a"], "the following arguments are required: --out"),
        (["par1", "--out", "x"], "par1: not of the form DC=FILE"),
        (["a/b=f", "--out", "x"], "a/b=f: not of the form DC=FILE"),
        (["a=f", "a=g", "--out", "x"], "a=g: a is f already; one file for a data centre"),
        (["a=f", "--out", "x", "--local", "b=203.0.113.1"], "no file is given for b"),
        (["a=f", "--out", "x", "--local", "a=1.2.3"], "--local a=1.2.3: "),
        (["a=f", "--out", "x", "--resolver", "dns"], "--resolver: "),
    ],
)
def test_usage(words: list[str], expected: str) -> None:
    """A command line that makes no sense is refused with what is wrong."""
    with pytest.raises(MigrationError, match=re.escape(expected)):
        parse(words)


def test_command_line() -> None:
    """All options are understood."""
    words = "par1=a lyo1=b --out d --dns --strict --force --name n.tld".split()
    call = parse(words)
    files = {"par1": Path("a"), "lyo1": Path("b")}
    wanted = Import(files, Path("d"), {}, ("n.tld",), dns=True, strict=True, force=True)
    assert call == replace(
        wanted, answers={"par1": Answers(), "lyo1": Answers()}, words=tuple(words)
    )


def test_absent_file(site: Site) -> None:
    """A file that is not there is named."""
    assert vip_mgmt.main(["import", "par1=/nowhere/bgpd.conf", "--out", str(site.out)]) == 255
    assert site.is_empty


# --- causes, and not what follows from them ------------------------------------------------------

NOWHERE = bgpd(network(1, "BGP1")).replace(" neighbor 203.0.113.1 update-source 203.0.113.10\n", "")


def faults(said: str) -> list[str]:
    return [line for line in said.splitlines() if line != "nothing is written"]


def test_a_local_address_that_is_missing_is_all_that_is_said(site: Site) -> None:
    """Not that there is no neighbour, nor that its networks are not announced: that is not so."""
    status, said = site.run({"par1": NOWHERE, "lyo1": bgpd(network(1, "BGP2"), router=2)})
    assert status == 255
    (only,) = faults(said)
    assert only.startswith("par1: par1.conf: neighbor 203.0.113.1 (line 3): the file does not tell")
    assert "--local par1:203.0.113.1=ADDRESS" in only
    (next_one,) = (line for line in site.stdout.splitlines() if line.startswith("  next: "))
    assert next_one.startswith("  next: vip_mgmt import par1=")
    assert next_one.endswith("--quagga --local par1:203.0.113.1=ADDRESS")


def test_several_that_are_missing(site: Site) -> None:
    """The summary has the whole command line, with the length of a network that several are in; and other errors first."""
    more = " neighbor 203.0.113.2 remote-as 64500\n network 192.0.2.1/32 frobnicate\n"
    text = NOWHERE.replace(" bgp router-id 203.0.113.10\n", f" bgp router-id 203.0.113.10\n{more}")
    assert site.run({"par1": text})[0] == 255
    assert "  next: 1 other error above: do what each says; then vip_mgmt import" in site.stdout
    assert "--local par1=IPV4-ADDRESS/LENGTH" in site.stdout


def test_a_bgp_identifier_is_not_asked_for_beside_it(site: Site) -> None:
    """The session over IPv4 whose address is missing would give one."""
    v6 = " neighbor 2001:db8::1 remote-as 64500\n neighbor 2001:db8::1 update-source 2001:db8::2\n"
    text = NOWHERE.replace(" bgp router-id 203.0.113.10\n", v6)
    status, said = site.run({"par1": text})
    assert (status, "bgp router-id" in said, "from which address" in said) == (255, False, True)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (
            "router bgp 64699\n bgp router-id 203.0.113.10\n network 192.0.2.1/32\n",
            "has no neighbor; is it the right file?",
        ),
        (
            bgpd("neighbor 203.0.113.1 shutdown", network(1, None)),
            "each neighbor is left out, see above; keep one in a copy of the file",
        ),
    ],
)
def test_no_neighbour(site: Site, text: str, cause: str) -> None:
    """Where that is the cause, it is said, and which of the two it is."""
    status, said = site.run({"par1": text})
    assert status == 255
    assert [line for line in faults(said) if not line.startswith("note: ")] == [
        f"par1: par1.conf: {cause}"
    ]
