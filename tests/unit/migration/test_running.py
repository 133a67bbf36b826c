"""`DC=@running`: bgpd, the kernel and IPVS of this machine in place of a file; each is handed in."""

from __future__ import annotations

import json
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from speaker import config
from speaker.backends.quagga.vtysh import NotRunningError, Output
from speaker.health.ipvs.table import (
    IpvsTable,
    MarkService,
    RealServer,
    TableAccessError,
    TableError,
    VirtualServer,
)
from speaker.migration import compare_command
from speaker.migration import import_command as command
from speaker.migration.bgpd_conf.answers import Answers
from speaker.migration.bgpd_conf.statement import MigrationError
from speaker.migration.this_machine import KernelDump, MachineAsked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from speaker.config.settings import Config
    from speaker.units import IpAddress

FRR = "FRRouting 10.3 (lb1).\nCopyright 1996-2005 Kunihiro Ishiguro, et al.\n"
QUAGGA = "Quagga 1.2.4 (lb1).\n"
BGP = """
Current configuration:
!
{version}
router bgp 64699
 bgp router-id 203.0.113.10
 neighbor 203.0.113.1 remote-as 64500
 neighbor 203.0.113.1 route-map ALL out
 {line}
!
route-map ALL permit 10
!
route-map VIPS permit 10
 match ip address prefix-list VIPS
!
ip prefix-list VIPS seq 5 permit 192.0.2.0/24 ge 32
!
end
"""
ADDRESSES = (
    *(("lo", "127.0.0.1", 8), ("lo", "192.0.2.1", 32), ("eth0", "203.0.113.10", 24)),
    *(("red", "192.0.2.8", 32), ("eth1", "203.0.113.11", 24)),
)
"""Those of the VRF red come last."""
ROUTES: tuple[tuple[str, int, dict[str, str]], ...] = (
    ("192.0.2.2", 196, {}),
    ("192.0.2.3", 196, {"RTA_GATEWAY": "203.0.113.1"}),
    ("192.0.2.4", 4, {}),
    ("192.0.2.5", 2, {}),
    ("192.0.2.6", 186, {}),
)
SERVER = RealServer(ip_address("203.0.113.20"), 80, 1)
TABLE = IpvsTable({VirtualServer("tcp", ip_address("192.0.2.1"), 80): (SERVER,)})


SUMMARY = """
IPv4 Unicast Summary (VRF default):
BGP router identifier 203.0.113.10, local AS number 64699 vrf-id 0
BGP table version 1

Neighbor        V         AS   MsgRcvd   MsgSent   TblVer  InQ OutQ  Up/Down State/PfxRcd   PfxSnt Desc
203.0.113.1     4      64500         5         6        0    0    0 00:00:10 {state}        1 N/A

Total number of neighbors 1
"""
SENT = """BGP table version is 1, local router ID is 203.0.113.10, vrf id 0
Status codes:  s suppressed, d damped, h history, * valid, > best, = multipath,

   Network          Next Hop            Metric LocPrf Weight Path
{rows}
Total number of prefixes 1
"""
ROW = "*> {prefix:<17}{hop:<19}{med:>7}{pref:>7} {weight:>6} {path}"
NOT_THERE = "% Network not in table\n"


def row(prefix: str, path: str = "?", med: int = 0) -> str:
    """Return a row of `advertised-routes`, as FRR shows it."""
    return ROW.format(prefix=prefix, hop="0.0.0.0", med=med, pref="", weight=32768, path=path)


class FakeVtysh:
    """Says what it was given to each command, and remembers which were asked.

    `sent` are the rows that were sent to 203.0.113.1; None while its session is down.
    """

    def __init__(self, version: str, running: str, status: int = 0) -> None:
        self.asked: list[str] = []
        self.sent: Sequence[str] | None = None
        self.cut = False
        self._said = {"show version": (version, 0), "show running-config": (running, status)}

    async def __call__(self, commands: Sequence[str]) -> Output:
        self.asked += commands
        said = [self._say(command) for command in commands]
        if not all(text for text, _ in said):
            raise NotRunningError("quagga/bgpd not running", commands)
        return Output(max(status for _, status in said), "".join(text for text, _ in said), "")

    def _say(self, command: str) -> tuple[str, int]:
        if command in self._said:
            return self._said[command]
        if command == "show ip bgp summary":
            return SUMMARY.format(state="Active" if self.sent is None else "     0"), 0
        if command == "show ip bgp neighbors 203.0.113.1 advertised-routes":
            return SENT.format(rows="\n".join(self.sent or ())), 0
        assert command.startswith(("show bgp summary", "show bgp ipv4 unicast 255.255.255.255/32"))
        return ("" if self.cut else NOT_THERE) or "\n", 0


class FakeReader:
    """A way to IPVS that has a table, or an error."""

    def __init__(self, found: IpvsTable | TableError) -> None:
        self._found = found

    async def read(self) -> IpvsTable:
        if isinstance(self._found, TableError):
            raise self._found
        return self._found


def dump() -> KernelDump:
    """Return a kernel's answers as pyroute2 has them."""
    names = ("lo", "eth0", "red", "eth1")
    links: list[dict[Any, Any]] = [
        {"index": n, "IFLA_IFNAME": name} for n, name in enumerate(names)
    ]
    links[2][("linkinfo", "kind")] = "vrf"
    links[3]["IFLA_MASTER"] = 2
    addresses = [
        {"index": names.index(name), "IFA_ADDRESS": text, "prefixlen": length}
        for name, text, length in ADDRESSES
    ]
    routes: list[dict[str, Any]] = [
        {"proto": proto, "type": 1, "dst_len": 32, "RTA_DST": dst, **more}
        for dst, proto, more in ROUTES
    ]
    return KernelDump(links, addresses, [*routes, {"proto": 4, "type": 1, "dst_len": 0}])


class Machine:
    """This machine, and what import makes of it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.out = folder / "out"
        self._capsys = capsys
        self.vtysh = FakeVtysh(FRR, "")
        self.source: str | None = "203.0.113.10"

    def run(
        self,
        line: str,
        *,
        version: str = FRR,
        tables: Sequence[IpvsTable | TableError] = (TABLE,),
        options: Sequence[str] = (),
    ) -> tuple[int, str]:
        head = "frr version 10.3\nfrr defaults traditional" if version == FRR else "!"
        if line:
            self.vtysh = FakeVtysh(version, BGP.format(version=head, line=line))
        asked = MachineAsked(
            self._source, lambda _: self.vtysh, dump, lambda: [*map(FakeReader, tables)]
        )
        status = command.main(["par1=@running", "--out", str(self.out), "--force", *options], asked)
        said = self._capsys.readouterr()
        self.stdout = said.out
        return status, said.err

    def _source(self, neighbor: IpAddress) -> IpAddress | None:
        assert neighbor == ip_address("203.0.113.1")
        return None if self.source is None else ip_address(self.source)

    def loaded(self) -> Config:
        return config.load(self.out / "vip.toml", {"VIP_DC": "par1"})

    @property
    def prefixes(self) -> list[str]:
        return [*map(str, self.loaded().topology.prefixes)]


@pytest.fixture
def machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Machine:
    return Machine(tmp_path, capsys)


def test_all_of_it(machine: Machine) -> None:
    """bgpd's lines, the kernel's source address, and IPVS's services come together; bgpd is only asked."""
    status, said = machine.run("network 192.0.2.1/32\n network 192.0.2.9/32")
    assert status == 2, said
    assert machine.vtysh.asked == ["show version", "show running-config"]
    assert "@running: read as FRR's: `show version` says so" in said
    assert "(`show version` says so); sessions from 203.0.113.10" in machine.stdout
    health = machine.loaded().settings.health
    assert {name: each.source for name, each in health.items()} == {
        "vip-192-0-2-1": "ipvs",
        "vip-192-0-2-9": "none",
    }
    text = (machine.out / "vip.toml").read_text()
    assert "# IPVS of par1: tcp/80 to 1 realserver\n" in text
    assert "# IPVS of par1 has nothing for it: only the operator decides\n" in text
    assert "vip-192-0-2-9: IPVS of par1 has nothing for it, so health.source" in said
    assert machine.stdout.rstrip().endswith("run vip_mgmt check and vip_mgmt compare @running")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("redistribute connected route-map VIPS", ["192.0.2.1/32"]),
        ("redistribute kernel metric 0 route-map VIPS", ["192.0.2.4/32"]),
    ],
)
def test_redistributed(machine: Machine, line: str, expected: list[str]) -> None:
    """What the route-map permits of what the machine has now is announced, and that others may come is said."""
    status, said = machine.run(line)
    assert status == 2, said
    assert machine.prefixes == expected
    assert "taken over: 1 prefix that this machine has now; those that come later" in said


@pytest.mark.parametrize(
    ("source", "before", "expected"),
    [
        ("203.0.113.11", "", "203.0.113.11"),
        (None, "", "203.0.113.10"),
        ("203.0.113.11", "neighbor 203.0.113.1 update-source 203.0.113.10\n ", "203.0.113.10"),
    ],
)
def test_where_the_session_goes_from(
    machine: Machine, source: str | None, before: str, expected: str
) -> None:
    """The kernel has the last word, and not the first address of an interface; update-source has it before."""
    machine.source = source
    machine.run(f"{before}network 192.0.2.1/32")
    assert f"sessions from {expected}" in machine.stdout


def of_vrf(machine: Machine, line: str) -> tuple[int, str]:
    """Import what `router bgp` of a VRF says, on a machine that reaches the router by another one, too."""
    machine.source = "198.51.100.9"
    text = BGP.format(version="frr version 10.3", line=line)
    running = text.replace("router bgp 64699", "router bgp 64699 vrf red")
    machine.vtysh = FakeVtysh(FRR, running)
    return machine.run("", options=["--vrf", "red"])


def test_of_a_vrf(machine: Machine) -> None:
    """The interfaces of the VRF tell its addresses, and from where a session goes; the kernel is asked about the main table alone."""
    status, said = of_vrf(machine, "redistribute connected route-map VIPS")
    assert status == 2, said
    assert "sessions from 203.0.113.11" in machine.stdout
    assert machine.prefixes == ["192.0.2.8/32"]


def test_routes_of_a_vrf(machine: Machine) -> None:
    """Those of the main table are none of it: what it redistributes is not known, and an error."""
    status, said = of_vrf(machine, "redistribute kernel route-map VIPS")
    assert status == 255
    assert "which prefixes it announces is not in the file" in said


def test_static(machine: Machine) -> None:
    """FRR marks its static routes; one by a gateway is an error, for bgpd sends that as next hop."""
    status, said = machine.run("redistribute static route-map VIPS")
    assert status == 255
    assert (
        "redistribute static route-map VIPS: bgpd sends the gateway as next hop of 192.0.2.3"
        in said
    )


def test_static_of_quagga(machine: Machine) -> None:
    """Quagga's zebra marks all of its routes alike, so what is static is not known, and an error."""
    status, said = machine.run("redistribute static route-map VIPS", version=QUAGGA)
    assert status == 255
    assert (
        "redistribute static route-map VIPS: which prefixes it announces is not in the file" in said
    )


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        ([TableAccessError("no /proc"), TableError("IPVS: no ip_vs")], "proposed: IPVS: no ip_vs"),
        ([TableAccessError("barred")], "no health is proposed: barred"),
        ([IpvsTable(marks={7: (MarkService(4, (SERVER,)),)})], "services of firewall marks (7)"),
        (
            [IpvsTable({VirtualServer("tcp", ip_address("192.0.2.1"), 80): ()})],
            "vip-192-0-2-1: a service has no realserver in IPVS of par1 now",
        ),
    ],
)
def test_health(machine: Machine, tables: Sequence[IpvsTable | TableError], expected: str) -> None:
    """Where IPVS can't be read nothing is proposed; what is dead now, and what marks hide, is said."""
    status, said = machine.run("network 192.0.2.1/32", tables=tables)
    assert status == 2, said
    assert expected in said


def compared(machine: Machine, sent: Sequence[str] | None) -> compare_command.Comparison:
    """Import what redistributes 192.0.2.1/32, then compare it with a bgpd that has sent some rows."""
    machine.run("redistribute connected route-map VIPS")
    machine.vtysh.sent = sent
    asked = MachineAsked(lambda _: None, lambda _: machine.vtysh, dump, tuple)
    return compare_command.make(Path("@running"), machine.loaded(), "", asked=asked)


def test_compared(machine: Machine) -> None:
    """What was imported is compared with what bgpd has sent, with all that its machine has."""
    found = compared(machine, [row("192.0.2.1/32")])
    assert [str(pair.prefix) for pair in found.equal] == ["192.0.2.1/32"]
    assert (found.differences, found.unproven, found.told) == ((), (), ())
    assert found.are_equal
    assert str(found.read_as) == "@running: read as FRR's: `show version` says so"
    assert "show ip bgp neighbors 203.0.113.1 advertised-routes" in machine.vtysh.asked


@pytest.mark.parametrize(
    ("sent", "differs_in", "told"),
    [
        ([], "announced", "bgpd has sent nothing"),
        ([row("192.0.2.9/32")], "announced", "bgpd has sent nothing"),
        ([row("192.0.2.1/32", "64699 ?")], "as_path", "bgpd has sent as-path [ 64699 64699 ]"),
        (
            [row("192.0.2.1/32", "?", 5)],
            "med",
            "bgpd has sent as-path [ 64699 ] origin incomplete med 5",
        ),
        ([row("192.0.2.1/32", "i")], "origin", "bgpd has sent as-path [ 64699 ] origin igp"),
    ],
)
def test_sent_otherwise(machine: Machine, sent: Sequence[str], differs_in: str, told: str) -> None:
    """What bgpd has sent counts, not what its configuration was read as; where the two differ, it is said."""
    found = compared(machine, sent)
    (pair,) = found.differences
    assert pair.differences == (differs_in,)
    assert not found.are_equal
    (line,) = found.told
    assert line.startswith(f"203.0.113.1: 192.0.2.1/32: {told}")
    assert line.endswith(
        "; its configuration says as-path [ 64699 ] origin incomplete med 0 next-hop 203.0.113.10"
    )
    shown = compare_command.as_table(found)
    assert f"bgpd has sent something else than what its configuration says:\n  {line}" in shown
    assert json.loads(compare_command.as_json(found))["told"] == [line]


def test_compared_of_a_vrf(machine: Machine) -> None:
    """What a session outside of the VRF was sent, though it goes to the same address, proves nothing of it."""
    of_vrf(machine, "redistribute connected route-map VIPS")
    machine.vtysh.sent = [row("192.0.2.9/32")]
    asked = MachineAsked(lambda _: None, lambda _: machine.vtysh, dump, tuple)
    found = compare_command.make(
        Path("@running"), machine.loaded(), "", Answers(vrf="red"), asked=asked
    )
    (pair,) = found.unproven
    assert pair.unseen.startswith("what bgpd has sent in a VRF is not asked")
    assert (found.equal, found.differences, found.told) == ((), (), ())


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (None, "bgpd has no session with it now, so this is what its configuration says"),
        ([row("192.0.2.1/32", "{64699} ?")], "bgpd's table does not show its AS_PATH"),
    ],
)
def test_not_proven(machine: Machine, sent: Sequence[str] | None, expected: str) -> None:
    """What bgpd does not show is unproven, not equal."""
    found = compared(machine, sent)
    (pair,) = found.unproven
    assert pair.unseen.startswith(expected)
    assert (found.equal, found.differences) == ((), ())
    assert not found.are_equal
    assert expected in compare_command.as_table(found)
    assert "0 of 1 UPDATE are equal, 1 unproven" in compare_command.as_table(found)


def test_a_bgpd_that_does_not_tell(machine: Machine) -> None:
    """An answer that is cut off is no table: nothing is called equal."""
    machine.vtysh.cut = True
    machine.run("redistribute connected route-map VIPS")
    machine.vtysh.sent, machine.vtysh.cut = [row("192.0.2.1/32")], True
    asked = MachineAsked(lambda _: None, lambda _: machine.vtysh, dump, tuple)
    with pytest.raises(MigrationError, match="advertised-routes: the answer is not whole"):
        compare_command.make(Path("@running"), machine.loaded(), "", asked=asked)


def test_next_way(machine: Machine) -> None:
    """Where one way to IPVS is barred, the next one is taken."""
    machine.run("network 192.0.2.1/32", tables=[TableAccessError("barred"), TABLE])
    assert machine.loaded().settings.health["vip-192-0-2-1"].source == "ipvs"
    assert "# IPVS of par1: tcp/80" in (machine.out / "vip.toml").read_text()


@pytest.mark.parametrize(
    ("vtysh", "expected"),
    [
        (FakeVtysh("", ""), "@running: quagga/bgpd not running"),
        (FakeVtysh("what?\n", "end\n"), "`show version` names neither FRR nor Quagga"),
        (FakeVtysh(FRR, "router bgp 64699\n"), "exit status 0, and no `end`; try it by hand"),
        (FakeVtysh(FRR, "end\n", 1), "exit status 1, and no `end`"),
        (FakeVtysh(FRR, "!\nend\n"), "@running: has no `router bgp`"),
    ],
)
def test_nothing_is_written(machine: Machine, vtysh: FakeVtysh, expected: str) -> None:
    """A bgpd that does not answer, or not with all of it, writes nothing."""
    machine.vtysh = vtysh
    status, said = machine.run("")
    assert status == 255
    assert expected in said
    assert not machine.out.exists()


def test_a_vtysh_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What to change is the option of this command: no vip.toml is read by it."""
    out, vtysh = tmp_path / "out", tmp_path / "vtysh"
    words = ["par1=@running", "--out", str(out), "--vtysh", str(vtysh)]
    assert command.main(words) == 255
    said = capsys.readouterr().err
    assert f"@running: vtysh: {vtysh}: No such file or directory; --vtysh names it\n" in said
    assert not out.exists()


@pytest.mark.parametrize(
    "options", [["lyo1=@running"], ["lyo1=lyo1.conf", "--local-from-kernel", "lyo1"]]
)
def test_one_machine(machine: Machine, options: list[str]) -> None:
    """This machine is in one data centre."""
    status, said = machine.run("network 192.0.2.1/32", options=options)
    assert status == 255
    assert "--local-from-kernel and @running: this machine is in one data centre; name one" in said
