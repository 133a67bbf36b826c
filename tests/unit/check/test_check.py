"""vip_mgmt check and plan --without: what is asked, what is said, exit statuses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from policy.lint.finding import Code, Finding
from speaker import config
from speaker.check.report import Report
from speaker.check.world import dns, ipvs
from speaker.cli.policy_tables import check_text
from speaker.health.ipvs.table import TableAccessError, TableError
from speaker.resolver.resolver import Resolver
from tests.support.lab.dns import SILENCE, DnsServer, Reply, records
from tests.unit.health.ipvs.tables import real, table
from tests.unit.test_vip_mgmt import Run, reconciler

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from speaker.health.ipvs.table import IpvsTable

SITE = """
[node]
dc = "par1"
backend = "{backend}"
resolver = "127.0.0.1:{port}"
control = "{directory}/control.sock"
state = "{directory}/state.sqlite3"
[dc.par1]
asn = 64699
[dc.lyo1]
asn = 64699
[dc.fra1]
asn = 64699
[policy]
prepends = [{prepends}]
[health]
source = "{source}"
[backend.quagga]
start_files = ["{directory}/bgpd.conf"]
vtysh = "{directory}/no-vtysh"
[vip."vip-1.tld"]
addresses = ["192.0.2.1", "192.0.2.2", "2001:db8::1"]
[vip."vip-2.tld"]
addresses = ["192.0.2.3"]
prefer = ["lyo1", "par1", "fra1"]
"""
NOBODY_LISTENS = 9


def site(directory: Path, more: str = "", **values: Any) -> Path:
    usual = {"backend": "exabgp", "port": NOBODY_LISTENS, "prepends": "0, 1, 2", "source": "none"}
    path = directory / "vip.toml"
    path.write_text(SITE.format(directory=directory, **{**usual, **values}) + more)
    return path


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("VIP_CONFIG", str(site(tmp_path)))
    return Run(tmp_path, capsys)


def codes(report: Report) -> list[tuple[str, str]]:
    return [(finding.code, finding.subject) for finding in report.findings]


# --- check ---------------------------------------------------------------------------------------


def test_nothing_to_ask(run: Run) -> None:
    """Where nobody answers, that is noted on stderr, and a good file is a good file."""
    assert run("check") == 0
    assert run.out == [f"{run.directory}/vip.toml: 4 prefixes, no findings"]
    assert [line.split(":")[:3] for line in run.err] == [
        ["bgp_mgt", " not checked", " DNS"],
        ["bgp_mgt", " not checked", " peers"],
    ]


def test_offline(run: Run) -> None:
    """Offline nobody is asked, and nothing is noted."""
    with DnsServer({}) as server, reconciler(run.directory) as asked:
        site(run.directory, port=server.endpoint[1])
        assert run("check", "--offline") == 0
    assert (server.asked, asked, run.err) == ([], [], [])


def test_ties_are_findings(run: Run) -> None:
    """`check` tells of ranks that tie, and that every other command refuses the file: 255, as with --form."""
    site(run.directory, prepends="0, 1, 1")
    assert run("check", "--offline") == 255
    assert run.out[0] == (
        "vip-1.tld 192.0.2.1/32, vip-1.tld 2001:db8::1/128: lyo1 (2 ASes) and fra1 (2 ASes) tie once "
        "par1 failed: each router chooses as it likes; give rank 2 (fra1) more prepends than rank 1 "
        "(lyo1), by [policy] prepends or the profiles of ranks [tie]"
    )
    assert [line.split(" tie ")[0] for line in run.out[1:3]] == [
        "vip-1.tld 192.0.2.2/32: fra1 (2 ASes) and par1 (2 ASes)",
        "vip-2.tld 192.0.2.3/32: par1 (2 ASes) and fra1 (2 ASes)",
    ]
    (said,) = run.err
    assert said == (
        "bgp_mgt: vip_watchdog and the other commands refuse the file: policy.prepends: prepends by rank "
        "are [0, 1, 1]; each must be greater than the one before, or two data centres tie"
    )
    assert run.out[3:] == [f"{run.directory}/vip.toml: 4 prefixes, 4 findings"]
    for refusing in (["check", "--form"], ["status"], ["plan", "--without", "par1"]):
        assert run(*refusing) == 255
        assert "policy.prepends: prepends by rank are [0, 1, 1]" in run.err[0]


def test_ties_beside_other_faults(run: Run) -> None:
    """Where the file has another fault, ranks that tie are named with it."""
    site(run.directory, '[api]\nlisten = ["0.0.0.0:1"]\n', prepends="0, 1, 1")
    for asked in (["check", "--offline"], ["check", "--form"], ["check"]):
        assert run(*asked) == 255
        said = "\n".join(run.err)
        assert "policy.prepends: prepends by rank are [0, 1, 1]" in said
        assert "api.listen" in said


def test_faults_of_the_form(run: Run) -> None:
    """A file that can't be understood is refused with all its faults: 255."""
    site(run.directory, '[vips]\n[vip."vip-3.tld"]\naddresses = ["192.0.2.300"]\n')
    assert run("check") == 255
    assert len(run.err) == 2
    assert run.out == []


def test_form(run: Run) -> None:
    """--form says only that the file is taken: what starts programs must not stop at a finding."""
    path = site(run.directory, prepends="0, 1, 30")
    assert run("check", "--offline") == 2
    assert run("check", "--form") == 0
    assert run.out == [f"{path}: 4 prefixes, valid"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "--form", "--json"],
        ["check", "--form", "--offline"],
        ["check", "--form", "other.toml"],
        ["status", "--offline"],
        ["plan", "--offline"],
        ["check", "--without", "par1"],
        ["plan", "--without"],
    ],
    ids=" ".join,
)
def test_usage(run: Run, arguments: list[str]) -> None:
    """Options that make no sense with a command are refused."""
    assert run(*arguments) == 255
    assert run.out == []


def test_json(run: Run) -> None:
    """As JSON: the file, the number of prefixes, findings with four keys, notes; the same statuses."""
    assert run("check", "--json") == 0
    answer = json.loads("\n".join(run.out))
    assert (answer["file"], answer["prefixes"]) == (f"{run.directory}/vip.toml", 4)
    assert answer["findings"] == []
    assert [note.split(":")[1] for note in answer["notes"]] == [" DNS", " peers"]
    assert run.err == []
    site(run.directory, prepends="0, 1, 30")
    assert run("check", "--json", "--offline") == 2
    answer = json.loads("\n".join(run.out))
    assert answer["notes"] == []
    assert [[*finding] for finding in answer["findings"]] == [
        ["code", "object", "found", "remedy"]
    ] * 4
    assert {finding["code"] for finding in answer["findings"]} == {"path-too-long"}


def test_limits(run: Run) -> None:
    """`max_path` and `load_tolerance` of the file are what counts."""
    more = "".join(f'[vip."x{n}.tld"]\naddresses = ["198.51.100.{n}"]\n' for n in range(9))
    path = site(run.directory, more, prepends='0, 1, 2]\nmax_path = 2\nload_tolerance = "50%"#')
    assert run("check", "--offline") == 2
    assert {line.rsplit(" ", 1)[1] for line in run.out[:-1]} == {"[path-too-long]"}
    path.write_text(path.read_text().replace("max_path = 2", "").replace('"50%"', '"25%"'))
    assert run("check", "--offline") == 2
    assert [line.rsplit(" ", 1)[1] for line in run.out[:-1]] == ["[unequal-load]"] * 2
    assert run.out[0].startswith("dc par1: the first choice of 10 of 12 addresses")


def test_what_is_alike_is_said_once() -> None:
    """A fault that many objects share is one line, with three of them; the count has them all."""
    many = [Finding(Code.TIE, f"x{n}", "found", "do") for n in range(5)]
    text = check_text(
        config.find("vip.toml", {}), 7, [*many, Finding(Code.LOOP, "p", "found", "do")]
    )
    assert text.splitlines() == [
        "x0, x1, x2 and 2 more: found; do [tie]",
        "p: found; do [loop]",
        "vip.toml: 7 prefixes, 6 findings",
    ]


# --- the world -----------------------------------------------------------------------------------

RIGHT = {
    "vip-1.tld A": records("vip-1.tld. A 192.0.2.1", "vip-1.tld. A 192.0.2.2"),
    "vip-1.tld AAAA": records("vip-1.tld. AAAA 2001:db8::1"),
    "vip-2.tld A": records("vip-2.tld. A 192.0.2.3"),
    "vip-2.tld AAAA": Reply(),
}


def asked(directory: Path, script: Mapping[str, Reply], timeout: float = 5.0) -> Report:
    """What a DNS server's answers come to."""
    loaded = config.load(site(directory), {})
    with DnsServer({**RIGHT, **script}) as server:
        return dns(loaded, Resolver(server.endpoint, timeout))


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ({}, []),
        (
            {"vip-2.tld A": records("vip-2.tld. A 192.0.2.3", "vip-2.tld. A 192.0.2.9")},
            [("dns-extra", "vip-2.tld")],
        ),
        ({"vip-1.tld AAAA": Reply()}, [("dns-missing", "vip-1.tld")]),
        (
            {"vip-2.tld A": Reply(), "vip-2.tld AAAA": Reply()},
            [("dns-missing", "vip-2.tld")],
        ),
        (
            {"vip-2.tld A": records("vip-2.tld. CNAME vip-2.tld.")},
            [("dns-missing", "vip-2.tld")],
        ),
    ],
)
def test_dns(tmp_path: Path, script: Mapping[str, Reply], found: list[tuple[str, str]]) -> None:
    """DNS is compared with vip.toml, both ways; what it says for certain is a finding."""
    report = asked(tmp_path, script)
    assert codes(report) == found
    assert report.notes == ()


def test_a_name_that_dns_does_not_know(tmp_path: Path) -> None:
    """A name may be vip.toml's alone: that is said, and is no finding."""
    nowhere = Reply(rcode="NXDOMAIN")
    report = asked(tmp_path, {"vip-2.tld A": nowhere, "vip-2.tld AAAA": nowhere})
    assert codes(report) == []
    assert report.notes == ("not checked: DNS: vip-2.tld: not in DNS at all; only vip.toml has it",)


def test_dns_that_fails(tmp_path: Path) -> None:
    """What DNS does not say is a note, once for each reason; what it does say counts."""
    failing = Reply(rcode="SERVFAIL")
    report = asked(tmp_path, {"vip-1.tld AAAA": failing, "vip-1.tld A": records()})
    assert codes(report) == [("dns-missing", "vip-1.tld")]
    assert "DNS has no address under this name, vip.toml has 192.0.2.1, 192.0.2.2" in str(
        report.findings[0]
    )
    (note,) = report.notes
    assert note.startswith("not checked: DNS: vip-1.tld: AAAA: SERVFAIL from 127.0.0.1")


def test_dns_that_is_silent(tmp_path: Path) -> None:
    """All names together take no longer than their time, and silence is no finding."""
    report = asked(tmp_path, dict.fromkeys(RIGHT, SILENCE), timeout=0.3)
    assert codes(report) == []
    assert all(
        note.startswith("not checked: DNS: ") and "no answer from" in note for note in report.notes
    )


def test_check_asks_dns(run: Run) -> None:
    """The command asks the resolver of the file."""
    with DnsServer(RIGHT) as server:
        site(run.directory, port=server.endpoint[1])
        assert run("check") == 0
    assert len(run.err) == 1
    with DnsServer(dict.fromkeys(RIGHT, Reply())) as server:
        site(run.directory, port=server.endpoint[1])
        assert run("check") == 2
    assert [line.rsplit(" ", 1)[1] for line in run.out[:-1]] == ["[dns-missing]"] * 2


class Reader:
    """Reads this table, or fails."""

    def __init__(self, result: IpvsTable | TableError) -> None:
        self._result = result

    async def read(self) -> IpvsTable:
        if isinstance(self._result, TableError):
            raise self._result
        return self._result


def balanced(directory: Path, *results: IpvsTable | TableError, source: str = "ipvs") -> Report:
    loaded = config.load(site(directory, source=source), {})
    return ipvs(loaded, [Reader(result) for result in results])


def test_ipvs(tmp_path: Path) -> None:
    """IPVS is compared with vip.toml, both ways, by the first reader that is let in."""
    services = {
        "tcp 192.0.2.1 80": [real("198.51.100.1")],
        "tcp 192.0.2.2 80": [],
        "udp 2001:db8::1 53": [],
    }
    right = table({**services, "tcp 192.0.2.3 443": []}, {})
    wrong = table({**services, "tcp 203.0.113.9 80": []}, {8: {4: []}})
    assert balanced(tmp_path, TableAccessError("barred"), right) == Report()
    assert codes(balanced(tmp_path, wrong)) == [
        ("ipvs-extra", "203.0.113.9"),
        ("ipvs-missing", "vip-2.tld 192.0.2.3/32"),
    ]


def test_ipvs_unreadable(tmp_path: Path) -> None:
    """A table that can't be read is a note; where no VIP needs it, not even that."""
    assert balanced(tmp_path, TableError("no ip_vs")) == Report((), ("not checked: no ip_vs",))
    assert balanced(tmp_path, TableError("no ip_vs"), source="none") == Report()


def peers(*found: tuple[str, int, int | None]) -> dict[str, Any]:
    return {
        "peers": [
            {"address": address, "asn": asn, "up": True}
            | ({} if local_as is None else {"local_as": local_as})
            for address, asn, local_as in found
        ],
        "dc": "par1",
        "backend": "exabgp",
        "routes": [],
        "trouble": [],
    }


def test_peers(run: Run) -> None:
    """The watchdog names the peers; those that drop a prepend as a loop are findings."""
    given = peers(
        ("203.0.113.1", 64496, 64699),
        ("203.0.113.2", 64699, 64699),
        ("203.0.113.3", 64511, 64511),
        ("203.0.113.4", 64699, None),
        ("203.0.113.5", 64699, 64511),
    )
    with reconciler(run.directory, status=given):
        assert run("check", "--json") == 2
    found = json.loads("\n".join(run.out))["findings"]
    assert [(finding["code"], finding["object"]) for finding in found] == [
        ("loop", "peer 203.0.113.2"),
        ("loop", "peer 203.0.113.3"),
        ("loop", "peer 203.0.113.4"),
    ]
    # As their rank here wants it: prepends 0, 2, 0 and 1.
    assert "drops 2 of 4 prefixes as a loop: its own AS64699 is in" in found[0]["found"]
    assert "drops 2 of 4 prefixes as a loop: its own AS64511 is in" in found[1]["found"]


RULES = """
[peer."203.0.113.1"]
med = 5
[peer."203.0.113.9"]
except = ["vip-1.tld"]
[peer."203.0.113.8"]
except = ["vip-1.tld"]
dc = "lyo1"
[peer_group.upstreams]
neighbors = ["203.0.113.1", "203.0.113.7"]
med = 5
[peer_group.exchange]
neighbors = { par1 = ["2001:db8::9"] }
med = 5
"""


def test_rules_of_no_peer(run: Run) -> None:
    """A rule for a neighbour that the daemon lacks is a finding, as of this data centre; where none is known, that is a note."""
    site(run.directory, RULES)
    with reconciler(
        run.directory, status=peers(("203.0.113.1", 64496, 64699), ("eth0", 64496, 64699))
    ):
        assert run("check", "--json") == 2
    found = json.loads("\n".join(run.out))["findings"]
    assert [(finding["code"], finding["object"]) for finding in found] == [
        ("peer-missing", "peer_group exchange"),
        ("peer-missing", "peer 203.0.113.9"),
    ]
    assert found[1]["found"] == "no neighbor 203.0.113.9 here"
    with reconciler(run.directory, status=peers()):
        assert run("check") == 0
    assert "bgp_mgt: not checked: peers: the daemon's neighbors are not known" in run.err


def test_peers_that_are_unknown(run: Run) -> None:
    """A watchdog that refuses to say is a note, and bgpd that can't be asked is one, too."""
    with reconciler(run.directory, status=(500, {"error": "broken"})):
        assert run("check") == 0
    assert run.err[-1] == "bgp_mgt: not checked: peers: broken"
    (run.directory / "control.sock").unlink()
    site(run.directory, backend="quagga")
    assert run("check") == 0
    assert run.err[-1].startswith("bgp_mgt: not checked: peers: ")
    assert "no-vtysh" in run.err[-1]


def test_start_file(run: Run) -> None:
    """VIPs' network lines in bgpd's start file are findings, offline too, with their place."""
    path = run.directory / "bgpd.conf"
    path.write_text("router bgp 64699\n network 192.0.2.3/32\n network 198.51.100.0/24\n")
    site(run.directory, backend="quagga")
    assert run("check", "--offline") == 2
    assert len(run.out) == 2
    assert run.out[0] == (
        f"{path}:2: network 192.0.2.3/32: announced at bgpd's start until the next pass, drained or "
        "not; remove the line [start-file]"
    )
    path.unlink()
    path.mkdir()
    assert run("check", "--offline") == 2
    assert run.out[0].startswith(f"{path}: not a regular file; it may have network lines")
    site(run.directory)
    assert run("check", "--offline") == 0


# --- other sites' files --------------------------------------------------------------------------


def test_other_files(run: Run) -> None:
    """Several files may be named; each difference is a finding, a file that is none is refused."""
    same, other = run.directory / "same.toml", run.directory / "other.toml"
    text = (run.directory / "vip.toml").read_text()
    same.write_text(text.replace('dc = "par1"', 'dc = "lyo1"', 1))
    other.write_text(text.replace("[0, 1, 2]", "[0, 1, 3]"))
    assert run("check", "--offline", str(same)) == 0
    assert run("check", str(same), str(other), "--offline") == 2
    assert run.out[0].startswith(f"policy.prepends: [0, 1, 2] here, [0, 1, 3] in {other}; make it")
    other.write_text(text + "[vips]\n")
    assert run("check", "--offline", str(other)) == 255
    assert run.err[0].startswith(f"configuration: {other}: vips: unknown key")
    assert run("check", "--offline", str(run.directory / "none.toml")) == 255


# --- plan --without ------------------------------------------------------------------------------


def test_without(run: Run) -> None:
    """Who takes over each address, and the share of each DC before and after, without a daemon."""
    assert run("plan", "--without", "lyo1") == 0
    assert run.out == [
        "without lyo1: 2 of 4 addresses move",
        "",
        "PREFIX        VIP        BEFORE  AFTER",
        "192.0.2.2/32  vip-1.tld  lyo1    fra1",
        "192.0.2.3/32  vip-2.tld  lyo1    par1",
        "",
        "DC    WEIGHT  BEFORE   AFTER",
        "par1  1       2 (50%)  3 (75%)",
        "lyo1  1       2 (50%)  0 (0%)",
        "fra1  1       0 (0%)   1 (25%)",
    ]
    assert run.err == []


def test_without_what_has_nothing(run: Run) -> None:
    """A DC that is nobody's first choice moves nothing."""
    assert run("plan", "--without", "fra1") == 0
    assert run.out[0] == "without fra1: 0 of 4 addresses move"
    assert "PREFIX" not in "\n".join(run.out)


def test_without_several(run: Run) -> None:
    """Several may fail; where an address has none left, that is said: 2."""
    assert run("plan", "--without", "par1", "--without", "lyo1", "--without", "par1") == 0
    assert run.out[0] == "without par1, lyo1: 4 of 4 addresses move"
    everyone = [word for name in ("par1", "lyo1", "fra1") for word in ("--without", name)]
    assert run("plan", *everyone) == 2
    assert run.out[3].split() == ["192.0.2.1/32", "vip-1.tld", "par1", "NONE"]
    assert run.err == ["bgp_mgt: without par1, lyo1, fra1: no data centre is left for 4 addresses"]


def test_without_names(run: Run) -> None:
    """Names narrow the table; the shares are those of all addresses."""
    assert run("plan", "192.0.2.3", "--without", "lyo1") == 0
    assert run.out[0] == "without lyo1: 1 of 1 address moves"
    assert run.out[-3:][0].split() == ["par1", "1", "2", "(50%)", "3", "(75%)"]


def test_without_as_json(run: Run) -> None:
    """As JSON: every address with who has it before and after, and the shares."""
    assert run("plan", "--without", "lyo1", "--json") == 0
    answer = json.loads("\n".join(run.out))
    assert answer["without"] == ["lyo1"]
    assert answer["addresses"][0] == {
        "vip": "vip-1.tld",
        "prefix": "192.0.2.1/32",
        "before": ["par1"],
        "after": ["par1"],
        "equal": False,
    }
    assert [(row["before"], row["after"]) for row in answer["addresses"][1:]] == [
        (["lyo1"], ["fra1"]),
        (["par1"], ["par1"]),
        (["lyo1"], ["par1"]),
    ]
    assert answer["shares"][1] == {
        "dc": "lyo1",
        "weight": 1.0,
        "before": {"addresses": 2, "share": 0.5},
        "after": {"addresses": 0, "share": 0.0},
    }


def test_without_unknown(run: Run) -> None:
    """An unknown DC is refused with those that are known: 255."""
    assert run("plan", "--without", "mad1") == 255
    assert run.err == ["bgp_mgt: data centre: 'mad1': unknown; known are par1, lyo1, fra1"]


def test_a_mistyped_data_centre(run: Run) -> None:
    """One that is nearly known is named so."""
    assert run("plan", "--without", "lyo") == 255
    assert run.err == [
        "bgp_mgt: data centre: 'lyo': unknown; known are par1, lyo1, fra1; did you mean lyo1?"
    ]


def test_plan_as_json(run: Run) -> None:
    """Without --without, the plan is the watchdog's, as JSON too."""
    change = {"action": "withdraw", "prefix": "192.0.2.1/32", "route": "", "reason": "drained"}
    with reconciler(run.directory, plan=[change]):
        assert run("plan", "--json") == 2
    assert json.loads("\n".join(run.out)) == [change]
