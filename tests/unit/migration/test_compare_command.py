"""`vip_mgmt compare`: what bgpd sends and what ExaBGP will, attribute by attribute."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from speaker import vip_mgmt
from speaker.exit_status import ExitStatus
from tests.support.lab.site import toml

OLD = """\
router bgp 64699
 neighbor 203.0.113.1 remote-as 64500
 neighbor 203.0.113.2 remote-as 64699
 neighbor 203.0.113.1 password secret
 network 192.0.2.1/32 route-map M
 network 192.0.2.2/32 route-map M
 address-family ipv6
  network 2001:db8::1/128 route-map M
  neighbor 203.0.113.1 activate
 exit-address-family
ip prefix-list FIRST permit 192.0.2.1/32
route-map M permit 10
 set as-path prepend 64699 64699
 set metric 50
 set community 64699:100
 set large-community 64699:1:2
 set extcommunity rt 64699:9 192.0.2.1:5
 set extcommunity soo 65546:1
 set origin egp
"""
NEAR = {
    "prepends": 2,
    "med": 50,
    "communities": ["64699:100"],
    "large_communities": ["64699:1:2"],
    "extended_communities": ["rt:64699:9", "soo:65546:1", "rt:192.0.2.1:5"],
    "origin": "egp",
}
NEW: dict[str, Any] = {
    "node": {"dc": "par1"},
    "dc": {"par1": {"asn": 64699}, "lyo1": {"asn": 64699}},
    "policy": {"ranks": ["near", "far"]},
    "profile": {"near": NEAR, "far": {"prepends": 9}},
    "backend": {"exabgp": {"next_hop": {"ipv6": "2001:db8:ffff::10"}}},
    "vip": {
        "vip-1.tld": {
            "addresses": ["192.0.2.1", "192.0.2.2", "2001:db8::1"],
            "prefer": ["par1", "lyo1"],
        }
    },
}
Compare = Callable[..., tuple[int, Any]]


@pytest.fixture
def compare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Compare:
    def run(
        old: str = OLD, new: Mapping[str, Any] = NEW, *options: str, **profile: Any
    ) -> tuple[int, Any]:
        tables = {**new, "profile": {**new["profile"], "near": {**NEAR, **profile}}}
        (tmp_path / "vip.toml").write_text(toml(tables))
        (tmp_path / "bgpd.conf").write_text(old)
        files = ["--config", str(tmp_path / "vip.toml"), "compare", str(tmp_path / "bgpd.conf")]
        files += [] if "--frr" in options else ["--quagga"]
        status = vip_mgmt.main([*files, *options])
        said = capsys.readouterr()
        if status == ExitStatus.USAGE:
            return status, said.err
        return status, json.loads(said.out) if "--json" in options else said.out

    return run


def _differences(answer: Any) -> list[tuple[str, str, list[str]]]:
    return [(d["prefix"], d["neighbor"], d["differs_in"]) for d in answer["differences"]]


def test_equal(compare: Compare) -> None:
    """Exit status 0, and every UPDATE with all that the peer sees: iBGP without the AS, with LOCAL_PREF."""
    status, answer = compare(OLD, NEW, "--json")
    assert (status, answer["differences"], answer["dc"]) == (0, [], "par1")
    sent = {(each["prefix"], each["neighbor"]): each["new"] for each in answer["equal"]}
    ebgp = {
        "as_path": [64699, 64699, 64699],
        "origin": "egp",
        "med": 50,
        "communities": ["64699:100"],
        "large_communities": ["64699:1:2"],
        "extended_communities": ["rt:64699:9", "rt:192.0.2.1:5", "soo:65546:1"],
        "local_pref": None,
        "next_hop": "self",
    }
    ibgp = {**ebgp, "as_path": [64699, 64699], "local_pref": 100}
    assert sent == {
        ("192.0.2.1/32", "203.0.113.1"): ebgp,
        ("192.0.2.2/32", "203.0.113.1"): ebgp,
        ("2001:db8::1/128", "203.0.113.1"): {**ebgp, "next_hop": "2001:db8:ffff::10"},
        ("192.0.2.1/32", "203.0.113.2"): ibgp,
        ("192.0.2.2/32", "203.0.113.2"): ibgp,
    }


AGGREGATE = """\
router bgp 64699
 neighbor 203.0.113.1 remote-as 64500
 network 192.0.2.1/32
 aggregate-address 192.0.2.0/24 summary-only
"""
SUMMARIZED = {
    "node": {"dc": "par1"},
    "dc": {"par1": {"asn": 64699}},
    "policy": {"prepends": [0]},
    "profile": {},
    "vip": {"vip-1.tld": {"addresses": ["192.0.2.1"]}},
}


@pytest.mark.parametrize(
    ("rule", "reasons"),
    [
        ({"summary_only": True}, []),
        ({}, ["kept back by 192.0.2.0/24, summary-only"]),
        ({"summary_only": True, "at_least": 2}, ["VIPs' prefixes in it: 1; needs 2"]),
    ],
)
def test_aggregate(compare: Compare, rule: Mapping[str, Any], reasons: Sequence[str]) -> None:
    """Members that one of the two keeps back differ; so does an aggregate that has too few of them."""
    tables = {**SUMMARIZED, "aggregate": {"192.0.2.0/24": rule}}
    _, answer = compare(AGGREGATE, tables, "--json")
    assert [each["reason"] for each in answer["differences"]] == reasons
    assert len(answer["equal"]) == (0 if "at_least" in rule else 1)


def test_what_single_neighbours_get(compare: Compare) -> None:
    """[peer] counts: what a neighbour is to get differs, or is nothing, and another LOCAL_PREF is one."""
    rules = {
        "203.0.113.1": {"prepends": "+1", "communities": ["64500:80"], "local_preference": 200},
        "203.0.113.2": {"announce": [], "local_preference": 200},
    }
    _, answer = compare(OLD, {**NEW, "peer": rules}, "--json")
    first, second, third, *inside = sorted(_differences(answer), key=lambda each: each[1])
    assert {prefix for prefix, _, _ in (first, second, third)} == {
        "192.0.2.1/32",
        "192.0.2.2/32",
        "2001:db8::1/128",
    }
    assert all(each[2] == ["as_path", "communities"] for each in (first, second, third))
    assert [each[1:] for each in inside] == [("203.0.113.2", ["announced"])] * 2
    _, answer = compare(OLD, {**NEW, "peer": {"203.0.113.2": {"local_preference": 200}}}, "--json")
    assert [each[1:] for each in _differences(answer)] == [("203.0.113.2", ["local_pref"])] * 2


@pytest.mark.parametrize(
    ("profile", "field"),
    [
        ({"prepends": 1}, "as_path"),
        ({"med": 51}, "med"),
        ({"med": 0}, "med"),
        ({"origin": "igp"}, "origin"),
        ({"communities": ["64699:101"]}, "communities"),
        ({"communities": []}, "communities"),
        ({"communities": ["64699:100", "64699:1"]}, "communities"),
        ({"large_communities": ["64699:1:3"]}, "large_communities"),
    ],
)
def test_each_attribute(compare: Compare, profile: Mapping[str, Any], field: str) -> None:
    """A difference in one attribute is found for every prefix and peer, and it alone; exit status 2."""
    status, answer = compare(OLD, NEW, "--json", **profile)
    assert (status, answer["equal"]) == (2, [])
    assert {tuple(d["differs_in"]) for d in answer["differences"]} == {(field,)}
    assert len(answer["differences"]) == 5


def test_local_pref(compare: Compare) -> None:
    """LOCAL_PREF differs for the iBGP peer alone: it is not sent on eBGP (RFC 4271 §5.1.5)."""
    old = OLD.replace(" network", " bgp default local-preference 200\n network", 1)
    status, answer = compare(old, NEW, "--json")
    assert status == 2
    assert _differences(answer) == [
        ("192.0.2.1/32", "203.0.113.2", ["local_pref"]),
        ("192.0.2.2/32", "203.0.113.2", ["local_pref"]),
    ]


def test_next_hop(compare: Compare) -> None:
    """A next hop of the interface that the file tells is compared; one that it does not tell is no difference."""
    interface = "interface eth0\n ip address 203.0.113.10/24\n ipv6 address 2001:db8:ffff::{}/64\n"
    status, answer = compare(interface.format(10) + OLD, NEW, "--json")
    assert status == 0
    assert not any(each["unproven"] for each in answer["equal"])
    status, answer = compare(interface.format(11) + OLD, NEW, "--json")
    assert status == 2
    assert _differences(answer) == [("2001:db8::1/128", "203.0.113.1", ["next_hop"])]
    _, answer = compare(OLD, NEW, "--json")
    unproven = [each["prefix"] for each in answer["equal"] if each["unproven"] == ["next_hop"]]
    assert unproven == ["2001:db8::1/128"]
    assert "which its file does not say" in compare()[1]


def test_no_next_hop(compare: Compare) -> None:
    """IPv6 on a session over IPv4 without a next hop in vip.toml is not sent by ExaBGP: a difference."""
    status, answer = compare(OLD, {**NEW, "backend": {}}, "--json")
    assert status == 2
    assert _differences(answer) == [("2001:db8::1/128", "203.0.113.1", ["announced"])]
    assert "next_hop" in answer["differences"][0]["reason"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("network 192.0.2.1/32 route-map M", ""), "no network line"),
        (("route-map M\n network 192.0.2.2", "route-map GONE\n network 192.0.2.2"), "GONE"),
        (("192.0.2.2/32 route-map M", "192.0.2.9/32 route-map M"), "not in vip.toml"),
        (("set community 64699:100", "set community no-export"), "no-export"),
        (("remote-as 64699\n", "remote-as 64699\n neighbor 203.0.113.2 shutdown\n"), None),
        (("password secret", "prefix-list FIRST out"), "denied by"),
    ],
)
def test_not_sent(compare: Compare, change: tuple[str, str], reason: str | None) -> None:
    """What one of the two does not send is a difference, with the reason; what neither sends is none."""
    old = OLD.replace(*change)
    assert old != OLD
    status, answer = compare(old, NEW, "--json")
    if reason is None:
        assert (status, answer["differences"]) == (0, [])
        return
    assert status == 2
    silent = [d for d in answer["differences"] if d["differs_in"] == ["announced"]]
    assert silent
    assert any(reason in d["reason"] for d in silent)
    assert all((d["old"] is None) != (d["new"] is None) for d in silent)


def test_table(compare: Compare) -> None:
    """Differences come first, an attribute a line with both values; the last line counts."""
    status, text = compare(OLD, NEW, med=51, origin="igp")
    lines = text.splitlines()
    assert status == 2
    assert lines[0].split() == ["PREFIX", "NEIGHBOR", "AS", "DIFFERS", "IN", "BGPD", "EXABGP"]
    assert lines[1].split() == ["192.0.2.1/32", "203.0.113.1", "64500", "ORIGIN", "egp", "igp"]
    assert lines[2].split() == ["192.0.2.1/32", "203.0.113.1", "64500", "MED", "50", "51"]
    assert lines[-1].endswith("ExaBGP in par1: 5 of 5 UPDATEs differ")
    assert compare()[1].splitlines()[-1].endswith("ExaBGP in par1: all 5 UPDATEs are equal")


def test_another_dc(compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    """The data centre is $VIP_DC's: its rank gives other prepends."""
    monkeypatch.setenv("VIP_DC", "lyo1")
    status, answer = compare(OLD, NEW, "--json")
    assert (status, answer["dc"]) == (2, "lyo1")
    assert answer["differences"][0]["new"]["as_path"] == [64699] * 10


def test_another_asn(compare: Compare) -> None:
    """Another AS in vip.toml is seen by the eBGP peer, and makes an eBGP peer of the other."""
    new = {**NEW, "dc": {"par1": {"asn": 64510}, "lyo1": {"asn": 64699}}}
    _, answer = compare(OLD, new, "--json")
    paths = {d["neighbor"]: d["new"]["as_path"] for d in answer["differences"]}
    assert paths == {"203.0.113.1": [64510] * 3, "203.0.113.2": [64510] * 3}


@pytest.mark.parametrize(
    ("old", "said"),
    [
        ("hostname x\n", "bgpd.conf"),
        (OLD + "no route-map M\n", "bgpd.conf:20"),
        (OLD + "router bgp 64511\n", "bgpd.conf:20"),
    ],
)
def test_faults(compare: Compare, old: str, said: str) -> None:
    """Of a file of which it is not known what it sends, nothing is claimed: exit status 255, with the line."""
    status, error = compare(old)
    assert (status, said in error) == (255, True), error
    assert "secret" not in error


@pytest.mark.parametrize(
    ("old", "line", "unproven"),
    [
        # every network meets it
        (OLD + " on-match next\n", "12: route-map M permit 10: goes on, and no clause", 5),
        (OLD.replace("set metric 50", "set metric fifty"), "14: set metric fifty: this set", 5),
        # of one neighbour, and of one that is not known
        (
            OLD.replace("password secret", "timers 1 2"),
            "4: neighbor 203.0.113.1 timers 1 2: 2 s is",
            3,
        ),
        (
            OLD.replace("203.0.113.1 password", "203.0.113.9 password"),
            "4: neighbor 203.0.113.9 password …: names no neighbour",
            0,
        ),
        # of one network, and of one that nobody knows
        (
            OLD.replace("192.0.2.2/32 route-map M", "192.0.2.2/32 label-index 5"),
            "6: network 192.0.2.2/32 label-index 5: 'label-index 5' is not translated",
            2,
        ),
        (OLD.replace("192.0.2.2/32", "192.0.2.2/33"), "6: network 192.0.2.2/33 route-map M", 5),
        # nobody knows what it is of
        (
            OLD.replace("router bgp 64699", "router bgp 64699\nfoo"),
            "2: foo: is unknown, incomplete, or",
            5,
        ),
        (OLD + "ip prefix-l FIRST deny any\n", "20: ip prefix-l …: abbreviates", 5),
    ],
)
def test_unproven(compare: Compare, old: str, line: str, unproven: int) -> None:
    """What a line decides that is not understood is neither equal nor different: exit status 2, with the line."""
    assert old != OLD
    status, answer = compare(old, NEW, "--json")
    assert status == 2
    assert len(answer["unproven"]) == unproven
    assert any(f"bgpd.conf:{line}" in said for said in answer["lines"]), answer["lines"]
    for each in answer["unproven"]:
        assert any(f"bgpd.conf:{line}" in said for said in each["lines"]), each
    assert len(answer["equal"]) + len(answer["differences"]) >= 5 - unproven
    status, text = compare(old)
    assert status == 2
    assert f"bgpd.conf:{line}" in text
    assert "all 5 UPDATEs are equal" not in text or "unknown what bgpd sends besides" in text
    assert "secret" not in text


def test_what_is_understood_is_compared(compare: Compare) -> None:
    """A line of one neighbour does not keep what the others are sent from being compared."""
    old = OLD.replace("password secret", "timers 1 2")
    status, text = compare(old, NEW, med=51)
    assert status == 2
    assert text.splitlines()[-1].endswith("ExaBGP in par1: 2 of 5 UPDATEs differ, 3 unproven")
    status, text = compare(old)
    assert text.splitlines()[-1].endswith("2 of 5 UPDATEs are equal, 3 unproven")


ANSWERED = [
    (
        "router bgp 64699\n neighbor 203.0.113.1 remote-as external\n",
        ("--peer-as", "203.0.113.1=64500"),
        "the neighbour is `external`; ExaBGP needs its AS",
    ),
    (
        "router bgp 64699\n neighbor eth0 interface remote-as 64500\n",
        ("--peer", "eth0=203.0.113.1"),
        "the neighbour is by interface; ExaBGP needs an address",
    ),
    (
        (
            "router bgp 64510 vrf MGMT\n network 198.51.100.1/32\nrouter bgp 64699 vrf EDGE\n"
            " neighbor 203.0.113.1 remote-as 64500\n"
        ),
        ("--vrf", "EDGE"),
        "BGP of vrf MGMT is not migrated",
    ),
]


@pytest.mark.parametrize(("head", "answer", "expected"), ANSWERED, ids=["peer-as", "peer", "vrf"])
def test_what_the_file_does_not_tell(
    compare: Compare, head: str, answer: tuple[str, str], expected: str
) -> None:
    """The same options as of import answer what no file tells; without them it is said what lacks, and nothing is equal."""
    old = f"frr version 10.3\n{head} no bgp ebgp-requires-policy\n network 192.0.2.1/32\n"
    new = {
        **NEW,
        "policy": {"prepends": [0, 1]},
        "vip": {"a.tld": {"addresses": ["192.0.2.1"], "prefer": ["par1", "lyo1"]}},
    }
    status, text = compare(old, new, "--frr", *answer)
    assert (status, "1 UPDATE is equal" in text) == (0, True), text
    status, text = compare(old, new, "--frr")
    assert status != 0
    assert expected in text


def test_a_belief_about_quagga(compare: Compare) -> None:
    """What import would be wrong to believe, compare does not believe either."""
    group = " neighbor G peer-group\n neighbor 203.0.113.1 peer-group G\n"
    old = OLD.replace(" neighbor 203.0.113.1 remote-as", f"{group} neighbor 203.0.113.1 remote-as")
    old = old.replace(" network", " neighbor G prefix-list FIRST out\n network", 1)
    status, answer = compare(old, NEW, "--json")
    assert status == 2
    assert {each["neighbor"] for each in answer["unproven"]} == {"203.0.113.1"}
    assert "has no remote-as before it" in answer["lines"][0]


def test_faults_of_vip_toml(compare: Compare) -> None:
    """A faulty vip.toml is 255 too."""
    status, error = compare(OLD, {**NEW, "nonsense": 1})
    assert status == 255
    assert "nonsense" in error


@pytest.mark.parametrize("words", [[], ["a", "b"], ["no/such/file"], ["."]])
def test_usage(words: Sequence[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One file, that can be read."""
    (tmp_path / "vip.toml").write_text(toml(NEW))
    assert vip_mgmt.main(["--config", str(tmp_path / "vip.toml"), "compare", *words]) == 255
    assert capsys.readouterr().err
